#include "sim/io/text_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/gzip.hpp"
#include "sim/io/machine_memory.hpp"
#include "sim/memory.hpp"

namespace pipesim {

namespace {

/// JSON, the largest of what is made of texts, took up to ten bytes for a byte.
constexpr std::int64_t kBytesPerByte = 12;
constexpr std::int64_t kMost = (std::int64_t{1} << 32) - 1;
/// A text that is smaller is read without a look at the memory that is free.
constexpr std::size_t kSmall = std::size_t{1} << 20;

FileText too_large(std::int64_t most) {
  if (most == kMost) return {.fault = "it has 4 GiB or more", .allowed = "less than 4 GiB"};
  return {.fault = fmt::format("it has more than {}", format_bytes(most)),
          .allowed = fmt::format("what can be read in the {} of memory that are free, at {} bytes "
                                 "for a byte",
                                 format_bytes(most * kBytesPerByte), kBytesPerByte)};
}

/// The most bytes that a text may have.
std::int64_t most_bytes() { return std::min(kMost, available_memory() / kBytesPerByte); }

}  // namespace

FileText read_rest(std::FILE* file) {
  if (file == nullptr) return {.fault = std::strerror(errno)};
  FileText result;
  auto most = static_cast<std::int64_t>(kSmall);
  const auto is_too_large = [&](std::size_t size) {
    if (size <= kSmall) return false;
    if (most == kSmall) most = most_bytes();
    return static_cast<std::int64_t>(size) > most;
  };
  std::array<char, 1 << 16> block{};
  while (const std::size_t got = std::fread(block.data(), 1, block.size(), file)) {
    result.text.append(block.data(), got);
    if (is_too_large(result.text.size())) return too_large(most);
  }
  if (std::ferror(file) != 0) return {.fault = std::strerror(errno)};
  if (!is_gzip(result.text)) return result;
  most = most_bytes();
  Gunzipped whole = gunzip(result.text, static_cast<std::size_t>(most));
  if (!whole.fault.empty()) {
    return {.fault = std::string(whole.fault), .allowed = "the whole file"};
  }
  if (is_too_large(whole.bytes.size())) return too_large(most);
  result.text = std::move(whole.bytes);
  return result;
}

std::string read_text_file(const std::string& file, std::string pointer) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(std::fopen(file.c_str(), "rb"),
                                                               std::fclose);
  FileText read = read_rest(opened.get());
  if (!read.fault.empty()) {
    throw Error(Fault{.pointer = std::move(pointer),
                      .what = fmt::format("cannot read {}: {}", file, read.fault),
                      .allowed = read.allowed.empty() ? "a readable file" : read.allowed});
  }
  return std::move(read.text);
}

}  // namespace pipesim
