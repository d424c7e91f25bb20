#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/schedules/zero_bubble_table.hpp"

using namespace pipesim;

namespace {

Problem problem_for(int p, int m, const test::SplitTimes& times = {.f = 1, .i = 1, .w = 1}) {
  return test::problem_for("zb_v", p, m, times.costs());
}

std::vector<std::string> notes(int p, int m) {
  return plan(*find_schedule(builtin_schedules(), "zb_v"), problem_for(p, m), {}).notes;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of zb_v, p=4, m=7, as PyTorch's ScheduleZBVZeroBubble has them") {
    const Program program = test::program_of("zb_v", problem_for(4, 7));
    CHECK(test::order_of(program, 0) ==
          "0F0 0F1 0F2 0F3 0F4 0F5 0F6 7F0 7I0 7W0 7F1 7I1 7W1 7F2 7I2 7W2 7F3 7I3 7W3 0I0 0W0 "
          "7F4 7I4 7W4 0I1 0W1 7F5 7I5 7W5 0I2 0W2 7F6 7I6 7W6 0I3 0W3 0I4 0W4 0I5 0W5 0I6 0W6");
    CHECK(test::order_of(program, 3) ==
          "3F0 4F0 3F1 4F1 3F2 4F2 3F3 4F3 4I0 4W0 3F4 3I0 3W0 4F4 4I1 4W1 3F5 3I1 3W1 4F5 4I2 "
          "4W2 3F6 3I2 3W2 4F6 4I3 4W3 3I3 4I4 3I4 4I5 3I5 4I6 3I6 3W3 4W4 4W5 4W6 3W4 3W5 3W6");
  }

  TEST_CASE("zb_v below 2p-1 microbatches is the order of 2p-1 without those it does not have") {
    CHECK(test::orders_of(test::program_of("zb_v", problem_for(2, 2))) ==
          std::vector<std::string>{
              "0F0 0F1 3F0 3I0 3W0 3F1 3I1 3W1 0I0 0W0 0I1 0W1",
              "1F0 2F0 1F1 2F1 2I0 2W0 1I0 1W0 2I1 2W1 1I1 1W1",
          });
    CHECK(notes(2, 2) == std::vector<std::string>{"built for the minimum of 2p-1 = 3 microbatches, "
                                                  "of which those from 2 on are left out"});
    CHECK(notes(2, 3).empty());
  }

  TEST_CASE("zb_v, F=I=W: from m = 2p-1 on no device is idle but before its first forward") {
    for (int p = 1; p <= 8; ++p) {
      for (int m = 2 * p - 1; m <= 3 * p + 4; ++m) {
        const Metrics metrics = test::metrics_of("zb_v", problem_for(p, m, {5, 5, 5}));
        CHECK(test::longest_span(metrics) == 30 * m);
        CHECK(metrics.t_total.count == 30 * m + 5 * (p - 1));
      }
    }
  }

  TEST_CASE("zb_v, F=I=W, p=4, with fewer than 7 microbatches") {
    const std::vector<std::int64_t> spans = {12, 10, 8, 6, 4, 2, 0};
    const std::vector<std::int64_t> makespans = {12, 10, 8, 6, 4, 3, 3};
    for (int m = 1; m <= 7; ++m) {
      const Metrics metrics = test::metrics_of("zb_v", problem_for(4, m));
      CHECK(test::longest_span(metrics) - std::int64_t{6} * m ==
            spans[static_cast<std::size_t>(m - 1)]);
      CHECK(metrics.t_total.count - std::int64_t{6} * m ==
            makespans[static_cast<std::size_t>(m - 1)]);
    }
  }

  TEST_CASE("zb_v holds 2p activations of half a microbatch, as many as 1f1b's first device") {
    for (const auto& [p, m] : {std::pair{4, 8}, {8, 24}, {1, 5}, {3, 5}}) {
      const std::vector<std::int64_t> expected(static_cast<std::size_t>(p), std::int64_t{2} * p);
      CHECK(test::activations_of(test::metrics_of("zb_v", problem_for(p, m))) == expected);
      CHECK(test::peaks_of("zb_v", problem_for(p, m)) == expected);
    }
  }

  TEST_CASE("zb_v is written in as many lines for any m") {
    CHECK(test::lines(test::program_of("zb_v", problem_for(4, 100))) ==
          test::lines(test::program_of("zb_v", problem_for(4, 10'000))));
  }
}
