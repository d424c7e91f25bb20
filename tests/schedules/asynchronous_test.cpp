#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

const Schedule& schedule(const std::string& name) {
  return *find_schedule(builtin_schedules(), name);
}

/// `steps` steps of m microbatches without a flush, F=1, B=2.
Problem run_of(const std::string& name, int p, int m, int steps) {
  Problem problem = test::equal_stages(p, m * steps, 1, 2);
  problem.iterations.joined = steps;
  return with_state(schedule(name), problem, {});
}

/// The versions that a device keeps at once, counted along its order: an update after every
/// backward, and a backward uses what its forward used (1806.03377, section 3.3).
std::size_t counted_versions(const LaneOrder& order) {
  std::vector<int> used;  // by microbatch
  std::multiset<int> alive;
  int newest = 0;
  std::size_t most = 1;
  for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
    const Op op = cursor.step().op;
    if (op.kind == OpKind::forward) {
      used.push_back(newest);
      alive.insert(newest);
    } else {
      alive.erase(alive.find(used[static_cast<std::size_t>(op.microbatch.value)]));
      ++newest;
    }
    std::set<int> kept(alive.begin(), alive.end());
    kept.insert(newest);
    most = std::max(most, kept.size());
  }
  return most;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("pipedream: p-i versions of the weights on device i (1806.03377, section 3.3)") {
    const Problem problem = run_of("pipedream", 4, 8, 1);
    CHECK(problem.weight_versions == std::vector<std::int32_t>{4, 3, 2, 1});
    for (int p = 1; p <= 7; ++p) {
      for (int m = 1; m <= 20; ++m) {
        const Problem run = run_of("pipedream", p, m, 1);
        const Program program = test::program_of("pipedream", run);
        for (int i = 0; i < p; ++i) {
          CAPTURE(p);
          CAPTURE(m);
          CAPTURE(i);
          CHECK(static_cast<std::size_t>(weight_versions(run, Device{i})) ==
                counted_versions(program.lanes[static_cast<std::size_t>(i)]));
        }
      }
    }
  }

  TEST_CASE("pipedream: one microbatch per T, (M+p-1)T over the whole run") {
    for (int p = 1; p <= 6; ++p) {
      for (int steps = 1; steps <= 4; ++steps) {
        const Problem problem = run_of("pipedream", p, 5, steps);
        const TaskGraph graph(problem, test::program_of("pipedream", problem));
        const Timeline timeline = simulate(graph);
        CHECK(total_time(timeline) == Ticks{3} * (5 * steps + p - 1));
        if (steps > 1) CHECK(compute_metrics(graph, timeline).iteration_time == Ticks{15});
      }
    }
  }

  TEST_CASE("pipedream_2bw: (Gm+p-1)T where flushing 1f1b takes G(m+p-1)T") {
    const Problem problem = run_of("pipedream_2bw", 4, 8, 3);
    CHECK(problem.weight_versions == std::vector<std::int32_t>{2, 2, 2, 2});
    CHECK(total_time(simulate(problem, test::program_of("pipedream_2bw", problem))) ==
          Ticks{3} * (3 * 8 + 3));
    Problem flushing = test::equal_stages(4, 8, 1, 2);
    flushing.iterations.count = 3;
    flushing.iterations.barrier = true;
    CHECK(total_time(simulate(flushing, test::program_of("1f1b", flushing))) ==
          Ticks{3} * 3 * (8 + 3));
  }

  TEST_CASE("pipedream_2bw: refuses a step of fewer than p-1 microbatches") {
    CHECK_NOTHROW(test::program_of("pipedream_2bw", run_of("pipedream_2bw", 5, 4, 3)));
    CHECK_THROWS_WITH_AS(test::program_of("pipedream_2bw", run_of("pipedream_2bw", 5, 3, 3)),
                         "/m: pipedream_2bw with m = 3 on p = 5 devices; at least p - 1 = 4 "
                         "microbatches of one step, or the weights that a forward needs are not "
                         "there yet",
                         Error);
  }

  TEST_CASE("every version of the weights is resident") {
    Problem problem = run_of("pipedream", 3, 6, 1);
    problem.memory.in_bytes = true;
    problem.memory.stages.assign(3, {.activation = 1, .resident = 30, .parameters = 10});
    CHECK(resident_memory(problem) == std::vector<std::int64_t>{50, 40, 30});
  }
}
