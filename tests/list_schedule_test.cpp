#include "sim/list_schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/memory.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

constexpr OpKind kForward = OpKind::forward;
constexpr OpKind kInput = OpKind::backward_input;
constexpr OpKind kWeight = OpKind::backward_weight;

/// Two devices, F = 3, B = 4, W = 2, latency 1.
Problem two_devices(int m) {
  Problem problem =
      test::problem_of(m, std::vector<StageCosts>(2, stage_costs(Ticks{3}, Ticks{6}, Ticks{2})));
  problem.communication.intra.latency = Ticks{1};
  return problem;
}

const std::vector<std::int64_t> kUnlimited = {kNoBudget, kNoBudget};

std::string order(const Program& program, std::size_t device) {
  std::string text;
  for (StepCursor cursor(program.lanes[device]); !cursor.done(); cursor.advance()) {
    text += (text.empty() ? "" : " ") + short_name(cursor.step().op);
  }
  return text;
}

/// Several stages a device, unequal costs, latencies and activations, some recomputed.
Problem random_split_problem(std::mt19937_64& random) {
  const int p = static_cast<int>(test::draw(random, 1, 6));
  Problem problem;
  problem.devices = p;
  problem.microbatches = static_cast<int>(test::draw(random, 1, 9));
  problem.placement = test::draw(random, 0, 1) == 0
                          ? v_placement(p)
                          : loop_placement(p, static_cast<int>(test::draw(random, 1, 3)));
  problem.recompute.resize(static_cast<std::size_t>(problem.stages()));
  problem.memory.in_bytes = true;
  for (std::size_t s = 0; s < problem.recompute.size(); ++s) {
    StageCosts costs =
        stage_costs(Ticks{test::draw(random, 0, 20)}, Ticks{test::draw(random, 1, 20)});
    costs.weight = Ticks{test::draw(random, 0, costs.backward.count)};
    problem.costs.push_back(costs);
    StageMemory memory = {.activation = test::draw(random, 0, 9)};
    memory.kept_for_weight = test::draw(random, 0, memory.activation);
    memory.resident = test::draw(random, 0, 5);
    problem.recompute[s] = test::draw(random, 0, 3) == 0;
    if (problem.recompute[s]) memory.input = test::draw(random, 0, 3);
    problem.memory.stages.push_back(memory);
  }
  problem.communication.intra.latency = Ticks{test::draw(random, 0, 3)};
  problem.communication.intra.occupancy = Ticks{test::draw(random, 0, 2)};
  problem.launch_overhead = Ticks{test::draw(random, 0, 1)};
  return problem;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an op starts when its device is free and its input has arrived") {
    const Problem problem = two_devices(2);
    ListSchedule schedule(problem, kUnlimited);
    CHECK_FALSE(schedule.is_ready(kForward, Stage{1}));
    schedule.put(kForward, Stage{0});
    CHECK(schedule.clock(Device{0}) == Ticks{3});
    REQUIRE(schedule.is_ready(kForward, Stage{1}));
    CHECK(schedule.arrival(kForward, Stage{1}) == Ticks{4});
    CHECK(schedule.gap(kForward, Stage{1}) == Ticks{4});
    schedule.put(kForward, Stage{1});
    CHECK(schedule.first_start(Device{1}) == Ticks{4});
    CHECK(schedule.clock(Device{1}) == Ticks{7});
    CHECK(schedule.bubble(Device{1}) == Ticks{0});  // the wait before the first op is none
    CHECK_FALSE(schedule.is_ready(kInput, Stage{0}));
    CHECK(schedule.arrival(kInput, Stage{1}) == Ticks{0});
    schedule.put(kInput, Stage{1});
    CHECK(schedule.clock(Device{1}) == Ticks{11});
    schedule.put(kInput, Stage{0});
    CHECK(schedule.bubble(Device{0}) == Ticks{9});  // from 3 until 12
    schedule.put_weight(Device{0});
    schedule.put_weight(Device{1});
    CHECK(schedule.makespan() == Ticks{18});
    CHECK(schedule.longest_span() == Ticks{18});
    CHECK(schedule.count(kWeight, Stage{0}) == 1);
    CHECK(schedule.has_next(kForward, Stage{0}));
  }

  TEST_CASE("a gap takes the weight gradients that end before it does") {
    for (const std::int64_t latency : {0, 1}) {
      Problem problem = two_devices(3);
      problem.communication.intra.latency = Ticks{latency};
      problem.costs[0].forward = Ticks{2};
      ListSchedule schedule(problem, kUnlimited);
      schedule.put(kForward, Stage{0});
      schedule.put(kForward, Stage{1});
      schedule.put(kInput, Stage{1});
      schedule.put(kInput, Stage{0});                          // until 13 + 2 * latency
      schedule.put(kForward, Stage{0});                        // until 15 + 2 * latency
      CHECK(schedule.clock(Device{1}) == Ticks{9 + latency});  // its forward comes 3 hops later
      schedule.fill_gap(kForward, Stage{1});
      CHECK(schedule.clock(Device{1}) == Ticks{11 + latency});
      CHECK_FALSE(schedule.has_pending_weight(Device{1}));
    }
  }

  TEST_CASE(
      "a weight gradient that ends when the input arrives still fits the gap, a longer does not") {
    for (const std::int64_t weight : {4, 5}) {
      Problem problem =
          test::problem_of(2, {stage_costs(Ticks{6}, Ticks{2}, Ticks{1}),
                               stage_costs(Ticks{1}, Ticks{1 + weight}, Ticks{weight})});
      ListSchedule schedule(problem, kUnlimited);
      schedule.put(kForward, Stage{0});
      schedule.put(kForward, Stage{0});  // until 12
      schedule.put(kForward, Stage{1});
      schedule.put(kInput, Stage{1});  // until 8
      schedule.fill_gap(kForward, Stage{1});
      CHECK(schedule.has_pending_weight(Device{1}) == (weight == 5));
    }
  }

  TEST_CASE("room is made by weight gradients, while there are any") {
    const Problem problem = two_devices(9);
    ListSchedule schedule(problem, {4, 4});  // two activations of 2, of which 1 is kept for W
    schedule.put(kForward, Stage{0});
    CHECK(schedule.fits(kForward, Stage{0}));
    CHECK_FALSE(schedule.fits(kForward, Stage{0}, 1));
    schedule.put(kForward, Stage{0});
    CHECK_FALSE(schedule.make_room(kForward, Stage{0}));
    schedule.put(kForward, Stage{1});
    schedule.put(kInput, Stage{1});
    schedule.put(kInput, Stage{0});
    CHECK_FALSE(schedule.fits(kForward, Stage{0}));  // 3 of 4
    CHECK(schedule.time_to_make_room(kForward, Stage{0}) == Ticks{2});
    CHECK(schedule.make_room(kForward, Stage{0}));
    CHECK_FALSE(schedule.has_pending_weight(Device{0}));
  }

  TEST_CASE("a recomputation starts before the gradient arrives") {
    Problem problem = two_devices(1);
    problem.recompute = {true, false};
    ListSchedule schedule(problem, kUnlimited);
    for (const int stage : {0, 1}) schedule.put(kForward, Stage{stage});
    schedule.put(kInput, Stage{1});  // until 11, arrives at 12
    CHECK(schedule.lead(kInput, Stage{0}, 0) == Ticks{3});
    CHECK(schedule.arrival(kInput, Stage{0}) == Ticks{9});
    schedule.put(kInput, Stage{0});
    CHECK(schedule.clock(Device{0}) == Ticks{16});
  }

  TEST_CASE("a forward leaves room for a recomputation") {
    Problem problem = two_devices(4);
    problem.recompute = {true, true};
    problem.memory.in_bytes = true;
    problem.memory.stages.assign(2, {.activation = 10, .kept_for_weight = 4, .input = 1});
    problem.memory.limit = 12;
    const std::vector<std::int64_t> budgets = memory_budgets(problem, std::nullopt);
    ListSchedule schedule(problem, budgets);
    schedule.put(kForward, Stage{0});
    CHECK(schedule.fits(kForward, Stage{0}));
    schedule.put(kForward, Stage{0});
    CHECK_FALSE(schedule.fits(kForward, Stage{0}));
    CHECK_FALSE(schedule.fits_microbatch(Device{0}));
    CHECK(schedule.fits(kInput, Stage{0}));
  }

  TEST_CASE("budgets: microbatches, what a limit leaves, and at least one microbatch") {
    Problem problem = two_devices(8);
    CHECK(memory_budgets(problem, std::nullopt) == kUnlimited);
    CHECK(memory_budgets(problem, 3) == std::vector<std::int64_t>{6, 6});
    problem.memory_limit = 2;
    CHECK(memory_budgets(problem, std::nullopt) == std::vector<std::int64_t>{4, 4});
    CHECK(most_activations(problem, {4, kNoBudget}) == std::vector<std::int64_t>{3, 8});
    problem.memory = {.in_bytes = true,
                      .units_per_microbatch = 0,
                      .stages = {{.activation = 10, .kept_for_weight = 4, .resident = 50},
                                 {.activation = 20, .kept_for_weight = 20}},
                      .message = 3,
                      .limit = 100};
    CHECK(memory_budgets(problem, std::nullopt) == std::vector<std::int64_t>{50, 100});
    CHECK(memory_budgets(problem, std::nullopt, 4) == std::vector<std::int64_t>{38, 88});
    CHECK(memory_budgets(problem, 4) == std::vector<std::int64_t>{40, 80});
    CHECK(buffered_messages(problem) == std::vector<int>{0, 4});
    problem.memory.limit = 55;
    CHECK(memory_budgets(problem, std::nullopt) == std::vector<std::int64_t>{10, 55});
    CHECK(most_activations(problem, {50, 55}) == std::vector<std::int64_t>{8, 2});
    problem.memory.stages[0].activation = std::int64_t{1} << 62;
    CHECK(memory_budgets(problem, std::int64_t{1} << 62)[0] == std::int64_t{1} << 62);
  }

  TEST_CASE("a lane's repetitions become loops and mean the same") {
    Problem problem = two_devices(40);
    const Program program = place_greedily(problem, {8, 8}).program();
    CHECK(to_text(program).size() < 900);
    Program unrolled;
    for (const LaneOrder& lane : program.lanes) {
      LaneOrder& items = unrolled.lanes.emplace_back();
      for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
        items.push_back({.what = cursor.step()});
      }
    }
    validate_program(problem, unrolled);
    std::vector<Op> ops;
    for (const std::string token :
         {"0F0", "0F1", "0F2", "0I0", "0W0", "0I1", "0W1", "0I2", "0W2", "1F7"}) {
      ops.push_back(parse_token(token).value_or(Op{}));
    }
    CHECK(to_text({.lanes = {with_loops(ops)}}) ==
          "device 0\n  repeat 3\n    0F0\n  repeat 3\n    0I0\n    0W0\n  1F7\n");
  }

  TEST_CASE("the greedy rule, drawn") {
    const Problem problem = two_devices(3);
    const Program program = place_greedily(problem, {4, 4}).program();
    CHECK(order(program, 0) == "F0 F1 I0 W0 F2 I1 W1 I2 W2");
    CHECK(order(program, 1) == "F0 I0 F1 I1 W0 W1 F2 I2 W2");
  }

  TEST_CASE("the greedy rule: complete, within any budget, and with the engine's times") {
    std::mt19937_64 random(11);
    for (int round = 0; round < 400; ++round) {
      CAPTURE(round);
      Problem problem = random_split_problem(random);
      const auto budgets = memory_budgets(problem, test::draw(random, 1, 5));
      const ListSchedule schedule = place_greedily(problem, budgets);
      const Program program = with_recompute(problem, schedule.program());
      validate_program(problem, program);
      const TaskGraph graph(problem, program);
      const Timeline timeline = simulate(graph);
      REQUIRE(ListSchedule::has_exact_times(problem));
      CHECK(schedule.makespan() == total_time(timeline));
      Ticks span;
      const std::vector<std::int64_t> resident = resident_memory(problem);
      const std::vector<std::int64_t> peaks = peak_memory(graph, timeline);
      for (std::size_t device = 0; device < peaks.size(); ++device) {
        CHECK(peaks[device] <= budgets[device] + resident[device]);
        const Ticks first = timeline.begin(device)->start;
        CHECK(schedule.first_start(Device{device}) == first);
        span = std::max(span, (timeline.end(device) - 1)->end - first);
      }
      CHECK(schedule.longest_span() == span);
    }
  }
}
