#include "sim/error.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace pipesim {

namespace {

std::string join_messages(const std::vector<Fault>& faults) {
  std::string text;
  for (const Fault& fault : faults) {
    if (!text.empty()) text += '\n';
    text += message(fault);
  }
  return text;
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t substituted = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::string message(const Fault& fault) {
  std::string text;
  if (!fault.place.empty()) text += fault.place + ": ";
  if (!fault.pointer.empty()) text += fault.pointer + ": ";
  text += fault.what;
  if (!fault.allowed.empty()) text += "; " + fault.allowed;
  if (!fault.nearest.empty()) text += " (did you mean \"" + fault.nearest + "\"?)";
  return text;
}

Error::Error(Fault fault, ErrorKind kind) : Error(std::vector<Fault>{std::move(fault)}, kind) {}

Error::Error(std::vector<Fault> faults, ErrorKind kind)
    : std::runtime_error(join_messages(faults)), faults_(std::move(faults)), kind_(kind) {
  PIPESIM_CHECK(!faults_.empty());
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "pipesim: internal error: %s:%d: %s does not hold\n", file, line, condition);
  std::abort();
}

}  // namespace pipesim
