#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/metrics.hpp"
#include "tests/clusters.hpp"

using namespace pipesim;

namespace {

Timeline run(const Problem& problem) {
  return simulate(problem, test::program_of("gpipe", problem));
}

/// "SYNC 6-9" for what is neither op nor transfer, on a device.
std::vector<std::string> step_ends(const Problem& problem, int device) {
  std::vector<std::string> rows;
  for (const Span& span : run(problem).spans) {
    if (is_compute(span.op.kind) || span.op.kind == OpKind::barrier) continue;
    if (span.op.kind == OpKind::release) continue;
    if (problem.device(span.op) != Device{device}) continue;
    rows.push_back(std::string(letters(span.op.kind)) + " " + std::to_string(span.start.count) +
                   "-" + std::to_string(span.end.count));
  }
  return rows;
}

using Rows = std::vector<std::string>;

}  // namespace

TEST_SUITE("unit") {
  // gpipe, p=2, m=1, F=1, B=2. Device 0: F 0-1, B 4-6; device 1: F 1-2, B 2-4.
  TEST_CASE("steps follow each other, each device on its own") {
    Problem problem = test::equal_stages(2, 1, 1, 2);
    problem.iterations.count = 3;
    CHECK(total_time(run(problem)) == Ticks{18});
    CHECK(TaskGraph(problem, test::program_of("gpipe", problem)).size() == 12);
  }

  TEST_CASE("gradients are reduced after the step, then the optimizer runs") {
    Problem problem = test::equal_stages(2, 1, 1, 2);
    problem.iterations.grad_sync = {Ticks{3}, Ticks{5}};
    problem.iterations.optimizer = {Ticks{2}, Ticks{2}};
    CHECK(step_ends(problem, 0) == Rows{"SYNC 6-9", "OPT 9-11"});
    CHECK(step_ends(problem, 1) == Rows{"SYNC 4-9", "OPT 9-11"});
    problem.iterations.count = 2;
    // Device 1 is ready for the next step at 11, as device 0 is; its forward waits until 12.
    CHECK(total_time(run(problem)) == Ticks{22});
    problem.iterations.barrier = true;
    problem.iterations.grad_sync = {Ticks{3}, Ticks{9}};
    CHECK(step_ends(problem, 0) == Rows{"SYNC 6-9", "OPT 13-15", "SYNC 21-24", "OPT 28-30"});
  }

  TEST_CASE("an overlapped reduction starts when its stage's last backward ends") {
    Problem problem;
    problem.devices = 1;
    problem.microbatches = 1;
    problem.placement = loop_placement(1, 2);
    problem.costs = {stage_costs(Ticks{1}, Ticks{2}), stage_costs(Ticks{1}, Ticks{2})};
    problem.iterations.grad_sync = {Ticks{3}, Ticks{3}};
    problem.iterations.overlap_grad_sync = true;
    const auto rows = [&] {
      std::vector<std::string> result;
      for (const Span& span : simulate(problem, test::breadth_first(problem)).spans) {
        result.push_back(token(span.op) + " " + std::to_string(span.start.count) + "-" +
                         std::to_string(span.end.count));
      }
      return result;
    };
    // Stage 1's backward ends at 4, stage 0's at 6.
    CHECK(rows() == Rows{"0F0 0-1", "1F0 1-2", "1B0 2-4", "0B0 4-6", "0SYNC0 7-10", "0OPT0 10-10",
                         "1SYNC0 4-7"});
    problem.iterations.overlap_grad_sync = false;
    CHECK(total_time(simulate(problem, test::breadth_first(problem))) == Ticks{12});
  }

  // Zero Bubble (2401.10241, section 5.3): without anything between the steps, the bubble of a step
  // is the span's, the stagger of the fill being paid once.
  TEST_CASE("equal stages: a step's share of bubbles in a long run is span_bubble_rate") {
    for (const std::string schedule : {"gpipe", "1f1b"}) {
      Problem problem = test::equal_stages(4, 8, 2, 4);
      problem.iterations.count = 5;
      const TaskGraph graph(problem, test::program_of(schedule, problem));
      const Metrics metrics = compute_metrics(graph, simulate(graph));
      const Ticks work = metrics.t_ideal - Ticks{192};
      CHECK(work == Ticks{48});
      const Ticks iteration = metrics.iteration_time.value_or(Ticks{});
      CHECK(Ratio{(iteration - work).count, iteration.count} == metrics.span_bubble_rate);
      CHECK(metrics.time_per_microbatch == Ratio{metrics.t_total.count, 40});
    }
  }

  TEST_CASE("steps without a flush: the last one takes what the steady state takes") {
    Problem problem = test::equal_stages(2, 40, 1, 2);
    problem.iterations.joined = 10;
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const Metrics metrics = compute_metrics(graph, simulate(graph));
    CHECK(metrics.t_total == Ticks{123});
    CHECK(metrics.iteration_time == Ticks{12});
  }

  // A fast first stage and a slow last one: the next step's fill hides behind the drain.
  TEST_CASE("unequal stages: a step of a long run takes at most the longest span") {
    Problem problem =
        test::problem_of(6, {{Ticks{1}, Ticks{2}}, {Ticks{2}, Ticks{3}}, {Ticks{4}, Ticks{5}}});
    problem.iterations.count = 6;
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const Metrics metrics = compute_metrics(graph, simulate(graph));
    const Ratio span_rate = metrics.span_bubble_rate;
    const Int128 work = metrics.t_ideal.count / 6;
    // span = work / (1 - rate)
    const Int128 span =
        work * span_rate.denominator / (span_rate.denominator - span_rate.numerator);
    REQUIRE(metrics.iteration_time.has_value());
    CHECK(metrics.iteration_time.value_or(Ticks{}).count <= static_cast<std::int64_t>(span));
  }

  TEST_CASE("queue and longest path agree on runs of several steps in every mode") {
    std::mt19937_64 random(61);
    for (int round = 0; round < 300; ++round) {
      const TransferMode modes[] = {TransferMode::free, TransferMode::async,
                                    TransferMode::single_stream, TransferMode::rendezvous};
      Problem problem = test::random_cluster(random, modes[round % 4], false);
      problem.iterations.count = static_cast<int>(test::draw(random, 1, 3));
      problem.iterations.overlap_grad_sync = test::draw(random, 0, 1) == 1;
      problem.iterations.barrier = test::draw(random, 0, 1) == 1;
      for (int stage = 0; stage < problem.stages(); ++stage) {
        problem.iterations.grad_sync.emplace_back(test::draw(random, 0, 9));
      }
      for (int device = 0; device < problem.devices; ++device) {
        problem.iterations.optimizer.emplace_back(test::draw(random, 0, 9));
      }
      const TaskGraph graph(problem, test::breadth_first(problem));
      if (!find_cycle(graph).empty()) continue;
      const Timeline timeline = simulate(graph);
      const std::vector<Ticks> longest = longest_path_starts(graph);
      bool equal = true;
      for (TaskId task = 0; task < graph.size(); ++task) {
        equal = equal && longest[task] == timeline.spans[task].start;
      }
      CHECK(equal);
    }
  }
}
