#include "sim/io/json_scan.hpp"

#include <fmt/format.h>

#include <array>

#include "sim/io/json_tree.hpp"

namespace pipesim {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '+' || c == '-';
}

char at_or_zero(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}

/// The end of the number that begins at `at`, or `at` if it is malformed.
std::size_t number_end(std::string_view text, const std::size_t at) {
  std::size_t end = at;
  const auto take_digits = [&] {
    const std::size_t begin = end;
    while (is_digit(at_or_zero(text, end))) ++end;
    return end > begin;
  };
  if (at_or_zero(text, end) == '-') ++end;
  if (at_or_zero(text, end) == '0') {
    ++end;
  } else if (!take_digits()) {
    return at;
  }
  if (at_or_zero(text, end) == '.') {
    ++end;
    if (!take_digits()) return at;
  }
  if (at_or_zero(text, end) == 'e' || at_or_zero(text, end) == 'E') {
    ++end;
    if (at_or_zero(text, end) == '+' || at_or_zero(text, end) == '-') ++end;
    if (!take_digits()) return at;
  }
  return end;
}

std::size_t word_end(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_word(text[end])) ++end;
  return end > at ? end : at + 1;
}

std::size_t string_end(std::string_view text, std::size_t at) {
  for (std::size_t end = at + 1; end < text.size(); ++end) {
    if (text[end] == '\\') {
      ++end;
    } else if (text[end] == '"') {
      return end + 1;
    }
  }
  return text.size();
}

/// A word of the text in quotes; a byte that cannot be shown as its number.
std::string quoted_word(std::string_view text, std::size_t at) {
  const std::string_view word = text.substr(at, word_end(text, at) - at);
  if (word.front() > ' ' && word.front() <= '~') return fmt::format("'{}'", abbreviated(word));
  return fmt::format("'\\x{:02x}'", static_cast<unsigned char>(word.front()));
}

/// A token of the text as it stands, punctuation in quotes.
std::string shown_token(std::string_view text, std::size_t at) {
  const std::string_view token = text.substr(at, token_end(text, at) - at);
  if (is_word(token.front()) || token.front() == '"') return abbreviated(token);
  return fmt::format("'{}'", token);
}

struct Expectation {
  std::string_view context;  // as the parser calls it
  std::string_view expected;
};

constexpr std::array kExpectations = {
    Expectation{"while parsing object key - ", "expected a key in double quotes"},
    Expectation{"while parsing object separator - ", "expected ':'"},
    Expectation{"while parsing object - ", "expected ',' or '}'"},
    Expectation{"while parsing array - ", "expected ',' or ']'"},
    Expectation{"while parsing value - ", "expected a value"}};

std::string_view expected_by(std::string_view parser_message) {
  if (parser_message.ends_with("expected end of input")) return "expected the end of the file";
  for (const Expectation& expectation : kExpectations) {
    if (parser_message.find(expectation.context) != std::string_view::npos) {
      return expectation.expected;
    }
  }
  return "";
}

/// The lexer's own words, or "" if a token was fine but stood in the wrong place.
std::string_view lexer_reason(std::string_view parser_message) {
  const std::size_t end = parser_message.find("; last read: '");
  if (end == std::string_view::npos) return "";
  const std::size_t begin = parser_message.find(" - ") + 3;
  return parser_message.substr(begin, end - begin);
}

/// Where the token begins at which the parser stopped: behind a separator that was fine.
std::size_t faulty_token(std::string_view text, std::size_t accepted, std::size_t read) {
  std::size_t at = skip_space(text, accepted);
  while (at + 1 < read && at < text.size() && (text[at] == ',' || text[at] == ':')) {
    at = skip_space(text, at + 1);
  }
  return at;
}

}  // namespace

std::size_t skip_space(std::string_view text, std::size_t at) {
  const std::size_t found = text.find_first_not_of(" \t\r\n", at);
  return found == std::string_view::npos ? text.size() : found;
}

std::size_t token_end(std::string_view text, std::size_t at) {
  if (text[at] == '"') return string_end(text, at);
  const std::size_t end = number_end(text, at);
  return end > at ? end : word_end(text, at);
}

std::string without_numbers(std::string_view text) {
  std::string result(text);
  for (std::size_t at = 0; at < result.size();) {
    if (result[at] == '\0') result[at] = '\x01';
    const std::size_t end = token_end(text, at);
    if (number_end(text, at) > at) {
      result.replace(at, end - at, end - at, ' ');
      result[at] = '0';
    }
    at = end;
  }
  return result;
}

SyntaxFault explain_syntax_fault(std::string_view text, std::size_t accepted, std::size_t read,
                                 std::string_view parser_message) {
  SyntaxFault fault;
  fault.offset = faulty_token(text, accepted, read);
  fault.expected = expected_by(parser_message);
  fault.value_expected = fault.expected == "expected a value";
  const std::string_view reason = lexer_reason(parser_message);
  if (reason.empty()) {
    fault.what = fault.offset < text.size() ? "unexpected " + shown_token(text, fault.offset)
                                            : "unexpected end of the file";
  } else if (reason == "invalid literal") {
    fault.what = "invalid literal " + quoted_word(text, fault.offset);
  } else if (reason.starts_with("invalid number; ")) {
    fault.what = "invalid number " + quoted_word(text, fault.offset);
    fault.expected = reason.substr(reason.find("; ") + 2);
  } else {
    const bool points_at_byte = reason.starts_with("invalid string: ") && read <= text.size();
    if (points_at_byte) fault.offset = read - 1;
    fault.what = reason;
    fault.expected.clear();
  }
  return fault;
}

}  // namespace pipesim
