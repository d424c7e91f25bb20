#include <doctest/doctest.h>

#include <string>

#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/memory.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

/// A schedule that no list of ours knows: one microbatch at a time through the whole pipeline.
Program build_one_at_a_time(const Problem& problem, const Parameters&) {
  Program program;
  for (int s = 0; s < problem.stages(); ++s) {
    program.lanes.push_back(
        {repeat(problem.microbatches, {forward(Stage{s}, 0), backward(Stage{s}, 0)})});
  }
  return program;
}

const Schedule kOneAtATime = {.info = {.name = "one_at_a_time",
                                       .summary = "no overlap",
                                       .source = "this test",
                                       .parameters = {}},
                              .build = build_one_at_a_time};

std::string order(const std::string& schedule, int p, int m, int device,
                  const Parameters& parameters = {}) {
  const Problem problem = test::equal_stages(p, m, 1, 2);
  const Program program = test::program_of(schedule, problem, parameters);
  std::string text;
  for (StepCursor cursor(program.lanes[static_cast<std::size_t>(device)]); !cursor.done();
       cursor.advance()) {
    text += (text.empty() ? "" : " ") + short_name(cursor.step().op);
  }
  return text;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of 1f1b, p=4, m=5, as PyTorch's runtime executes them") {
    CHECK(order("1f1b", 4, 5, 0) == "F0 F1 F2 F3 B0 F4 B1 B2 B3 B4");
    CHECK(order("1f1b", 4, 5, 1) == "F0 F1 F2 B0 F3 B1 F4 B2 B3 B4");
    CHECK(order("1f1b", 4, 5, 2) == "F0 F1 B0 F2 B1 F3 B2 F4 B3 B4");
    CHECK(order("1f1b", 4, 5, 3) == "F0 B0 F1 B1 F2 B2 F3 B3 F4 B4");
    CHECK(order("1f1b", 4, 2, 0) == "F0 F1 B0 B1");
  }

  TEST_CASE("the orders of gpipe, with and without flushes") {
    CHECK(order("gpipe", 2, 4, 0) == "F0 F1 F2 F3 B0 B1 B2 B3");
    CHECK(order("gpipe", 2, 5, 1, {{"flush_every", 2}}) == "F0 F1 B0 B1 F2 F3 B2 B3 F4 B4");
    CHECK(order("gpipe", 2, 3, 1, {{"flush_every", 9}}) == "F0 F1 F2 B0 B1 B2");
  }

  TEST_CASE("gpipe plans its flushes from the memory limit and says so") {
    const Schedule& gpipe = *find_schedule(builtin_schedules(), "gpipe");
    Problem problem = test::equal_stages(4, 8, 2, 4);
    CHECK(plan(gpipe, problem, {}).parameters.empty());
    problem.memory_limit = 4;
    const Plan planned = plan(gpipe, problem, {});
    CHECK(integer(planned.parameters, "flush_every") == 4);
    CHECK(planned.notes ==
          std::vector<std::string>{"flush_every=4 filled in from memory.limit: gpipe keeps every "
                                   "microbatch of a group alive"});
    CHECK(integer(plan(gpipe, problem, {{"flush_every", 2}}).parameters, "flush_every") == 2);
    problem.memory_limit = 8;
    CHECK(plan(gpipe, problem, {}).parameters.empty());
  }

  TEST_CASE("gpipe leaves room for the buffers of messages") {
    Problem problem = test::equal_stages(2, 12, 1, 2);
    problem.communication.mode = TransferMode::async;
    problem.communication.intra.occupancy = problem.communication.inter.occupancy = Ticks{1};
    problem.memory = {.in_bytes = true,
                      .stages = {2, StageMemory{.activation = 10, .resident = 5}},
                      .message = 3,
                      .limit = 45};
    problem.memory_limit = 4;  // four activations and the parameters fill it
    const Schedule& gpipe = *find_schedule(builtin_schedules(), "gpipe");
    CHECK(*integer(plan(gpipe, problem, {}).parameters, "flush_every") == 3);
    problem.memory.message = 0;
    CHECK(*integer(plan(gpipe, problem, {}).parameters, "flush_every") == 4);
  }

  TEST_CASE("under an equal memory limit gpipe flushes and 1f1b need not") {
    Problem problem = test::equal_stages(4, 8, 2, 4);
    problem.memory_limit = 4;
    const auto t_total = [&](const std::string& schedule) {
      const TaskGraph graph(problem, test::program_of(schedule, problem));
      const Timeline timeline = simulate(graph);
      CHECK_FALSE(find_over_limit(graph, timeline).has_value());
      return total_time(timeline);
    };
    CHECK(t_total("1f1b") == Ticks{66});
    CHECK(t_total("gpipe") == Ticks{84});
  }

  TEST_CASE("a schedule from outside plugs in like ours") {
    Registry registry = builtin_schedules();
    registry.push_back(&kOneAtATime);
    const Schedule* found = find_schedule(registry, "one_at_a_time");
    REQUIRE(found == &kOneAtATime);
    const Problem problem = test::equal_stages(3, 4, 1, 2);
    const Timeline timeline = simulate(problem, build(*found, problem, {}));
    CHECK(total_time(timeline) == Ticks{36});
    CHECK(signatures(registry).back().name == "one_at_a_time");
  }

  TEST_CASE("a schedule that loses an op is caught when it is built") {
    const Schedule broken = {
        .info = {.name = "broken", .summary = "", .source = "", .parameters = {}},
        .build = [](const Problem& problem, const Parameters&) {
          Program program = build_one_at_a_time(problem, {});
          program.lanes[1].pop_back();
          return program;
        }};
    CHECK_THROWS_WITH(build(broken, test::equal_stages(2, 2, 1, 1), {}),
                      "/schedule: 1F0 is missing on device 1; each op once");
  }
}
