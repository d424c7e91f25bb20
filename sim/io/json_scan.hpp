// The tokens of a JSON text, beside a parser that does not tell where they stand.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pipesim {

/// The first byte at or after `at` that is no white space.
std::size_t skip_space(std::string_view text, std::size_t at);

/// The end of the token that begins at `at`: a string to its closing quote, a number, a word, or
/// one byte. Requires at < text.size().
std::size_t token_end(std::string_view text, std::size_t at);

/// The text with every number replaced by 0 and spaces, byte for byte as long: a parser that
/// converts numbers cannot lose or refuse one. A zero byte outside of a string becomes another
/// control character, because parsers take it for the end of the text.
std::string without_numbers(std::string_view text);

/// What is wrong at the place where a parser stopped.
struct SyntaxFault {
  std::size_t offset = 0;
  std::string what;
  std::string expected;
  bool value_expected = false;  ///< it stopped where a value should begin
};

/// Explains nlohmann's message. `accepted` is the end of the last token that was fine, `read` the
/// number of bytes the parser had read when it stopped.
SyntaxFault explain_syntax_fault(std::string_view text, std::size_t accepted, std::size_t read,
                                 std::string_view parser_message);

}  // namespace pipesim
