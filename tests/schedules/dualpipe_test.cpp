#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

Problem dualpipe(int p, int m, const StageCosts& costs = test::split_costs(1, 1, 1, 3)) {
  return test::problem_for("dualpipe", p, m, costs);
}

std::int64_t makespan(int p, int m, const StageCosts& costs) {
  return test::metrics_of("dualpipe", dualpipe(p, m, costs)).t_total.count;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of dualpipe, p=4, m=8, as DeepSeek's dualpipe.py runs them") {
    CHECK(test::orders_of(test::program_of("dualpipe", dualpipe(4, 8))) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 3F4 3I4 3W4 3F5 (0F3;3B5) (3F6;0B0) 3B6 (3F7;0B1) 3B7 0I2 0W2 0I3 0W3",
              "1F0 2F4 1F1 2F5 1F2 2B4 (2F6;1B0) (1F3;2B5) (2F7;1B1) 2B6 1B2 2I7 1I3 2W7 1W3",
              "1F4 2F0 1F5 2F1 1F6 2B0 (2F2;1B4) (1F7;2B1) (2F3;1B5) 2B2 1B6 2I3 1I7 2W3 1W7",
              "0F4 0F5 0F6 3F0 3I0 3W0 3F1 (0F7;3B1) (3F2;0B4) 3B2 (3F3;0B5) 3B3 0I6 0W6 0I7 0W7",
          });
  }

  TEST_CASE("dualpipe, p=12: the weight gradients that wait alternate, then all are near ones") {
    const Program program = test::program_of("dualpipe", dualpipe(12, 24));
    // Device 1: h = 1, r = 4, so step 7 outlasts the two of step 6.
    const std::string first = test::order_of(program, 1);
    CHECK(first.substr(first.find("10I23")) ==
          "10I23 1I7 10W23 1I8 1W7 1I9 1W8 1I10 1W9 1I11 1W10 1W11");
    // Device 4: h = 4, r = 1.
    const std::string last = test::order_of(program, 4);
    CHECK(last.substr(last.find("4I8")) ==
          "4I8 7I22 4I9 7I23 4I10 4W8 4I11 7W22 4W9 7W23 4W10 4W11");
  }

  TEST_CASE(
      "dualpipe's largest idle time (deepseek-ai/DualPipe, README): t_w <= t_f = t_b - t_w, 2 t_f "
      "<= t_fb") {
    for (const StageCosts& costs :
         {test::split_costs(1, 1, 1, 3), test::split_costs(1, 1, 1, 2),
          test::split_costs(7, 7, 3, 17), test::split_costs(7, 7, 3, 14),
          test::split_costs(5, 5, 0, 10), test::split_costs(5, 5, 5, 13)}) {
      for (int p = 2; p <= 10; p += 2) {
        for (const int m : {2 * p, 2 * p + 2, 3 * p, 5 * p}) {
          const std::int64_t expected =
              (p / 2 - 1) * (costs.fused->count + costs.backward.count - 3 * costs.weight->count);
          INFO("p=", p, " m=", m, " t_w=", costs.weight->count, " t_fb=", costs.fused->count);
          CHECK(test::largest_idle(test::metrics_of("dualpipe", dualpipe(p, m, costs))) ==
                Ticks{expected});
        }
      }
    }
  }

  TEST_CASE("dualpipe, chunk t_f = input = weight = 1: T_total with t_fb = 3 and 2") {
    CHECK(makespan(4, 10, test::split_costs(1, 1, 1, 3)) == 32);
    CHECK(makespan(4, 10, test::split_costs(1, 1, 1, 2)) == 26);
    CHECK(makespan(8, 20, test::split_costs(1, 1, 1, 3)) == 66);
    CHECK(makespan(8, 20, test::split_costs(1, 1, 1, 2)) == 52);
    CHECK(makespan(4, 10, test::split_costs(10, 12, 9, 27)) == 309);
    CHECK(makespan(8, 32, test::split_costs(10, 12, 9, 27)) == 957);
  }

  TEST_CASE("dualpipe holds p + 1 activations on every device") {
    for (int p = 2; p <= 10; p += 2) {
      for (const int m : {2 * p, 2 * p + 2, 4 * p + 6}) {
        for (const StageCosts& costs :
             {test::split_costs(1, 1, 1, 3), test::split_costs(3, 9, 5, 4)}) {
          const Problem problem = dualpipe(p, m, costs);
          const std::vector<std::int64_t> expected(static_cast<std::size_t>(p), p + 1);
          CHECK(test::activations_of(test::metrics_of("dualpipe", problem)) == expected);
          CHECK(test::peaks_of("dualpipe", problem) == expected);
        }
      }
    }
  }

  TEST_CASE("dualpipe refuses what it has no order for") {
    CHECK_THROWS_WITH(test::program_of("dualpipe", dualpipe(3, 6)),
                      "/p: dualpipe needs an even p: 3 % 2 = 1; an even number of devices");
    CHECK_THROWS_WITH(test::program_of("dualpipe", dualpipe(4, 11)),
                      "/m: dualpipe needs an even m: 11 % 2 = 1; an even number of at least 8");
    CHECK_THROWS_WITH(test::program_of("dualpipe", dualpipe(4, 6)),
                      "/m: dualpipe needs m >= 2p: 6 < 8; an even number of at least 8");
    CHECK_THROWS_WITH(test::program_of("dualpipe", dualpipe(3, 1)),
                      "/p: dualpipe needs an even p: 3 % 2 = 1; an even number of devices\n"
                      "/m: dualpipe needs an even m: 1 % 2 = 1; an even number of at least 6\n"
                      "/m: dualpipe needs m >= 2p: 1 < 6; an even number of at least 6");
    CHECK_THROWS_WITH(test::program_of("dualpipe", dualpipe(2, 4, stage_costs(Ticks{1}, Ticks{2}))),
                      "/t_w: missing: 0I1 splits the backward; required: a time of at most t_b");
  }

  TEST_CASE("dualpipe's program is as long for any m") {
    const std::int64_t lines = test::lines(test::program_of("dualpipe", dualpipe(8, 100)));
    CHECK(lines == test::lines(test::program_of("dualpipe", dualpipe(8, 10000))));
    const Schedule& schedule = *find_schedule(builtin_schedules(), "dualpipe");
    CHECK(lines == test::lines(schedule.build(dualpipe(8, 2147483646), {})));
    CHECK(lines < 8 * 40);
  }
}
