// Lines and fields of comma-separated tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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

/// The same where a field may stand in quotes, a quote in it doubled (RFC 4180), but on one line.
/// Nothing if quotes are opened and not closed, or something else follows them.
std::optional<std::vector<std::string>> quoted_csv_fields(std::string_view line);

/// The text as such a field: in quotes where it needs them. Line ends in it become spaces.
std::string csv_field(std::string text);

/// A whole number from 0 without a sign, or nothing.
std::optional<std::int32_t> parse_index(std::string_view text);

}  // namespace pipesim
