#include "sim/io/text_file.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/gzip.hpp"

namespace pipesim {

std::string read_text_file(const std::string& file, std::string pointer) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  std::array<char, 1 << 16> block{};
  while (stream) {
    stream.read(block.data(), block.size());
    text.append(block.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (!stream.eof() || stream.bad()) {
    throw Error(Fault{.pointer = std::move(pointer),
                      .what = fmt::format("cannot read {}", file),
                      .allowed = "a readable file"});
  }
  if (!is_gzip(text)) return text;
  Gunzipped whole = gunzip(text);
  if (!whole.fault.empty()) {
    throw Error(Fault{.pointer = std::move(pointer),
                      .what = fmt::format("cannot read {}: {}", file, whole.fault),
                      .allowed = "the whole file"});
  }
  return std::move(whole.bytes);
}

}  // namespace pipesim
