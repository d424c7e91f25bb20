#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/schedules/zero_bubble_table.hpp"

using namespace pipesim;

namespace {

Problem problem_for(int p, int m, const test::SplitTimes& times = {.f = 1, .i = 1, .w = 1}) {
  return test::problem_for("zb_h2", p, m, times.costs());
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of zb_h2, p=4, m=7 (2401.10241, figure 2)") {
    CHECK(test::orders_of(test::program_of("zb_h2", problem_for(4, 7))) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 0F3 0F4 0F5 0F6 0I0 0W0 0I1 0W1 0I2 0W2 0I3 0W3 0I4 0W4 0I5 0W5 0I6 0W6",
              "1F0 1F1 1F2 1F3 1F4 1I0 1F5 1I1 1F6 1I2 1W0 1I3 1W1 1I4 1W2 1I5 1W3 1I6 1W4 1W5 1W6",
              "2F0 2F1 2F2 2I0 2F3 2I1 2F4 2I2 2F5 2I3 2F6 2I4 2W0 2I5 2W1 2I6 2W2 2W3 2W4 2W5 2W6",
              "3F0 3I0 3F1 3I1 3F2 3I2 3F3 3I3 3F4 3I4 3F5 3I5 3F6 3I6 3W0 3W1 3W2 3W3 3W4 3W5 3W6",
          });
  }

  TEST_CASE(
      "zb_h2 from m = 2p-1 on: the span exceeds the work by (p-1)(F+I-2W), if that is not "
      "negative, and T_total by that or (p-1)F; where W is above F, only F of it fills") {
    for (const test::SplitTimes& times : test::split_times()) {
      for (int p = 1; p <= 6; ++p) {
        for (int m = 2 * p - 1; m <= 3 * p + 4; ++m) {
          CAPTURE(p);
          CAPTURE(m);
          const auto [f, i, w] = times;
          const Metrics metrics = test::metrics_of("zb_h2", problem_for(p, m, times));
          const std::int64_t late = (p - 1) * (f + i - 2 * std::min(f, w));
          CHECK(test::longest_span(metrics) - m * times.sum() == std::max<std::int64_t>(0, late));
          CHECK(metrics.t_total.count - m * times.sum() == std::max((p - 1) * f, late));
        }
      }
    }
  }

  TEST_CASE("zb_h2 with fewer than 2p-1 = 7 microbatches has bubbles (p=4, F=I=W)") {
    const std::vector<std::int64_t> spans = {6, 5, 4, 3, 2, 1, 0};
    const std::vector<std::int64_t> makespans = {6, 5, 5, 4, 4, 3, 3};
    for (int m = 1; m <= 7; ++m) {
      const Metrics metrics = test::metrics_of("zb_h2", problem_for(4, m));
      CHECK(test::longest_span(metrics) - std::int64_t{3} * m ==
            spans[static_cast<std::size_t>(m - 1)]);
      CHECK(metrics.t_total.count - std::int64_t{3} * m ==
            makespans[static_cast<std::size_t>(m - 1)]);
    }
  }

  TEST_CASE("zb_h2 holds min(2p-1, m) activations on every device") {
    for (const auto& [p, m] : {std::pair{4, 8}, {4, 5}, {8, 24}, {1, 5}}) {
      const std::vector<std::int64_t> expected(static_cast<std::size_t>(p), std::min(2 * p - 1, m));
      CHECK(test::activations_of(test::metrics_of("zb_h2", problem_for(p, m))) == expected);
      CHECK(test::peaks_of("zb_h2", problem_for(p, m)) == expected);
    }
  }

  TEST_CASE("zb_h2: the bubble rates of 2401.10241, table 5") {
    for (const test::PublishedRun& run : test::published_runs()) {
      CAPTURE(run.m);
      CHECK(test::published_rate("zb_h2", run) == run.rate_zb_h2);
    }
  }

  TEST_CASE("zb_h2 is written in as many lines for any m") {
    CHECK(test::lines(test::program_of("zb_h2", problem_for(4, 100))) ==
          test::lines(test::program_of("zb_h2", problem_for(4, 10'000))));
  }
}
