#include "sim/steady_state.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

Ratio ticks(std::int64_t numerator, std::int64_t denominator = 1) {
  return {.numerator = numerator, .denominator = denominator};
}

BuildProgram schedule(const std::string& name, const Parameters& parameters = {}) {
  return [=](const Problem& problem) { return test::program_of(name, problem, parameters); };
}

/// Checks that there is a steady state, and that for some hundred microbatches more than 1500 the
/// simulated T_total grows exactly by its ratio. `period` is a multiple of the microbatches after
/// which the timeline can repeat itself.
void check_simulated(const Problem& problem, const BuildProgram& build, int period = 60) {
  const SteadyState state = steady_state(problem, build);
  CAPTURE(state.text);
  REQUIRE(state.ticks_per_microbatch);
  Problem longer = problem;
  longer.microbatches = 1500;
  const Ticks before = total_time(simulate(longer, build(longer)));
  longer.microbatches += period;
  const Ticks after = total_time(simulate(longer, build(longer)));
  CHECK(ticks((after - before).count, period) == state.ticks_per_microbatch);
}

/// Times of 1 to 9, a split of every backward, latencies up to `latency` that differ by hop.
Problem random_stages(std::mt19937_64& random, int p, std::int64_t latency) {
  std::vector<StageCosts> costs;
  for (int i = 0; i < p; ++i) {
    const std::int64_t weight = test::draw(random, 0, 5);
    costs.push_back(stage_costs(Ticks{test::draw(random, 1, 9)},
                                Ticks{weight + test::draw(random, 1, 5)}, Ticks{weight}));
  }
  Problem problem = test::problem_of(8, costs);
  for (int i = 0; i < p * p; ++i) {
    problem.communication.latencies.push_back(Ticks{test::draw(random, 0, latency)});
  }
  return problem;
}

/// ZB-H1 (2401.10241, figure 2): device i delays each weight gradient by i microbatches. Requires
/// m >= p.
Program zb_h1(const Problem& problem) {
  const int p = problem.devices;
  const int m = problem.microbatches;
  Program program;
  for (int i = 0; i < p; ++i) {
    const Stage stage{i};
    const int w = p - 1 - i;
    program.lanes.push_back({
        repeat(w, {forward(stage, 0)}),
        repeat(i, {forward(stage, w), backward_input(stage, 0)}),
        repeat(m - p + 1,
               {forward(stage, p - 1), backward_input(stage, i), backward_weight(stage, 0)}),
        repeat(w, {backward_input(stage, m - w), backward_weight(stage, m - p + 1)}),
        repeat(i, {backward_weight(stage, m - i)}),
    });
  }
  return program;
}

/// 1F1B with one more forward in the warm-up, each later one overlapped with a backward.
Program overlapped_1f1b(const Problem& problem) {
  const int m = problem.microbatches;
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    const Stage stage{i};
    const int w = problem.devices - i;
    program.lanes.push_back({repeat(w, {forward(stage, 0)}),
                             repeat(m - w, {overlapped(forward(stage, w), backward(stage, 0))}),
                             repeat(w, {backward(stage, m - w)})});
  }
  return program;
}

/// 1F1B with twice the warm-up.
Program eager_1f1b(const Problem& problem) {
  const int m = problem.microbatches;
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    const Stage stage{i};
    const int w = std::min(2 * (problem.devices - 1 - i), m);
    program.lanes.push_back({repeat(w, {forward(stage, 0)}),
                             repeat(m - w, {forward(stage, w), backward(stage, 0)}),
                             repeat(w, {backward(stage, m - w)})});
  }
  return program;
}

/// Two stages in opposite flows, a microbatch of each flow at a time.
Program two_flows(const Problem& problem) {
  const int half = problem.microbatches / 2;
  Program program;
  for (int i = 0; i < 2; ++i) {
    const int own = i == 0 ? 0 : half;
    const int other = i == 0 ? half : 0;
    program.lanes.push_back({repeat(half, {forward(Stage{0}, own), forward(Stage{1}, other),
                                           backward(Stage{1}, other), backward(Stage{0}, own)})});
  }
  return program;
}

