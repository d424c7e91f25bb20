// Random runs over the whole timing model: placements, flows, split and overlapped ops, every mode
// of communication, steps of training, stragglers and costs by microbatch.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "sim/verify_timeline.hpp"
#include "tests/random_runs.hpp"
#include "tests/run_invariants.hpp"

using namespace pipesim;

namespace {

/// False if the order of the transfers cannot run at all.
bool can_run(const test::Run& run) {
  try {
    return find_cycle(TaskGraph(run.problem, run.program)).empty();
  } catch (const Error&) {
    return false;  // the eager rule found no device that can go on
  }
}

/// The checker finds the first device whose peak is above a limit. It leaves out what lasts for no
/// time, so there the amounts that last decide.
void check_limit(const test::Run& run, const TaskGraph& graph, const Timeline& timeline) {
  const std::vector<std::int64_t> peaks = peak_memory(graph, timeline);
  const std::int64_t highest = *std::max_element(peaks.begin(), peaks.end());
  Problem limited = run.problem;
  limited.memory = memory_rules(run.problem);
  limited.memory.limit = highest;
  CHECK_FALSE(verify_timeline(limited, run.program, timeline).has_value());
  const auto profiles = memory_profile(graph, timeline);
  std::int64_t lasting = 0;
  for (const auto& profile : profiles) {
    for (std::size_t i = 0; i < profile.size(); ++i) {
      const bool lasts = i + 1 == profile.size() || profile[i].time < profile[i + 1].time;
      if (lasts) lasting = std::max(lasting, profile[i].amount);
    }
  }
  limited.memory.limit = lasting - 1;
  const auto violation = verify_timeline(limited, run.program, timeline);
  REQUIRE(violation);
  CHECK(violation->rule == TimelineRule::memory);
}

void check_run(const test::Run& run) {
  validate_problem(run.problem);
  validate_program(run.problem, run.program);
  const TaskGraph graph(run.problem, run.program);
  const Timeline timeline = simulate(graph);
  const TaskGraph decided = timeline.shared_link_orders.empty()
                                ? graph
                                : graph.with_shared_link_orders(timeline.shared_link_orders);
  test::check_invariants(decided, run.program, timeline, compute_metrics(decided, timeline));
  check_limit(run, graph, timeline);
}

}  // namespace

TEST_SUITE("conformance") {
  TEST_CASE("engine = longest path = checker over the whole timing model") {
    constexpr std::uint64_t kSeed = 20261124;
    MESSAGE("seed " << kSeed);
    std::mt19937_64 random(kSeed);
    int ran = 0;
    for (int round = 0; round < 4000; ++round) {
      CAPTURE(round);
      const test::Run run =
          round % 2 == 0 ? test::random_run(random) : test::random_run_with_step_ends(random);
      if (!can_run(run)) continue;
      check_run(run);
      ++ran;
    }
    CHECK(ran > 3000);
  }
}
