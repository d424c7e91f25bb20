#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

Problem problem_for(int p, int m, int v, std::int64_t forward = 1, std::int64_t backward = 2) {
  return test::problem_for("looped_bfs", p, m, stage_costs(Ticks{forward}, Ticks{backward}),
                           {{"v", v}});
}

Metrics metrics_of(const Problem& problem) {
  return test::metrics_of("looped_bfs", problem, {{"v", problem.stages() / problem.devices}});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of looped_bfs, p=4, m=2, v=2, as PyTorch's ScheduleLoopedBFS has them") {
    const Program program = test::program_of("looped_bfs", problem_for(4, 2, 2), {{"v", 2}});
    CHECK(test::order_of(program, 0) == "0F0 0F1 4F0 4F1 4B1 4B0 0B1 0B0");
    CHECK(test::order_of(program, 3) == "3F0 3F1 7F0 7F1 7B1 7B0 3B1 3B0");
  }

  TEST_CASE("looped_bfs: mT + (p-1)T/v from m = p on, pT + (m-1)T/v up to it; mv activations") {
    for (const auto& [f, b] : {std::pair{1, 2}, {7, 4}}) {
      for (int p = 1; p <= 6; ++p) {
        for (int v = 1; v <= 4; ++v) {
          for (int m = 1; m <= 2 * p + 3; ++m) {
            const Problem problem = problem_for(p, m, v, f, b);
            const Metrics metrics = metrics_of(problem);
            const std::int64_t stages_in_a_row = std::max(m, p) * v + std::min(m, p) - 1;
            CHECK(metrics.t_total == Ticks{stages_in_a_row * (f + b)});
            const std::vector<std::int64_t> expected(static_cast<std::size_t>(p),
                                                     std::int64_t{m} * v);
            CHECK(test::activations_of(metrics) == expected);
            CHECK(test::peaks_of("looped_bfs", problem, {{"v", v}}) == expected);
          }
        }
      }
    }
  }

  TEST_CASE("looped_bfs, v=2, F=1, B=2: 28.5 for p=4, m=8, 82.5 for p=8, m=24") {
    CHECK(metrics_of(problem_for(4, 8, 2)).t_total == Ticks{57});
    CHECK(metrics_of(problem_for(8, 24, 2)).t_total == Ticks{165});
  }

  TEST_CASE("looped_bfs without v takes 2 and says so") {
    const Schedule& looped_bfs = *find_schedule(builtin_schedules(), "looped_bfs");
    CHECK(place(looped_bfs, 4, {}).stages() == 8);
    CHECK(integer(plan(looped_bfs, problem_for(4, 2, 2), {}).parameters, "v") == 2);
  }

  TEST_CASE("looped_bfs is written in as many lines for any m") {
    const auto lines = [](int m) {
      return test::lines(test::program_of("looped_bfs", problem_for(4, m, 3), {{"v", 3}}));
    };
    CHECK(lines(100) == lines(10'000));
  }
}
