#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/schedules/zero_bubble_table.hpp"

using namespace pipesim;

namespace {

Problem problem_for(int p, int m, int v, const test::SplitTimes& times = {.f = 1, .i = 1, .w = 1}) {
  return test::problem_for("interleaved_zero_bubble", p, m, times.costs(), {{"v", v}});
}

Program program_of(const Problem& problem) {
  return test::program_of("interleaved_zero_bubble", problem,
                          {{"v", problem.stages() / problem.devices}});
}

Metrics metrics_of(const Problem& problem) {
  return test::metrics_of("interleaved_zero_bubble", problem,
                          {{"v", problem.stages() / problem.devices}});
}

int rounds(int p, int m) { return std::max(1, m / p); }

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of interleaved_zero_bubble, p=2, m=4, v=2, as PyTorch has them") {
    CHECK(test::orders_of(program_of(problem_for(2, 4, 2))) ==
          std::vector<std::string>{
              "0F0 0F1 2F0 2F1 2I0 2W0 0F2 2I1 2W1 0F3 0I0 0W0 2F2 0I1 0W1 2F3 2I2 2W2 2I3 2W3 "
              "0I2 0W2 0I3 0W3",
              "1F0 1F1 3F0 3I0 3F1 3I1 3W0 1F2 1I0 3W1 1F3 1I1 1W0 3F2 3I2 1W1 3F3 3I3 3W2 1I2 "
              "3W3 1I3 1W2 1W3",
          });
  }

  TEST_CASE("interleaved_zero_bubble with v=1 is zb_h1 where m has whole groups") {
    const Problem problem = problem_for(4, 8, 1);
    CHECK(test::orders_of(program_of(problem)) ==
          test::orders_of(test::program_of("zb_h1", problem)));
  }

  TEST_CASE(
      "interleaved_zero_bubble from m = p on, W the least: m(F+I+W) + (p-1)(F+I-W)/v; at most "
      "(v-1)N + p activations") {
    for (const test::SplitTimes& times : test::split_times()) {
      for (int p = 1; p <= 5; ++p) {
        for (int v = 1; v <= 3; ++v) {
          for (int m = p; m <= 3 * p + 3; ++m) {
            if (m % rounds(p, m) != 0) continue;
            CAPTURE(p);
            CAPTURE(v);
            CAPTURE(m);
            const Problem problem = problem_for(p, m, v, times);
            const Metrics metrics = metrics_of(problem);
            CHECK(metrics.t_total == Ticks{std::int64_t{m} * v * times.sum() +
                                           (p - 1) * (times.f + times.i - times.least())});
            const int most = std::min((v - 1) * m / rounds(p, m) + p, m * v);
            const std::vector<std::int64_t> expected(static_cast<std::size_t>(p), most);
            CHECK(test::peaks_of("interleaved_zero_bubble", problem, {{"v", v}}) == expected);
          }
        }
      }
    }
  }

  TEST_CASE("interleaved_zero_bubble, p=4, m=8, v=2, F=I=W: 51, 8 activations everywhere") {
    const Metrics metrics = metrics_of(problem_for(4, 8, 2));
    CHECK(metrics.t_total == Ticks{51});
    CHECK(test::activations_of(metrics) == std::vector<std::int64_t>{8, 8, 8, 8});
  }

  TEST_CASE("interleaved_zero_bubble below m = p is one group") {
    CHECK(test::order_of(program_of(problem_for(3, 2, 2)), 2) ==
          "2F0 2F1 5F0 5I0 5F1 5I1 2I0 5W0 2I1 5W1 2W0 2W1");
    for (int p = 2; p <= 6; ++p) {
      for (int m = 1; m < p; ++m) {
        for (int v = 1; v <= 3; ++v) {
          const Metrics metrics = metrics_of(problem_for(p, m, v));
          CHECK(metrics.t_total >= Ticks{std::int64_t{3} * m * v});
          CHECK(metrics.peak_activations() <= m * v);
        }
      }
    }
  }

  TEST_CASE("interleaved_zero_bubble refuses groups of unequal size and names the next m") {
    CHECK_THROWS_WITH(
        program_of(problem_for(4, 11, 2)),
        "/m: m % (m div p) = 11 % 2 = 1; groups of equal size, such as with m = 10 or m = 12");
    CHECK_THROWS_WITH(
        program_of(problem_for(3, 17, 2)),
        "/m: m % (m div p) = 17 % 5 = 2; groups of equal size, such as with m = 15 or m = 18");
    for (int p = 1; p <= 6; ++p) {
      for (int m = p; m <= 40; ++m) {
        const int rest = m % rounds(p, m);
        if (rest == 0) continue;
        const int more = std::min(m + rounds(p, m) - rest, (rounds(p, m) + 1) * p);
        CHECK_NOTHROW(program_of(problem_for(p, m - rest, 2)));
        CHECK_NOTHROW(program_of(problem_for(p, more, 2)));
      }
    }
  }

  TEST_CASE("interleaved_zero_bubble is written in as many lines for any m of the same groups") {
    CHECK(test::lines(program_of(problem_for(4, 100, 3))) ==
          test::lines(program_of(problem_for(4, 10'000, 3))));
  }
}
