// verify_timeline: what ends a training step, and memory.
#include <doctest/doctest.h>

#include <string>

#include "sim/engine.hpp"
#include "sim/verify_timeline.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

/// gpipe, p=2, m=1, F=1, B=2, two steps; each ends with reductions of 3 and 9 and optimizers of 2.
/// Device 0: F 0-1, B 4-6, SYNC 6-9, OPT 9-11; device 1: F 1-2, B 2-4, SYNC 4-13, OPT 13-15.
Problem two_steps() {
  Problem problem = test::equal_stages(2, 1, 1, 2);
  problem.iterations.count = 2;
  problem.iterations.grad_sync = {Ticks{3}, Ticks{9}};
  problem.iterations.optimizer = {Ticks{2}, Ticks{2}};
  return problem;
}

/// What is said of the engine's timeline when the first span of that kind starts `by` ticks later.
std::string verdict(const Problem& problem, OpKind kind, int stage, std::int64_t by) {
  const Program program = test::program_of("gpipe", problem);
  Timeline timeline = simulate(problem, program);
  for (Span& span : timeline.spans) span.released_by = Span::kNotReleased;
  for (Span& span : timeline.spans) {
    if (span.op.kind != kind || span.op.stage != Stage{stage}) continue;
    span.start += Ticks{by};
    span.end += Ticks{by};
    break;
  }
  const auto violation = verify_timeline(problem, program, timeline);
  if (!violation) return "valid";
  return std::string(name(violation->rule)) + ": " + violation->detail;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("verify: a reduction waits for the gradients of its stage") {
    Problem problem = two_steps();
    CHECK(verdict(problem, OpKind::grad_sync, 0, 0) == "valid");
    problem.iterations.overlap_grad_sync = true;
    CHECK(verdict(problem, OpKind::grad_sync, 0, 0) == "valid");
    CHECK(verdict(problem, OpKind::grad_sync, 0, -1) ==
          "step_end: 0SYNC0 starts at 5 ps, before the gradients of its stage are there at 6 ps");
  }

  TEST_CASE("verify: an optimizer waits for its device, behind a barrier for all") {
    Problem problem = two_steps();
    problem.iterations.overlap_grad_sync = true;
    CHECK(verdict(problem, OpKind::optimizer, 0, -1) ==
          "step_end: 0OPT0 starts at 8 ps, before device 0 has computed and reduced its step at 9 "
          "ps");
    problem.iterations.barrier = true;
    CHECK(verdict(problem, OpKind::optimizer, 0, 0) == "valid");
    CHECK(verdict(problem, OpKind::optimizer, 0, -1) ==
          "step_end: 0OPT0 starts at 12 ps, before device 1 has computed and reduced its step at "
          "13 ps");
  }

  TEST_CASE("verify: a step waits for the optimizer of the one before") {
    Problem problem = two_steps();
    problem.iterations.optimizer = {Ticks{2}, Ticks{0}};
    const Program program = test::program_of("gpipe", problem);
    Timeline timeline = simulate(problem, program);
    for (Span& span : timeline.spans) span.released_by = Span::kNotReleased;
    // An optimizer of no length overlaps nothing; the step begins where it may not yet.
    for (Span& span : timeline.spans) {
      if (span.op.kind != OpKind::optimizer || span.op.stage != Stage{1}) continue;
      span.start += Ticks{100};
      span.end += Ticks{100};
      break;
    }
    const auto violation = verify_timeline(problem, program, timeline);
    REQUIRE(violation);
    CHECK(violation->rule == TimelineRule::step_end);
    CHECK(violation->detail ==
          "1F1 starts at 13 ps, before the optimizer of the step before ends at 113 ps");
  }

  TEST_CASE("verify: an end of a step twice, and what a timeline leaves out") {
    Problem problem = two_steps();
    problem.communication.mode = TransferMode::async;
    const Program program = test::program_of("gpipe", problem);
    const Timeline whole = simulate(problem, program);
    CHECK(not_checked(problem, whole).empty());
    Timeline twice = whole;
    twice.spans.push_back(twice.spans.back());
    CHECK(verify_timeline(problem, program, twice)->detail ==
          "1OPT1 stands twice among the transfers");
    Timeline computes = whole;
    computes.spans.resize(computes.lane_begin.back());
    for (Span& span : computes.spans) span.released_by = Span::kNotReleased;
    CHECK_FALSE(verify_timeline(problem, program, computes).has_value());
    CHECK(not_checked(problem, computes) ==
          std::vector<std::string>{"the lanes of communication: the timeline has no transfers",
                                   "gradient reductions: the timeline has none",
                                   "the ends of the steps: the timeline has no optimizers"});
  }

  TEST_CASE("verify: memory") {
    Problem problem = test::equal_stages(2, 3, 1, 2);
    problem.memory_limit = 3;
    CHECK(verdict(problem, OpKind::forward, 0, 0) == "valid");
    const Program program = test::program_of("gpipe", problem);
    const Timeline timeline = simulate(problem, program);
    problem.memory_limit = 2;
    const auto violation = verify_timeline(problem, program, timeline);
    REQUIRE(violation);
    CHECK(violation->rule == TimelineRule::memory);
    CHECK(violation->detail == "device 0 holds more than its limit when 0F2 starts at 2 ps");
    problem.memory.in_bytes = true;
    problem.memory.stages.assign(2, {.activation = 1, .resident = 10});
    problem.memory.limit = 9;
    CHECK(verify_timeline(problem, program, timeline)->detail ==
          "device 0 holds more than its limit");
  }
}
