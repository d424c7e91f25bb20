#include "sim/io/sweep_condition.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "sim/error.hpp"

using namespace pipesim;

namespace {

const std::map<std::string, std::string> kValues = {{"m", "8"},
                                                    {"p", "4"},
                                                    {"t_b", "0.3"},
                                                    {"schedule", "1f1b"},
                                                    {"memory.limit", "80GiB"},
                                                    {"schedule.v", "2"},
                                                    {"zero", "0"},
                                                    {"big", "1e20"}};

bool holds(const std::string& text) {
  const SweepCondition condition(text);
  std::vector<ConditionValue> values;
  for (const std::string& path : condition.paths())
    values.push_back(condition_value(kValues.at(path)));
  return condition.holds(values);
}

std::string refused(const std::string& text) {
  try {
    return holds(text) ? "true" : "false";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("conditions: comparisons, arithmetic, precedence") {
    for (const char* const text : {"m >= p",
                                   "m>=p",
                                   "m == 8",
                                   "p != 8",
                                   "p < m && p <= 4",
                                   "m > p || zero == 1",
                                   "zero == 1 || m > p && p == 4",
                                   "!(m < p)",
                                   "! (m < p)",
                                   "m % p == 0",
                                   "m + p * 2 == 16",
                                   "(m + p) * 2 == 24",
                                   "m - p - 2 == 2",
                                   "m / p / 2 == 1",
                                   "-m + p == -4",
                                   "m - -p == 12",
                                   "t_b * 10 == 3",
                                   "t_b + t_b + t_b == 0.9",
                                   "1 / 3 * 3 == 1",
                                   "m / 3 != 2",
                                   "schedule == \"1f1b\"",
                                   "schedule != \"gpipe\"",
                                   "memory.limit == \"80GiB\"",
                                   "schedule.v == 2.0",
                                   "-7 % 4 == -3",
                                   "m == 8.00",
                                   "big > 5",
                                   "schedule != 1",
                                   "m >= 0.5e1"}) {
      CAPTURE(text);
      CHECK(holds(text));
      CHECK_FALSE(holds("!(" + std::string(text) + ")"));
    }
  }

  TEST_CASE("conditions: && and || look no further than they must") {
    CHECK_FALSE(holds("zero != 0 && m % zero == 0"));
    CHECK(holds("zero == 0 || m % zero == 0"));
  }

  TEST_CASE("conditions: each path once, in the order of the text") {
    CHECK(SweepCondition("m >= p && m % p == 0 && schedule.v > 1").paths() ==
          std::vector<std::string>{"m", "p", "schedule.v"});
  }

  TEST_CASE("conditions: what is refused, and why") {
    const std::string such_as = "; such as m >= p && m % p == 0, or schedule != \"gpipe\"";
    CHECK(refused("") == "the condition \"\" ends where a value should stand" + such_as);
    CHECK(refused("m >= ") == "the condition \"m >= \" ends where a value should stand" + such_as);
    CHECK(refused("m = 8") ==
          "the condition \"m = 8\" is not understood from \"= 8\" on" + such_as);
    CHECK(refused("(m > 1") ==
          "the condition \"(m > 1\" ends where a value should stand" + such_as);
    for (const char* const text :
         {"m > 1)", "m & p", "1x > 2", "\"a", "m < p < 8", "m >=> p", "$m"}) {
      CAPTURE(text);
      CHECK(refused(text).find(" is not understood from ") != std::string::npos);
    }
    CHECK(refused("m") ==
          "the condition \"m\" takes a value for a truth; comparisons, joined by && "
          "and ||");
    CHECK(refused("m && p").find("takes a value for a truth") != std::string::npos);
    CHECK(refused("schedule > 1") ==
          "the condition \"schedule > 1\" takes \"1f1b\" for a number; numbers; texts are compared "
          "with == and != only");
    CHECK(refused("(m > 1) + 1 == 2").find("takes a truth for a number") != std::string::npos);
    CHECK(refused("m % zero == 0") ==
          "the condition \"m % zero == 0\" divides by 0; a divisor other than 0");
    CHECK(refused("m / zero == 0").find("divides by 0") != std::string::npos);
    CHECK(refused("m % 0.5 == 0") ==
          "the condition \"m % 0.5 == 0\" takes a fraction for a whole "
          "number; whole numbers on both sides of %");
    CHECK(refused("big * big > 1") ==
          "the condition \"big * big > 1\" calculates with too large a "
          "number; numbers below 2^60");
    std::string long_sum = "m";
    for (int i = 0; i < 1000; ++i) long_sum += "+m";
    CHECK(
        refused(long_sum + " > 1")
            .find(
                "has more than 1000 values and operators; several conditions, or a shorter one") !=
        std::string::npos);
    CHECK(refused(long_sum).size() < 300);
    CHECK(refused(std::string(100, '(') + "m" + std::string(100, ')'))
              .find("is nested more than 64 levels deep; fewer parentheses") != std::string::npos);
  }
}
