#include "sim/io/gzip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace pipesim;

namespace {

/// Compressed in pieces of that size.
std::string compressed(std::string_view text, std::size_t piece = std::string_view::npos) {
  std::string result;
  GzipCompressor gzip([&](std::string_view bytes) { result += bytes; });
  while (!text.empty()) {
    gzip.write(text.substr(0, piece));
    text.remove_prefix(std::min(piece, text.size()));
  }
  gzip.finish();
  gzip.finish();
  return result;
}

/// Text that is worth compressing, and text that is not.
std::vector<std::string> texts() {
  std::mt19937 random(7);
  std::string noise(200'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  std::string numbers;
  for (int i = 0; i < 50'000; ++i) numbers += std::to_string(i) + ",";
  return {"", "a", std::string(3 << 20, 'x'), noise, numbers};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("gzip gives back what was compressed, and the same bytes whatever the pieces") {
    for (const std::string& text : texts()) {
      const std::string whole = compressed(text);
      CHECK(is_gzip(whole));
      CHECK(gunzip(whole).fault == "");
      CHECK(gunzip(whole).bytes == text);
      CHECK(compressed(text) == whole);
      CHECK(compressed(text, 999) == whole);
    }
  }

  TEST_CASE("gzip's header has no flags, no time and no operating system") {
    using namespace std::string_literals;
    CHECK(compressed("text").substr(0, 10) == "\x1f\x8b\x08\0\0\0\0\0\x04\xff"s);
  }

  TEST_CASE("gzip data of several members are their texts one after another") {
    const Gunzipped both = gunzip(compressed("one, ") + compressed("") + compressed("two"));
    CHECK(both.fault == "");
    CHECK(both.bytes == "one, two");
  }

  TEST_CASE("gzip data that are cut short anywhere are said to be") {
    const std::string whole = compressed("some text, some text, other text");
    for (std::size_t length = 2; length < whole.size(); ++length) {
      CAPTURE(length);
      const Gunzipped read = gunzip(std::string_view(whole).substr(0, length));
      CHECK(read.fault == "gzip data end too early");
      CHECK(read.bytes == "");
    }
    CHECK(gunzip(whole + whole.substr(0, 12)).fault == "gzip data end too early");
  }

  TEST_CASE("a changed bit of gzip data is found, but for time, flags of speed and system") {
    const std::string text = "some text, some text, other text";
    const std::string whole = compressed(text);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      CAPTURE(i);
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 1);
      const Gunzipped read = gunzip(damaged);
      if (read.fault.empty()) {
        CHECK(i >= 3);
        CHECK(i < 10);
        CHECK(read.bytes == text);
      }
    }
    CHECK(gunzip(whole + "more").fault == "gzip data are damaged");
  }

  TEST_CASE("text is no gzip") {
    CHECK(!is_gzip(""));
    CHECK(!is_gzip("\x1f"));
    CHECK(!is_gzip("{\"p\": 4}"));
  }
}
