#include "sim/error.hpp"

#include <fmt/format.h>

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

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Upper and lower case are the same.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t substituted = diagonal + (lower(left[i]) == lower(right[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

/// The length of the UTF-8 sequence at the front, 0 if there is none or it is a control character.
std::size_t printable_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f ? 1 : 0;
  const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : byte(0) >= 0xc2 ? 2 : 0;
  if (length == 0 || byte(0) > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

/// Long keys in the middle of a pointer would bury the message.
std::string abbreviated(const std::string& pointer) {
  constexpr std::size_t kMost = 120;
  if (pointer.size() <= kMost) return pointer;
  return pointer.substr(0, kMost / 2) + "..." + pointer.substr(pointer.size() - kMost / 2);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    std::size_t length = printable_length(text);
    if (length > 0) {
      result += text.substr(0, length);
    } else {
      length = 1;
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    }
    text.remove_prefix(length);
  }
  return result;
}

std::string message(const Fault& fault) {
  std::string text;
  if (!fault.place.empty()) text += printable(fault.place) + ": ";
  if (!fault.pointer.empty()) text += printable(abbreviated(fault.pointer)) + ": ";
  // Several lines are ours: a deadlock lists who waits for whom.
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = fault.what.find('\n', begin);
    text += printable(std::string_view(fault.what).substr(begin, end - begin));
    if (end != std::string::npos) text += '\n';
  }
  if (!fault.allowed.empty()) text += "; " + printable(fault.allowed);
  if (!fault.nearest.empty()) text += " (did you mean \"" + printable(fault.nearest) + "\"?)";
  return text;
}

Error::Error(Fault fault, ErrorKind kind) : Error(std::vector<Fault>{std::move(fault)}, kind) {}

Error::Error(std::vector<Fault> faults, ErrorKind kind)
    : std::runtime_error(join_messages(faults)), faults_(std::move(faults)), kind_(kind) {
  PIPESIM_CHECK(!faults_.empty());
}

TimeOverflow::TimeOverflow()
    : Error(Fault{.pointer = "/m",
                  .what = "T_total does not fit in 64 bits of picoseconds",
                  .allowed = "at most 9223372036854775807 ps, some 106.75 days"}) {}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  constexpr std::size_t kTellingLetters = 3;
  for (const std::string& candidate : candidates) {
    const bool is_longer = candidate.size() > name.size() && name.size() >= kTellingLetters;
    if (is_longer && edit_distance(name, candidate.substr(0, name.size())) == 0) return candidate;
  }
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance && distance < name.size()) {
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
