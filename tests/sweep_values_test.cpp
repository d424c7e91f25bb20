#include "sim/io/sweep_values.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/error.hpp"

using namespace pipesim;

namespace {

std::vector<std::string> all(const SweepValues& values) {
  std::vector<std::string> result;
  for (std::int64_t i = 0; i < values.size(); ++i) result.push_back(values[i]);
  return result;
}

std::vector<std::string> parsed(const std::string& text) { return all(SweepValues::parse(text)); }

std::string refused(const std::string& text) {
  try {
    SweepValues::parse(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("sweep values: lists of JSON and texts") {
    CHECK(parsed("4") == Texts{"4"});
    CHECK(parsed("4,8,16") == Texts{"4", "8", "16"});
    CHECK(parsed("gpipe,1f1b") == Texts{"gpipe", "1f1b"});
    CHECK(parsed("[1,2],[2,1]") == Texts{"[1, 2]", "[2, 1]"});
    CHECK(parsed("{\"name\":\n\"kfkb\",\"k\":2},\"a,b\",true") ==
          Texts{R"({"name": "kfkb", "k": 2})", R"("a,b")", "true"});
    CHECK(parsed(" 4, 8 ,\n2:3\r,gpipe ") == Texts{"4", "8", "2", "3", "gpipe"});
    CHECK(parsed("80GiB,2.5ms") == Texts{"80GiB", "2.5ms"});
    CHECK(parsed("Et|t:2") == Texts{"Et|t:2"});
    CHECK(all(SweepValues::list({"1", "gpipe"})) == Texts{"1", "gpipe"});
  }

  TEST_CASE("sweep values: ranges that add are exact and hold what a step hits") {
    CHECK(parsed("2:5") == Texts{"2", "3", "4", "5"});
    CHECK(parsed("1:4:0.5") == Texts{"1", "1.5", "2", "2.5", "3", "3.5", "4"});
    CHECK(parsed("0.1:0.35:0.1") == Texts{"0.1", "0.2", "0.3"});
    CHECK(parsed("4:1:-1.5") == Texts{"4", "2.5", "1"});
    CHECK(parsed("-1:1") == Texts{"-1", "0", "1"});
    CHECK(parsed("-0.05:0.05:0.05") == Texts{"-0.05", "0", "0.05"});
    CHECK(parsed("7:7") == Texts{"7"});
    CHECK(parsed("7:7:-3") == Texts{"7"});
    CHECK(parsed("1ms:2ms:0.5ms") == Texts{"1ms", "1.5ms", "2ms"});
    CHECK(parsed("1,4:8:2,gpipe") == Texts{"1", "4", "6", "8", "gpipe"});
    CHECK(parsed("1:2:1,5:7") == Texts{"1", "2", "5", "6", "7"});
  }

  TEST_CASE("sweep values: ranges that multiply") {
    CHECK(parsed("4:32:x2") == Texts{"4", "8", "16", "32"});
    CHECK(parsed("4:31:x2") == Texts{"4", "8", "16"});
    CHECK(parsed("1:4:x1.5") == Texts{"1", "1.5", "2.25", "3.375"});
    CHECK(parsed("8:1:x0.5") == Texts{"8", "4", "2", "1"});
    CHECK(parsed("1GiB:4GiB:x2") == Texts{"1GiB", "2GiB", "4GiB"});
    CHECK(parsed("3:3:x2") == Texts{"3"});
  }

  TEST_CASE("sweep values: a range takes no memory of its length") {
    const SweepValues values = SweepValues::parse("0:999999999999999999,5:6");
    CHECK(values.size() == 1'000'000'000'000'000'002);
    CHECK(values[0] == "0");
    CHECK(values[999'999'999'999'999'999] == "999999999999999999");
    CHECK(values[1'000'000'000'000'000'001] == "6");
  }

  TEST_CASE("sweep values: what is refused, and why") {
    CHECK(refused("") == "no values; values such as 4,8,16 or 4:256:x2");
    CHECK(refused("4,,8") == R"(an empty value in "4,,8"; values with one comma between)");
    CHECK(refused("4,") == R"(an empty value in "4,"; values with one comma between)");
    CHECK(refused("]4,8[") == "the brackets of \"]4,8[\" do not match; values with commas between");
    CHECK(refused("[4,8").find("do not match") != std::string::npos);
    CHECK(refused("4:2") ==
          "the range \"4:2\" is empty: its step leads away from 2; a step that leads from the "
          "first number to the last");
    CHECK(refused("2:4:-1").starts_with("the range \"2:4:-1\" is empty: its step leads away"));
    CHECK(refused("8:4:x2").starts_with("the range \"8:4:x2\" is empty: its factor leads away"));
    CHECK(refused("4:8:x0.5").starts_with("the range \"4:8:x0.5\" is empty"));
    CHECK(refused("4:8:0") == "the range \"4:8:0\" never ends: its step is 0; a step other than 0");
    for (const char* const factor : {"1", "1.0", "0", "0.0"}) {
      CAPTURE(factor);
      CHECK(refused(std::string("4:8:x") + factor).find("never ends: it multiplies 4 by ") !=
            std::string::npos);
    }
    CHECK(refused("0:8:x2").find("never ends: it multiplies 0 by 2") != std::string::npos);
    CHECK(refused("1:2:3:4") ==
          "\"1:2:3:4\" is no range; FIRST:LAST, FIRST:LAST:STEP or "
          "FIRST:LAST:xFACTOR, such as 4:256:x2");
    for (const char* const text : {"1:", "1::2", "4:a", "4:8:x", "4:8:x2ms", "4:8:xx2", "1.:2"}) {
      CAPTURE(text);
      CHECK(refused(text).find(" is no range; ") != std::string::npos);
    }
    CHECK(refused("1ms:2us") ==
          "the range \"1ms:2us\" has more than one unit; the same unit on "
          "every number, or none");
    CHECK(refused("1ms:2ms:0.5").find("more than one unit") != std::string::npos);
    CHECK(refused("1:1234567890123456789") ==
          "\"1234567890123456789\" has more than 18 digits; numbers of at most 18 digits");
    CHECK(refused("1:2:x1.00000000001") ==
          "the range \"1:2:x1.00000000001\" comes to a number of more than 18 digits; its numbers "
          "in a list");
    std::string ten_ranges = "0:999999999999999999";
    for (int i = 0; i < 9; ++i) ten_ranges += ",0:999999999999999999";
    CHECK(refused(ten_ranges) == "2^63 values or more; fewer values");
  }
}
