#include "tools/option_values.hpp"

#include <fmt/format.h>

#include <charconv>

#include "sim/io/quantities.hpp"

namespace pipesim {

std::int64_t read_number(const std::string& option, const std::string& given,
                         const std::string& what, std::int64_t most, std::vector<Fault>& faults) {
  std::int64_t value = 0;
  const char* const end = given.data() + given.size();
  const auto [stopped, error] = std::from_chars(given.data(), end, value);
  const bool is_number = error == std::errc{} && stopped == end;
  if (!is_number || value < 1 || value > most) {
    faults.push_back({.place = fmt::format("command line: {}", option),
                      .value = given,
                      .what = fmt::format("\"{}\" is no number of {}", given, what),
                      .allowed = fmt::format("an integer from 1 to {}", most)});
  }
  return value;
}

std::int64_t read_memory(const std::string& option, const std::string& given,
                         std::vector<Fault>& faults) {
  constexpr std::int64_t kLeast = std::int64_t{64} << 20;
  const std::int64_t bytes = parse_bytes(given).value.value_or(0);
  if (bytes < kLeast) {
    faults.push_back(
        {.place = fmt::format("command line: {}", option),
         .value = given,
         .what = fmt::format("\"{}\" is no amount of memory that can be a limit", given),
         .allowed = fmt::format("{} or more, such as 512MiB or 4GB", bytes_text(kLeast))});
  }
  return bytes;
}

std::optional<Override> read_set(const std::string& given, std::vector<Fault>& faults) {
  const std::size_t equals = given.find('=');
  if (equals == std::string::npos) {
    faults.push_back({.place = fmt::format("command line: --set {}", given),
                      .value = given,
                      .what = "no value",
                      .allowed = "PATH=VALUE, such as memory.limit=4"});
    return std::nullopt;
  }
  const std::string path = given.substr(0, equals);
  return Override{.option = "--set " + path,
                  .path = path,
                  .value = given.substr(equals + 1),
                  .kind = OverrideKind::json_or_text};
}

}  // namespace pipesim
