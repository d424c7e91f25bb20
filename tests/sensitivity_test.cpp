#include "sim/sensitivity.hpp"

#include <doctest/doctest.h>

#include <random>

#include "sim/engine.hpp"
#include "tests/clusters.hpp"

using namespace pipesim;

namespace {

/// Larger than the number of ops on any path here, so that one tick changes no path's rank but
/// that of ties.
constexpr std::int64_t kScale = 1'000'000;

Problem scaled(Problem problem) {
  for (StageCosts& costs : problem.costs) {
    costs.forward = costs.forward * kScale;
    costs.backward = costs.backward * kScale;
  }
  for (Link* link : {&problem.communication.intra, &problem.communication.inter}) {
    *link = {link->latency * kScale, link->occupancy * kScale};
  }
  return problem;
}

Ticks t_total(const Problem& problem) {
  return total_time(simulate(TaskGraph(problem, test::breadth_first(problem))));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a recomputation counts for t_f where it takes what a forward does") {
    Problem problem = test::equal_stages(2, 2, 10, 20);
    problem.recompute = {true, true};
    for (StageCosts& costs : problem.costs) costs.recompute = costs.forward;
    const auto derivative = [&](const Problem& of, RecomputeTime recompute) {
      const TaskGraph graph(of, test::program_of("1f1b", of));
      return stage_sensitivities(graph, simulate(graph), recompute)[1].forward;
    };
    CHECK(derivative(problem, RecomputeTime::as_forward).if_longer == 4);
    CHECK(derivative(problem, RecomputeTime::its_own).if_longer == 2);
    Problem longer = problem;
    longer.costs[1].forward += Ticks{1};
    longer.costs[1].recompute += Ticks{1};
    const auto total = [](const Problem& of) {
      return total_time(simulate(of, test::program_of("1f1b", of)));
    };
    CHECK(total(longer) - total(problem) == Ticks{4});
  }

  TEST_CASE("why there may be no sensitivity is said") {
    Problem problem = test::equal_stages(2, 2, 10, 20);
    CHECK(why_no_sensitivity(problem).empty());
    problem.durations.assign(std::size_t{5} * 2 * 2, Ticks{1});
    CHECK(why_no_sensitivity(problem) == "the costs differ by microbatch");
    problem.slices = 2;
    CHECK(why_no_sensitivity(problem) == "an op takes a slice's part of its stage's times");
    problem.stragglers.resize(1);
    CHECK(why_no_sensitivity(problem) == "a straggler's factor depends on when an op starts");
  }

  // Of the critical paths of equal stages some stay on the last stage, some come back early.
  TEST_CASE("hw5_2: a slower last stage costs every microbatch, a faster first one gains little") {
    const Problem problem = test::equal_stages(4, 8, 2, 4);
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const auto stages = stage_sensitivities(graph, simulate(graph), RecomputeTime::its_own);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const auto stage = static_cast<std::int64_t>(i);
      CHECK(stages[i].slack == Ticks{0});
      CHECK(stages[i].forward.if_longer == 5 + stage);
      CHECK(stages[i].backward.if_longer == 5 + stage);
      CHECK(stages[i].forward.if_shorter == (stage == 3 ? 2 : 1));
      CHECK(stages[i].backward.if_shorter == (stage == 3 ? 2 : 1));
    }
  }

  TEST_CASE("the derivative is what one tick more or less changes, all times scaled up") {
    std::mt19937_64 random(51);
    for (int round = 0; round < 60; ++round) {
      const TransferMode mode = round % 2 == 0 ? TransferMode::free : TransferMode::async;
      const Problem problem = scaled(test::random_cluster(random, mode, false));
      const TaskGraph graph(problem, test::breadth_first(problem));
      const auto stages = stage_sensitivities(graph, simulate(graph), RecomputeTime::its_own);
      const Ticks base = t_total(problem);
      for (std::size_t stage = 0; stage < stages.size(); ++stage) {
        CAPTURE(round);
        CAPTURE(stage);
        const auto changed = [&](Ticks StageCosts::*time, std::int64_t by) {
          Problem other = problem;
          other.costs[stage].*time += Ticks{by};
          return (t_total(other) - base).count;
        };
        CHECK(changed(&StageCosts::forward, 1) == stages[stage].forward.if_longer);
        CHECK(changed(&StageCosts::backward, 1) == stages[stage].backward.if_longer);
        CHECK(changed(&StageCosts::backward, -1) == -stages[stage].backward.if_shorter);
        if (problem.costs[stage].forward > Ticks{0}) {
          CHECK(changed(&StageCosts::forward, -1) == -stages[stage].forward.if_shorter);
        }
      }
    }
  }

  TEST_CASE("slack: what a stage may lose without changing T_total") {
    const Problem problem =
        test::problem_of(4, {{Ticks{1}, Ticks{1}}, {Ticks{5}, Ticks{5}}, {Ticks{1}, Ticks{1}}});
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const auto stages = stage_sensitivities(graph, simulate(graph), RecomputeTime::its_own);
    CHECK(stages[1].slack == Ticks{0});
    CHECK(stages[1].forward.if_longer == 4);
    CHECK(stages[1].backward.if_shorter == 4);
  }
}
