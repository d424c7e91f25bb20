#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

Problem dualpipe_v(int p, int m, const StageCosts& costs = test::split_costs(1, 1, 1, 3)) {
  return test::problem_for("dualpipe_v", p, m, costs);
}

std::int64_t makespan(int p, int m, const StageCosts& costs) {
  return test::metrics_of("dualpipe_v", dualpipe_v(p, m, costs)).t_total.count;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of dualpipe_v, p=4, m=10, as PyTorch's dualpipev_4rank_10mb.csv has them") {
    CHECK(test::orders_of(test::program_of("dualpipe_v", dualpipe_v(4, 10))) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 0F3 0F4 0F5 0F6 7F0 7I0 7W0 7F1 7I1 7W1 7F2 7I2 7W2 7F3 (0F7;7B3) "
              "(7F4;0B0) (0F8;7B4) (7F5;0B1) (0F9;7B5) (7F6;0B2) 7B6 (7F7;0B3) 7B7 (7F8;0B4) 7B8 "
              "(7F9;0B5) 7B9 0I6 0W6 0I7 0W7 0I8 0W8 0I9 0W9",
              "1F0 1F1 1F2 1F3 1F4 6F0 1F5 6F1 6I0 6W0 6F2 6I1 6W1 6F3 (1F6;6B2) (6F4;1B0) "
              "(1F7;6B3) (6F5;1B1) (1F8;6B4) (6F6;1B2) (1F9;6B5) (6F7;1B3) 6B6 (6F8;1B4) 6B7 "
              "(6F9;1B5) 6B8 1B6 6I9 1I7 6W9 1I8 1W7 1I9 1W8 1W9",
              "2F0 2F1 2F2 5F0 2F3 5F1 2F4 5F2 5I0 5W0 5F3 (2F5;5B1) (5F4;2B0) (2F6;5B2) (5F5;2B1) "
              "(2F7;5B3) (5F6;2B2) (2F8;5B4) (5F7;2B3) (2F9;5B5) (5F8;2B4) 5B6 (5F9;2B5) 5B7 2B6 "
              "5B8 2I7 5I9 2I8 2W7 2I9 5W9 2W8 2W9",
              "3F0 4F0 3F1 4F1 3F2 4F2 3F3 4F3 3F4 4B0 (4F4;3B0) (3F5;4B1) (4F5;3B1) (3F6;4B2) "
              "(4F6;3B2) (3F7;4B3) (4F7;3B3) (3F8;4B4) (4F8;3B4) (3F9;4B5) (4F9;3B5) 4B6 3B6 4B7 "
              "3B7 4I8 3I8 4I9 3I9 4W8 3W8 4W9 3W9",
          });
  }

  TEST_CASE("dualpipe_v with m < 2p: the order for 2p without the others; of a pair one op stays") {
    CHECK(test::orders_of(test::program_of("dualpipe_v", dualpipe_v(2, 1))) ==
          std::vector<std::string>{"0F0 3F0 3I0 3W0 0B0", "1F0 2F0 2B0 1B0"});
    CHECK(test::orders_of(test::program_of("dualpipe_v", dualpipe_v(2, 3))) ==
          std::vector<std::string>{"0F0 0F1 0F2 3F0 3I0 3W0 3F1 3B1 (3F2;0B0) 3B2 0B1 0I2 0W2",
                                   "1F0 2F0 1F1 2F1 1F2 2B0 (2F2;1B0) 2B1 1B1 2B2 1B2"});
  }

  TEST_CASE("dualpipe_v says for how many microbatches it was built") {
    const Schedule& schedule = *find_schedule(builtin_schedules(), "dualpipe_v");
    CHECK(plan(schedule, dualpipe_v(4, 3), {}).notes ==
          std::vector<std::string>{
              "built for the minimum of 2p = 8 microbatches, of which those from 3 on are left "
              "out"});
    CHECK(plan(schedule, dualpipe_v(4, 8), {}).notes.empty());
  }

  TEST_CASE("dualpipe_v runs for any p and m within min(2p + 1, 2m) activations a device") {
    for (int p = 1; p <= 8; ++p) {
      for (int m = 1; m <= 4 * p + 1; ++m) {
        for (const StageCosts& costs :
             {test::split_costs(1, 1, 1, 3), test::split_costs(3, 9, 5, 4)}) {
          INFO("p=", p, " m=", m);
          const Problem problem = dualpipe_v(p, m, costs);
          const auto held = test::activations_of(test::metrics_of("dualpipe_v", problem));
          const auto bounds = test::peaks_of("dualpipe_v", problem);
          for (std::size_t i = 0; i < held.size(); ++i) {
            CHECK(bounds[i] == std::min(2 * p + 1, 2 * m));
            CHECK(held[i] <= bounds[i]);
            if (m >= 2 * p) CHECK(held[i] == bounds[i]);
          }
        }
      }
    }
  }

  TEST_CASE("dualpipe_v's largest idle time: t_w <= t_f = t_b - t_w, 2 t_f <= t_fb") {
    for (const StageCosts& costs :
         {test::split_costs(1, 1, 1, 3), test::split_costs(1, 1, 1, 2),
          test::split_costs(7, 7, 3, 17), test::split_costs(7, 7, 3, 14),
          test::split_costs(5, 5, 0, 10), test::split_costs(5, 5, 5, 13)}) {
      for (int p = 1; p <= 6; ++p) {
        for (const int m : {2 * p, 2 * p + 1, 5 * p}) {
          const std::int64_t expected =
              (p - 1) * (costs.fused->count + costs.backward.count - 3 * costs.weight->count);
          INFO("p=", p, " m=", m, " t_w=", costs.weight->count, " t_fb=", costs.fused->count);
          CHECK(test::largest_idle(test::metrics_of("dualpipe_v", dualpipe_v(p, m, costs))) ==
                Ticks{expected});
        }
      }
    }
  }

  TEST_CASE("dualpipe_v, chunk t_f = input = weight = 1: T_total with t_fb = 3 and 2") {
    CHECK(makespan(4, 10, test::split_costs(1, 1, 1, 3)) == 66);
    CHECK(makespan(4, 10, test::split_costs(1, 1, 1, 2)) == 52);
    CHECK(makespan(4, 20, test::split_costs(1, 1, 1, 3)) == 126);
    CHECK(makespan(4, 20, test::split_costs(1, 1, 1, 2)) == 92);
    CHECK(makespan(3, 7, test::split_costs(10, 12, 9, 27)) == 444);
    CHECK(makespan(8, 32, test::split_costs(10, 12, 9, 27)) == 1933);
  }

  TEST_CASE("dualpipe_v needs the time of a weight gradient") {
    CHECK_THROWS_WITH(
        test::program_of("dualpipe_v", dualpipe_v(2, 4, stage_costs(Ticks{1}, Ticks{2}))),
        "/t_w: missing: 3I0 splits the backward; required: a time of at most t_b");
  }

  TEST_CASE("dualpipe_v's program is as long for any m from 2p on") {
    const std::int64_t lines = test::lines(test::program_of("dualpipe_v", dualpipe_v(8, 100)));
    CHECK(lines == test::lines(test::program_of("dualpipe_v", dualpipe_v(8, 10000))));
    const Schedule& schedule = *find_schedule(builtin_schedules(), "dualpipe_v");
    CHECK(lines == test::lines(schedule.build(dualpipe_v(8, 2147483647), {})));
    CHECK(lines < 8 * 40);
  }
}
