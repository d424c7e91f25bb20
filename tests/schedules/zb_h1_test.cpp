#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/schedules/zero_bubble_table.hpp"

using namespace pipesim;

namespace {

const Parameters kLight = {{"variant", std::string("light")}};

Problem problem_for(int p, int m, const test::SplitTimes& times) {
  return test::problem_for("zb_h1", p, m, times.costs());
}

std::vector<std::string> orders(int p, int m, const Parameters& parameters) {
  return test::orders_of(
      test::program_of("zb_h1", problem_for(p, m, {.f = 1, .i = 1, .w = 1}), parameters));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of zb_h1, p=4, m=5 (2401.10241, figure 2)") {
    CHECK(orders(4, 5, {}) == std::vector<std::string>{
                                  "0F0 0F1 0F2 0F3 0I0 0W0 0F4 0I1 0W1 0I2 0W2 0I3 0W3 0I4 0W4",
                                  "1F0 1F1 1F2 1I0 1F3 1I1 1W0 1F4 1I2 1W1 1I3 1W2 1I4 1W3 1W4",
                                  "2F0 2F1 2I0 2F2 2I1 2F3 2I2 2W0 2F4 2I3 2W1 2I4 2W2 2W3 2W4",
                                  "3F0 3I0 3F1 3I1 3F2 3I2 3F3 3I3 3W0 3F4 3I4 3W1 3W2 3W3 3W4",
                              });
    CHECK(orders(2, 1, {}) == std::vector<std::string>{"0F0 0I0 0W0", "1F0 1I0 1W0"});
  }

  TEST_CASE("the orders of zb_h1 light, p=3, m=6, as the authors' plug-in has them") {
    CHECK(orders(3, 6, kLight) == std::vector<std::string>{
                                      "0F0 0F1 0F2 0B0 0F3 0B1 0F4 0B2 0F5 0B3 0B4 0B5",
                                      "1F0 1F1 1I0 1F2 1B1 1F3 1B2 1F4 1B3 1F5 1I4 1W4 1I5 1W5 1W0",
                                      "2F0 2I0 2F1 2I1 2F2 2B2 2F3 2B3 2F4 2B4 2F5 2I5 2W5 2W1 2W0",
                                  });
    CHECK(orders(3, 2, kLight) == std::vector<std::string>{"0F0 0F1 0B0 0B1",
                                                           "1F0 1F1 1I0 1I1 1W1 1W0",
                                                           "2F0 2I0 2F1 2I1 2W1 2W0"});
  }

  TEST_CASE(
      "zb_h1: m(F+I+W) + (p-1)(F+I-W) from m = p on, (m+p-1)(F+I) + W up to it; where W is "
      "not the least of the three, only as much of it fills bubbles") {
    for (const test::SplitTimes& times : test::split_times()) {
      for (int p = 1; p <= 6; ++p) {
        for (int m = 1; m <= 2 * p + 3; ++m) {
          CAPTURE(p);
          CAPTURE(m);
          const std::int64_t bubbles = (p - 1) * (times.f + times.i);
          const std::int64_t filled = std::min(p - 1, m - 1) * times.least();
          for (const Parameters& variant : {Parameters{}, kLight}) {
            const Metrics metrics = test::metrics_of("zb_h1", problem_for(p, m, times), variant);
            CHECK(metrics.t_total == Ticks{m * times.sum() + bubbles - filled});
          }
        }
      }
    }
  }

  TEST_CASE("zb_h1 holds min(p, m) activations on every device") {
    for (const Parameters& variant : {Parameters{}, kLight}) {
      for (const auto& [p, m] : {std::pair{4, 8}, {4, 3}, {8, 24}, {1, 5}}) {
        const Problem problem = problem_for(p, m, {.f = 1, .i = 1, .w = 1});
        const std::vector<std::int64_t> expected(static_cast<std::size_t>(p), std::min(p, m));
        CHECK(test::activations_of(test::metrics_of("zb_h1", problem, variant)) == expected);
        CHECK(test::peaks_of("zb_h1", problem, variant) == expected);
      }
    }
  }

  TEST_CASE("zb_h1 with latency: 334 as in the paper's order, 342 light (p=4, m=8, 12/13/7, 2)") {
    Problem problem = problem_for(4, 8, {.f = 12, .i = 13, .w = 7});
    problem.communication.intra.latency = Ticks{2};
    CHECK(test::metrics_of("zb_h1", problem).t_total == Ticks{334});
    CHECK(test::metrics_of("zb_h1", problem, kLight).t_total == Ticks{342});
  }

  TEST_CASE("zb_h1 and 1f1b: the bubble rates of 2401.10241, table 5") {
    for (const test::PublishedRun& run : test::published_runs()) {
      CAPTURE(run.m);
      CHECK(test::published_rate("zb_h1", run) == run.rate_zb_h1);
      CHECK(test::published_rate("1f1b", run) == run.rate_1f1b);
    }
  }

  TEST_CASE("zb_h1 is written in as many lines for any m") {
    for (const Parameters& variant : {Parameters{}, kLight}) {
      const auto lines = [&](int m) {
        return test::lines(
            test::program_of("zb_h1", problem_for(4, m, {.f = 1, .i = 1, .w = 1}), variant));
      };
      CHECK(lines(100) == lines(10'000));
    }
  }
}