/// Four stages there and back on two devices, one microbatch at a time.
Program v_shape(const Problem& problem) {
  const int m = problem.microbatches;
  Program program;
  for (int i = 0; i < 2; ++i) {
    const Stage near{i};
    const Stage far{3 - i};
    program.lanes.push_back(
        {repeat(m, {forward(near, 0), forward(far, 0), backward(far, 0), backward(near, 0)})});
  }
  return program;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("1F1B with equal stages takes a stage's work for a microbatch") {
    for (const int m : {1, 2, 3, 8, 100}) {
      const SteadyState state = steady_state(test::equal_stages(4, m, 2, 4), schedule("1f1b"));
      CHECK(state.ticks_per_microbatch == ticks(6));
      CHECK(state.microbatches_in_flight == 1);
      CHECK(state.text == "stage 0's own work");
      REQUIRE(state.cycle.size() == 2);
      CHECK(token(state.cycle[0].step) == "0F3");
      CHECK(token(state.cycle[1].step) == "0B0");
    }
  }

  TEST_CASE("1F1B with unequal stages takes the work of the slowest") {
    Problem problem = test::equal_stages(4, 8, 10, 20);
    problem.costs[2] = {.forward = Ticks{15}, .backward = Ticks{30}};
    problem.launch_overhead = Ticks{1};
    const SteadyState state = steady_state(problem, schedule("1f1b"));
    CHECK(state.ticks_per_microbatch == ticks(47));
    CHECK(state.text == "stage 2's own work");
    CHECK(state.cycle.front().device == Device{2});
  }

  TEST_CASE("latency makes the longest round trip of 1F1B limit it: T + 2c(p-1)/p") {
    for (const int p : {2, 3, 4, 7}) {
      for (const std::int64_t c : {1, 5}) {
        Problem problem = test::equal_stages(p, 4 * p, 2, 4);
        problem.communication.intra.latency = Ticks{c};
        const SteadyState state = steady_state(problem, schedule("1f1b"));
        CHECK(state.ticks_per_microbatch == ticks(6 * std::int64_t{p} + 2 * c * (p - 1), p));
        CHECK(state.microbatches_in_flight == p);
      }
    }
    Problem problem = test::equal_stages(4, 8, 2, 4);
    problem.communication.intra.latency = Ticks{1};
    CHECK(steady_state(problem, schedule("1f1b")).text ==
          "the round trip over stages 0..3 with 4 microbatches in flight");
  }

  TEST_CASE("one slow hop limits the stages around it") {
    Problem problem = test::equal_stages(4, 8, 2, 4);
    problem.communication.latencies.assign(16, Ticks{0});
    problem.communication.latencies[2 * 4 + 3] = Ticks{9};
    const SteadyState state = steady_state(problem, schedule("1f1b"));
    CHECK(state.ticks_per_microbatch == ticks(21, 2));
    CHECK(state.text == "the round trip over stages 2 and 3 with 2 microbatches in flight");
    std::string tokens;
    for (const RhythmTask& task : state.cycle) tokens.append(token(task.step)).append(" ");
    CHECK(tokens == "2F1 3F0 3B0 2B0 ");
  }

  TEST_CASE("1F1B with random stages and latencies is as fast as it simulates") {
    std::mt19937_64 random(21);
    int round_trips = 0;
    for (int trial = 0; trial < 20; ++trial) {
      CAPTURE(trial);
      const int p = static_cast<int>(test::draw(random, 1, 5));
      Problem problem = random_stages(random, p, 6);
      problem.communication.inter.occupancy = Ticks{2};
      problem.communication.devices_per_node = 2;
      if (trial % 4 == 1) problem.recompute.assign(static_cast<std::size_t>(p), true);
      check_simulated(problem, schedule("1f1b"));
      const SteadyState state = steady_state(problem, schedule("1f1b"));
      if (state.microbatches_in_flight > 1) ++round_trips;
    }
    CHECK(round_trips > 2);
  }

  TEST_CASE("links that are occupied limit too, by themselves or on a round trip") {
    std::mt19937_64 random(22);
    for (int trial = 0; trial < 10; ++trial) {
      CAPTURE(trial);
      Problem problem = random_stages(random, static_cast<int>(test::draw(random, 2, 5)), 6);
      problem.communication.mode = TransferMode::async;
      problem.communication.intra.occupancy = Ticks{test::draw(random, 0, 25)};
      check_simulated(problem, schedule("1f1b"));
    }
    Problem problem = test::equal_stages(3, 8, 2, 4);
    problem.communication.mode = TransferMode::async;
    problem.communication.intra.occupancy = Ticks{7};
    const SteadyState round_trip = steady_state(problem, schedule("1f1b"));
    CHECK(round_trip.ticks_per_microbatch == ticks(6 * 3 + 7 * 4, 3));
    CHECK(round_trip.text == "the round trip over stages 0..2 with 3 microbatches in flight");
    problem = test::equal_stages(2, 8, 2, 4);
    problem.communication.mode = TransferMode::async;
    problem.communication.inter.occupancy = Ticks{20};
    problem.communication.devices_per_node = 1;
    const SteadyState link = steady_state(problem, eager_1f1b);
    CHECK(link.ticks_per_microbatch == ticks(20));
    CHECK(link.text == "the link from device 0 to device 1");
    check_simulated(problem, eager_1f1b);
  }

  TEST_CASE("ZB-H1 fills the wait of its round trips with weight gradients") {
    const StageCosts costs = stage_costs(Ticks{12}, Ticks{20}, Ticks{7});
    const Problem problem = test::problem_of(8, std::vector<StageCosts>(4, costs));
    const SteadyState state = steady_state(problem, zb_h1);
    CHECK(state.ticks_per_microbatch == ticks(32));
    CHECK(state.text == "stage 0's own work");
    std::mt19937_64 random(23);
    for (int trial = 0; trial < 10; ++trial) {
      CAPTURE(trial);
      check_simulated(random_stages(random, static_cast<int>(test::draw(random, 1, 5)), 8), zb_h1);
    }
  }

  TEST_CASE("overlapped pairs, two flows, there and back, and flushes repeat themselves too") {
    std::mt19937_64 random(24);
    for (int trial = 0; trial < 5; ++trial) {
      CAPTURE(trial);
      Problem problem = random_stages(random, 4, 4);
      problem.microbatches = 5;
      check_simulated(problem, overlapped_1f1b);
      for (StageCosts& costs : problem.costs) costs.fused = Ticks{test::draw(random, 5, 12)};
      check_simulated(problem, overlapped_1f1b);
      check_simulated(problem, schedule("gpipe", {{"flush_every", std::int64_t{3}}}));
      Problem small = random_stages(random, 2, 4);
      small.placement = bidirectional_placement(2);
      check_simulated(small, two_flows);
      small.placement = v_placement(2);
      small.costs = random_stages(random, 4, 0).costs;
      check_simulated(small, v_shape);
    }
    Problem problem = test::equal_stages(2, 8, 2, 4);
    problem.placement = v_placement(2);
    problem.costs.assign(4, {.forward = Ticks{2}, .backward = Ticks{4}});
    const SteadyState state = steady_state(problem, v_shape);
    CHECK(state.ticks_per_microbatch == ticks(24));
    CHECK(state.text == "the round trip over devices 0 and 1 with 1 microbatch in flight");
    problem.costs.assign(4, {.forward = Ticks{2}, .backward = Ticks{0}});
    problem.costs[1] = problem.costs[2] = {.forward = Ticks{0}, .backward = Ticks{0}};
    CHECK(steady_state(problem, v_shape).text == "device 0's own work");
  }

  TEST_CASE("GPipe has no steady state, but a slope") {
    const Problem problem = test::equal_stages(4, 8, 2, 4);
    const SteadyState state = steady_state(problem, schedule("gpipe"));
    CHECK_FALSE(state.ticks_per_microbatch);
    CHECK(state.text ==
          "the order of device 0 has 2 parts that grow with the number of microbatches");
    CHECK(measured_slope(problem, schedule("gpipe")) == ticks(6));
    Problem varied = problem;
    for (int kind = 0; kind < 5; ++kind) {
      for (int stage = 0; stage < 4; ++stage) {
        for (int i = 0; i < 8; ++i) varied.durations.emplace_back(kind == 0 ? 2 + i : 4);
      }
    }
    // The last stage is never idle between its first forward and its last backward.
    CHECK(measured_slope(varied, schedule("gpipe")) == ticks(8 * 6 + 28, 8));
    CHECK(steady_state(varied, schedule("1f1b")).text == "the costs differ by microbatch");
  }

  TEST_CASE("why there is no steady state is said") {
    const Problem problem = test::equal_stages(2, 4, 2, 4);
    const auto text = [&](auto change) {
      Problem changed = problem;
      change(changed);
      const SteadyState state = steady_state(changed, schedule("1f1b"));
      CHECK_FALSE(state.ticks_per_microbatch);
      return state.text;
    };
    CHECK(text([](Problem& p) { p.communication.mode = TransferMode::single_stream; }) ==
          "single_stream orders transfers without a loop");
    CHECK(text([](Problem& p) { p.communication.mode = TransferMode::rendezvous; }) ==
          "rendezvous orders transfers without a loop");
    CHECK(text([](Problem& p) { p.communication.shared_link = Ticks{1}; }) ==
          "a shared link decides at run time");
    CHECK(text([](Problem& p) { p.stragglers.resize(1); }) ==
          "a straggler's durations depend on the time");
    const auto written_out = [](const Problem& p) {
      Program program = test::program_of("1f1b", p);
      LaneOrder flat;
      for (StepCursor cursor(program.lanes[1]); !cursor.done(); cursor.advance()) {
        flat.push_back({.what = cursor.step()});
      }
      program.lanes[1] = flat;
      return program;
    };
    CHECK(steady_state(problem, written_out).text == "the order of device 1 has no loop");
    const auto refuses = [](const Problem& p) {
      if (p.microbatches > 4) throw Error(Fault{.what = "too many"});
      return test::program_of("1f1b", p);
    };
    CHECK(steady_state(problem, refuses).text == "there is no order for 8 microbatches");
    const auto counts_down = [](const Problem& p) {
      Program program = test::program_of("1f1b", p);
      program.lanes[1] = {
          repeat(p.microbatches, {with_stride(forward(Stage{1}, p.microbatches - 1), -1),
                                  with_stride(backward(Stage{1}, p.microbatches - 1), -1)})};
      return program;
    };
    CHECK(steady_state(problem, counts_down).text ==
          "the order of device 1 has a loop that does not advance with the microbatches");
    const auto uneven = [](const Problem& p) {
      Program program = test::program_of("1f1b", p);
      program.lanes[1] = {
          repeat(p.microbatches / 2,
                 {with_stride(forward(Stage{1}, 0), 2), with_stride(backward(Stage{1}, 0), 2),
                  with_stride(forward(Stage{1}, 1), 2), with_stride(backward(Stage{1}, 1), 2)})};
      return program;
    };
    CHECK(steady_state(problem, uneven).ticks_per_microbatch == measured_slope(problem, uneven));
    const auto stalls = [](const Problem& p) {
      Program program = test::program_of("1f1b", p);
      program.lanes[0] = {repeat(p.microbatches, {forward(Stage{0}, 0), backward(Stage{0}, 0)})};
      program.lanes[1] = {forward(Stage{1}, 0),
                          repeat(p.microbatches - 1, {forward(Stage{1}, 1), backward(Stage{1}, 0)}),
                          backward(Stage{1}, p.microbatches - 1)};
      return program;
    };
    CHECK(steady_state(problem, stalls).text == "the schedule deadlocks with more microbatches");
  }

  TEST_CASE("devices that differ much are not followed until they meet") {
    // Of bpipe's 19 devices 17 have strides that differ: lcm(1..17) = 12252240.
    const Problem problem = test::problem_for(*find_schedule(builtin_schedules(), "bpipe"), 19, 8,
                                              [](int) { return stage_costs(Ticks{1}, Ticks{2}); });
    std::int32_t most = 0;
    const SteadyState state = steady_state(problem, [&](const Problem& longer) {
      most = std::max(most, longer.microbatches);
      return test::program_of("bpipe", longer);
    });
    CHECK_FALSE(state.ticks_per_microbatch.has_value());
    CHECK(most < 20'000);
  }
}
