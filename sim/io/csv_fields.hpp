// Lines and fields of comma-separated tables without quotes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace pipesim {

struct CsvField {
  std::string_view text;
  int column = 1;  ///< 1-based byte in its line
};

/// The text without the byte order mark that spreadsheets put before UTF-8.
std::string_view without_byte_order_mark(std::string_view text);

/// Removes the first line from the front of `rest` and returns it without its LF or CRLF.
std::string_view take_line(std::string_view& rest);

/// At least one; an empty line is one empty field.
std::vector<CsvField> csv_fields(std::string_view line);

/// A whole number from 0 without a sign, or nothing.
std::optional<std::int32_t> parse_index(std::string_view text);

}  // namespace pipesim
