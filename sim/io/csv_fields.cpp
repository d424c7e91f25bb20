#include "sim/io/csv_fields.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

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

std::optional<std::vector<std::string>> quoted_csv_fields(std::string_view line) {
  std::vector<std::string> fields;
  for (std::size_t at = 0;; ++at) {
    std::string field;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        const std::size_t quote = line.find('"', at);
        if (quote == std::string_view::npos) return std::nullopt;
        field += line.substr(at, quote - at);
        at = quote + 1;
        if (at == line.size() || line[at] != '"') break;
        field += '"';
      }
    } else {
      const std::size_t comma = std::min(line.find(',', at), line.size());
      field = line.substr(at, comma - at);
      if (field.find('"') != std::string::npos) return std::nullopt;
      at = comma;
    }
    fields.push_back(std::move(field));
    if (at == line.size()) return fields;
    if (line[at] != ',') return std::nullopt;
  }
}

std::string csv_field(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  if (text.find_first_of("\",") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::optional<std::int32_t> parse_index(std::string_view text) {
  std::int32_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || stop != last || value < 0) return std::nullopt;
  return value;
}

}  // namespace pipesim
