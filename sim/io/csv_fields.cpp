#include "sim/io/csv_fields.hpp"

#include <charconv>
#include <cstddef>

namespace pipesim {

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t feed = rest.find('\n');
  std::string_view line = rest.substr(0, feed);
  rest.remove_prefix(feed == std::string_view::npos ? rest.size() : feed + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::vector<CsvField> csv_fields(std::string_view line) {
  std::vector<CsvField> fields;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = line.find(',', begin);
    fields.push_back({line.substr(begin, comma - begin), static_cast<int>(begin) + 1});
    if (comma == std::string_view::npos) return fields;
    begin = comma + 1;
  }
}

std::optional<std::int32_t> parse_index(std::string_view text) {
  std::int32_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || stop != last || value < 0) return std::nullopt;
  return value;
}

}  // namespace pipesim
