#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

Problem problem_for(int p, int m, std::int64_t forward = 1, std::int64_t backward = 2) {
  return test::problem_for("gems", p, m, stage_costs(Ticks{forward}, Ticks{backward}));
}

std::vector<std::string> orders(int p, int m) {
  return test::orders_of(test::program_of("gems", problem_for(p, m)));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of gems: the flows take turns, flow 1's microbatches are the last half") {
    CHECK(orders(4, 2) == std::vector<std::string>{"0F0 0B0 3F1 3B1", "1F0 1B0 2F1 2B1",
                                                   "2F0 2B0 1F1 1B1", "3F0 3B0 0F1 0B1"});
    CHECK(orders(2, 5) == std::vector<std::string>{"0F0 0B0 1F3 1B3 0F1 0B1 1F4 1B4 0F2 0B2",
                                                   "1F0 1B0 0F3 0B3 1F1 1B1 0F4 0B4 1F2 1B2"});
    CHECK(orders(2, 1) == std::vector<std::string>{"0F0 0B0", "1F0 1B0"});
  }

  TEST_CASE("gems: p(F+B) + (m-1) max(pB + F, pF + B)") {
    for (const auto& [f, b] : {std::pair{1, 2}, {3, 1}, {5, 5}, {7, 18}}) {
      for (int p = 2; p <= 7; ++p) {
        for (int m = 1; m <= 11; ++m) {
          const int expected = p * (f + b) + (m - 1) * std::max(p * b + f, p * f + b);
          CHECK(test::metrics_of("gems", problem_for(p, m, f, b)).t_total == Ticks{expected});
        }
      }
    }
  }

  TEST_CASE("gems, F=1, B=2: 75, 147, 279 and 551") {
    const auto t_total = [](int p, int m) {
      return test::metrics_of("gems", problem_for(p, m)).t_total.count;
    };
    CHECK(t_total(4, 6) == 57);
    CHECK(t_total(4, 8) == 75);
    CHECK(t_total(4, 16) == 147);
    CHECK(t_total(8, 16) == 279);
    CHECK(t_total(8, 32) == 551);
  }

  TEST_CASE(
      "gems: a microbatch more costs 1/(1 - bubble) of its work, bubble (p-1)/(p+1/2) at "
      "B = 2F (2107.06925, table 2)") {
    for (int p = 2; p <= 8; ++p) {
      const std::int64_t slope = test::metrics_of("gems", problem_for(p, 9)).t_total.count -
                                 test::metrics_of("gems", problem_for(p, 8)).t_total.count;
      CHECK(3 * (2 * p + 1) == slope * (2 * p + 1 - 2 * (p - 1)));
    }
  }

  TEST_CASE("gems holds one activation") {
    for (int p = 1; p <= 5; ++p) {
      for (int m = 1; m <= 9; ++m) {
        const std::vector<std::int64_t> expected(static_cast<std::size_t>(p), 1);
        CHECK(test::activations_of(test::metrics_of("gems", problem_for(p, m))) == expected);
        CHECK(test::peaks_of("gems", problem_for(p, m)) == expected);
      }
    }
  }

  TEST_CASE("gems is written in as many lines for any m") {
    CHECK(test::lines(test::program_of("gems", problem_for(4, 100))) ==
          test::lines(test::program_of("gems", problem_for(4, 10'000))));
  }
}
