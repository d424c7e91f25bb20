#include "sim/memory.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/metrics.hpp"
#include "sim/transfer_order.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

using Profile = std::vector<std::pair<std::int64_t, std::int64_t>>;  // time, amount

struct Run {
  TaskGraph graph;
  Timeline timeline;

  Run(const Problem& problem, const Program& program)
      : graph(problem, program), timeline(simulate(graph)) {}

  Profile profile(std::size_t device) const {
    Profile found;
    const auto profiles = memory_profile(graph, timeline);
    for (const MemoryPoint& point : profiles[device]) {
      found.emplace_back(point.time.count, point.amount);
    }
    return found;
  }
};

/// One device, one stage, a tick for a forward, two and one for the gradients; `stage` in bytes.
Problem one_device(int m, const StageMemory& stage) {
  Problem problem = test::problem_of(m, {stage_costs(Ticks{1}, Ticks{3}, Ticks{1})});
  problem.memory.in_bytes = true;
  problem.memory.stages = {stage};
  return problem;
}

constexpr Stage kOnly{0};

Item recompute(std::int64_t microbatch) { return item(OpKind::recompute, kOnly, microbatch); }

/// The amount just after an instant, from the definition: what has been taken until then and not
/// been released.
std::int64_t amount_after(const Run& run, Device device, Ticks now) {
  const Problem& problem = run.graph.problem();
  std::int64_t sum = resident_memory(problem)[static_cast<std::size_t>(device.value)];
  const auto started = [&](TaskId task) { return run.timeline.spans[task].start <= now; };
  const auto ended = [&](TaskId task) { return run.timeline.spans[task].end <= now; };
  for (int k = 0; k < problem.total_microbatches(); ++k) {
    for (int s = 0; s < problem.stages(); ++s) {
      const Stage stage{s};
      const Microbatch microbatch{k};
      if (problem.device(stage, microbatch) != device) continue;
      const StageMemory& memory = problem.memory.stages[static_cast<std::size_t>(s)];
      const TaskId gradient = run.graph.find(Role::gradient, stage, microbatch);
      const TaskId weight = run.graph.find(Role::weight, stage, microbatch);
      const TaskId last = weight == kNoTask ? gradient : weight;
      const TaskId taker = run.graph.find(
          problem.recomputes(stage) ? Role::recompute : Role::forward, stage, microbatch);
      if (ended(last)) continue;
      if (started(taker)) sum += ended(gradient) ? memory.kept_for_weight : memory.activation;
      if (problem.recomputes(stage) && started(run.graph.find(Role::forward, stage, microbatch))) {
        sum += memory.input;
      }
    }
  }
  for (std::size_t task = run.graph.compute_tasks(); task < run.graph.size(); ++task) {
    const Span& span = run.timeline.spans[task];
    if (!is_send(span.op.kind) || span.start > now) continue;
    if (problem.device(span.op) == device && now < span.end) sum += problem.memory.message;
    if (receiver(problem, span.op) != device) continue;
    for (const Neighbor& next : run.graph.successors(static_cast<TaskId>(task))) {
      const bool needs_it = next.kind == EdgeKind::data && !started(next.task);
      if (needs_it) sum += problem.memory.message;
    }
  }
  return sum;
}

/// A 1F1B in which some stages split their backward, the weight gradients anywhere after it.
Program random_split(std::mt19937_64& random, const Problem& problem) {
  Problem without_recompute = problem;
  without_recompute.recompute.clear();
  Program program = test::program_of("1f1b", without_recompute);
  for (LaneOrder& lane : program.lanes) {
    const bool splits = test::draw(random, 0, 2) > 0;
    std::vector<Item> pending;
    LaneOrder order;
    for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
      const Op op = cursor.step().op;
      if (op.kind == OpKind::forward || !splits) {
        order.push_back(item(op.kind, op.stage, op.microbatch.value));
        continue;
      }
      order.push_back(backward_input(op.stage, op.microbatch.value));
      pending.push_back(backward_weight(op.stage, op.microbatch.value));
      while (!pending.empty() && test::draw(random, 0, 2) == 0) {
        order.push_back(pending.front());
        pending.erase(pending.begin());
      }
    }
    order.insert(order.end(), pending.begin(), pending.end());
    lane = order;
  }
  return with_recompute(problem, program);
}

Problem random_memory_problem(std::mt19937_64& random) {
  const auto p = static_cast<std::size_t>(test::draw(random, 1, 4));
  std::vector<StageCosts> costs(p);
  std::vector<StageMemory> stages(p);
  std::vector<bool> recomputes(p);
  for (std::size_t stage = 0; stage < p; ++stage) {
    const std::int64_t weight = test::draw(random, 1, 5);
    costs[stage] = stage_costs(Ticks{test::draw(random, 1, 9)},
                               Ticks{weight + test::draw(random, 1, 5)}, Ticks{weight});
    stages[stage] = {.activation = test::draw(random, 5, 20),
                     .kept_for_weight = test::draw(random, 0, 5),
                     .input = test::draw(random, 0, 3),
                     .resident = test::draw(random, 0, 30)};
    recomputes[stage] = test::draw(random, 0, 2) == 0;
  }
  Problem problem = test::problem_of(static_cast<int>(test::draw(random, 1, 8)), costs);
  problem.recompute = recomputes;
  problem.memory.in_bytes = true;
  problem.memory.stages = stages;
  problem.memory.message = test::draw(random, 0, 4);
  constexpr TransferMode kModes[] = {TransferMode::free, TransferMode::async,
                                     TransferMode::single_stream, TransferMode::rendezvous};
  problem.communication.mode = kModes[test::draw(random, 0, 3)];
  problem.communication.intra = {.latency = Ticks{test::draw(random, 0, 4)},
                                 .occupancy = Ticks{test::draw(random, 1, 4)}};
  return problem;
}

}  // namespace

TEST_SUITE("unit") {
  // Device 0: F0 0-2, F1 2-4, B0 8-12, F2 12-14, B1 14-18, B2 20-24; device 1: F0 2-4, B0 4-8,
  // F1 8-10, B1 10-14, F2 14-16, B2 16-20.
  TEST_CASE("memory: 1f1b, p=2, m=3: full backwards release before the next forward takes") {
    Problem problem = test::equal_stages(2, 3, 2, 4);
    problem.memory.in_bytes = true;
    problem.memory.stages = {{.activation = 10, .resident = 100}, {.activation = 7}};
    const Run run(problem, test::program_of("1f1b", problem));
    CHECK(run.profile(0) ==
          Profile{{0, 100}, {0, 110}, {2, 120}, {12, 110}, {12, 120}, {18, 110}, {24, 100}});
    CHECK(run.profile(1) == Profile{{0, 0}, {2, 7}, {8, 0}, {8, 7}, {14, 0}, {14, 7}, {20, 0}});
    CHECK(peak_memory(run.graph, run.timeline) == std::vector<std::int64_t>{120, 7});
  }

  // F0 0-1, F1 1-2, I0 2-4, I1 4-6, W0 6-7, W1 7-8.
  TEST_CASE("memory: a split backward keeps a part for the weight gradient") {
    const Problem problem = one_device(2, {.activation = 10, .kept_for_weight = 4});
    const Run run(problem,
                  {.lanes = {{repeat(2, {forward(kOnly, 0)}), repeat(2, {backward_input(kOnly, 0)}),
                              repeat(2, {backward_weight(kOnly, 0)})}}});
    CHECK(run.profile(0) == Profile{{0, 0}, {0, 10}, {1, 20}, {4, 14}, {6, 8}, {7, 4}, {8, 0}});
  }

  // F0 0-1, F1 1-2, R0 2-3, B0 3-6, R1 6-7, I1 7-9, W1 9-10.
  TEST_CASE("memory: a stage that recomputes keeps its input until its backward is done") {
    Problem problem = one_device(2, {.activation = 10, .kept_for_weight = 4, .input = 2});
    problem.recompute = {true};
    const Run run(
        problem, {.lanes = {{forward(kOnly, 0), forward(kOnly, 1), recompute(0), backward(kOnly, 0),
                             recompute(1), backward_input(kOnly, 1), backward_weight(kOnly, 1)}}});
    CHECK(run.profile(0) ==
          Profile{{0, 0}, {0, 2}, {1, 4}, {2, 14}, {6, 2}, {6, 12}, {9, 6}, {10, 0}});
  }

  // F0 0-1, (F1;B0) 1-5, (F2;I1) 5-8, W1 8-9, B2 9-12.
  TEST_CASE("memory: a pair takes at its start and releases at its end") {
    const Problem problem = one_device(3, {.activation = 10, .kept_for_weight = 4});
    const Run run(problem,
                  {.lanes = {{forward(kOnly, 0), overlapped(forward(kOnly, 1), backward(kOnly, 0)),
                              overlapped(forward(kOnly, 2), backward_input(kOnly, 1)),
                              backward_weight(kOnly, 1), backward(kOnly, 2)}}});
    CHECK(run.profile(0) ==
          Profile{{0, 0}, {0, 10}, {1, 20}, {5, 10}, {5, 20}, {8, 14}, {9, 10}, {12, 0}});
  }

  TEST_CASE("memory: ops of no length take before they release") {
    Problem problem = test::problem_of(2, {{Ticks{0}, Ticks{1}}});
    problem.memory.in_bytes = true;
    problem.memory.stages = {{.activation = 10}};
    const Run run(problem, test::program_of("1f1b", problem));
    CHECK(run.profile(0) == Profile{{0, 0}, {0, 10}, {1, 0}, {1, 10}, {2, 0}});
    problem.costs = {{Ticks{1}, Ticks{0}}};
    const Run other(problem, test::program_of("1f1b", problem));
    CHECK(other.profile(0) == Profile{{0, 0}, {0, 10}, {1, 0}, {1, 10}, {2, 0}});
  }

  // Device 0: F0 0-1, F1 1-2, B0 11-12, B1 13-14; device 1: F0 4-5, F1 6-7, B0 7-8, B1 8-9. Sent:
  // F0 1-3, F1 3-5, B0 8-10, B1 10-12; each is there one tick later.
  TEST_CASE("memory: a message is buffered at both ends, gpipe, p=2, m=2, async") {
    Problem problem = test::equal_stages(2, 2, 1, 1);
    problem.communication.mode = TransferMode::async;
    problem.communication.intra = {.latency = Ticks{1}, .occupancy = Ticks{2}};
    problem.memory.in_bytes = true;
    problem.memory.stages = {{}, {}};
    problem.memory.message = 5;
    const Run run(problem, test::program_of("gpipe", problem));
    CHECK(run.profile(0) ==
          Profile{{0, 0}, {1, 5}, {3, 0}, {3, 5}, {5, 0}, {8, 5}, {10, 10}, {11, 5}, {13, 0}});
    CHECK(run.profile(1) ==
          Profile{{0, 0}, {1, 5}, {3, 10}, {4, 5}, {6, 0}, {8, 5}, {10, 0}, {10, 5}, {12, 0}});
  }

  // Device 0: F0 0-1, F1 1-2; F0 is sent at 1, F1 at 2, both at once.
  TEST_CASE("memory: a buffer for no time is gone before the op at its instant takes") {
    Problem problem = test::equal_stages(2, 2, 1, 1);
    problem.communication.mode = TransferMode::async;
    problem.communication.intra.latency = Ticks{1};
    problem.memory.in_bytes = true;
    problem.memory.stages = {{.activation = 10}, {.activation = 10}};
    problem.memory.message = 5;
    const Run run(problem, test::program_of("gpipe", problem));
    const Profile profile = run.profile(0);
    CHECK(Profile(profile.begin(), profile.begin() + 7) ==
          Profile{{0, 0}, {0, 10}, {1, 15}, {1, 10}, {1, 20}, {2, 25}, {2, 20}});
  }

  TEST_CASE("memory: without transfers as tasks messages have no buffers") {
    Problem problem = test::equal_stages(2, 2, 1, 1);
    problem.communication.intra.latency = Ticks{3};
    problem.memory.in_bytes = true;
    problem.memory.stages = {{.activation = 1}, {.activation = 1}};
    problem.memory.message = 1000;
    const Run run(problem, test::program_of("gpipe", problem));
    CHECK(peak_memory(run.graph, run.timeline) == std::vector<std::int64_t>{2, 2});
  }

  TEST_CASE("memory: both copies of a bidirectional placement are resident") {
    Problem problem = test::equal_stages(2, 2, 1, 1);
    problem.placement = bidirectional_placement(2);
    problem.memory.in_bytes = true;
    problem.memory.stages = {{.activation = 10, .resident = 100}, {.activation = 7, .resident = 3}};
    CHECK(resident_memory(problem) == std::vector<std::int64_t>{103, 103});
    problem.placement = v_placement(1);
    problem.devices = 1;
    CHECK(resident_memory(problem) == std::vector<std::int64_t>{103});
    problem.memory.stages[0].resident = std::numeric_limits<std::int64_t>::max();
    CHECK_THROWS_WITH_AS(resident_memory(problem),
                         "/memory: device 0 holds more than can be counted; less than 2^63 bytes",
                         Error);
  }

  TEST_CASE("memory: without rules every stage takes its share of a microbatch") {
    Problem problem = test::equal_stages(4, 8, 2, 4);
    problem.memory_limit = 3;
    CHECK(memory_rules(problem).units_per_microbatch == 2);
    CHECK(memory_rules(problem).stages[3].activation == 2);
    CHECK(memory_rules(problem).stages[3].kept_for_weight == 1);
    CHECK(memory_rules(problem).limit == 6);
    problem.placement = loop_placement(4, 3);
    CHECK(memory_rules(problem).units_per_microbatch == 6);
    CHECK(memory_rules(problem).stages.size() == 12);
    CHECK(memory_rules(problem).stages[11].activation == 2);
    CHECK(memory_rules(problem).limit == 18);
    // Three stages on two devices: two thirds of a microbatch each.
    problem.devices = 2;
    problem.placement.device_of = {{Device{0}, Device{1}, Device{0}}};
    CHECK(microbatches(memory_rules(problem), memory_rules(problem).stages[0].activation) ==
          Ratio{2, 3});
  }

  TEST_CASE("memory: with two stages on each device the peak is in whole microbatches") {
    Problem problem;
    problem.devices = 2;
    problem.microbatches = 3;
    problem.placement = v_placement(2);
    problem.costs.assign(4, stage_costs(Ticks{1}, Ticks{2}));
    Program program;
    for (const auto& [early, late] : {std::pair{0, 3}, std::pair{1, 2}}) {
      program.lanes.push_back(
          {repeat(3, {forward(Stage{early}, 0)}), repeat(3, {forward(Stage{late}, 0)}),
           repeat(3, {backward(Stage{late}, 0)}), repeat(3, {backward(Stage{early}, 0)})});
    }
    const Run run(problem, program);
    const Memory rules = memory_rules(problem);
    for (const std::int64_t peak : peak_memory(run.graph, run.timeline)) {
      CHECK(microbatches(rules, peak) == Ratio{3, 1});
    }
    CHECK(compute_metrics(run.graph, run.timeline).peak_activations() == 6);
    problem.memory_limit = 2;
    const Run limited(problem, program);
    const auto over = find_over_limit(limited.graph, limited.timeline);
    REQUIRE(over.has_value());
    CHECK(sentence(*over, problem, TimeUnit::ps) ==
          "device 1 holds 2.5 microbatches when 2F1 starts at 5 ps, over the limit of 2");
  }

  TEST_CASE("the first op over the memory limit is found") {
    Problem problem = test::equal_stages(4, 8, 2, 4);
    const auto over = [&] {
      const Run run(problem, test::program_of("1f1b", problem));
      return find_over_limit(run.graph, run.timeline);
    };
    CHECK_FALSE(over().has_value());
    problem.memory_limit = 4;
    CHECK_FALSE(over().has_value());
    problem.memory_limit = 2;
    const auto found = over();
    REQUIRE(found.has_value());
    CHECK(found->device == Device{0});
    CHECK(found->time == Ticks{4});
    REQUIRE(found->op.has_value());
    CHECK(short_name(found->op.value_or(Op{})) == "F2");
    CHECK(found->amount == 6);
    CHECK(found->limit == 4);
    CHECK(sentence(*found, problem, TimeUnit::ps) ==
          "device 0 holds 3 microbatches when F2 starts at 4 ps, over the limit of 2");
  }

  TEST_CASE(
      "over the limit in bytes: the earliest device, then the lowest, and the resident part") {
    Problem problem = test::equal_stages(3, 4, 1, 1);
    problem.memory.in_bytes = true;
    problem.memory.stages.assign(3, {.activation = std::int64_t{1} << 30, .resident = 1});
    problem.memory.limit = std::int64_t{1} << 31;
    const auto over = [&] {
      const Run run(problem, test::program_of("gpipe", problem));
      const auto found = find_over_limit(run.graph, run.timeline);
      return found ? sentence(*found, problem, TimeUnit::ps) : "";
    };
    CHECK(over() ==
          "device 0 holds 2147483649 B when F1 starts at 1 ps, over the limit of 2147483648 B");
    problem.memory.stages[2].activation *= 3;
    CHECK(over() ==
          "device 0 holds 2147483649 B when F1 starts at 1 ps, over the limit of 2147483648 B");
    problem.memory.stages[0].activation = 0;
    CHECK(over() ==
          "device 1 holds 2147483649 B when F1 starts at 2 ps, over the limit of 2147483648 B");
    problem.memory.stages[1].activation = 0;
    CHECK(over() == "device 2 holds 3 GiB when F0 starts at 2 ps, over the limit of 2 GiB");
    problem.memory.stages[1].resident = std::int64_t{3} << 30;
    problem.memory.stages[2].resident = std::int64_t{4} << 30;
    CHECK(over() ==
          "device 1 holds 3 GiB of parameters and optimizer state, over the limit of "
          "2 GiB");
  }

  TEST_CASE("amounts as text") {
    CHECK(format_bytes(0) == "0 B");
    CHECK(format_bytes(1023) == "1023 B");
    CHECK(format_bytes(1024) == "1 KiB");
    CHECK(format_bytes(1536) == "1.5 KiB");
    CHECK(format_bytes(1088) == "1.0625 KiB");
    CHECK(format_bytes(1025) == "1.001 KiB");
    CHECK(format_bytes((std::int64_t{1} << 20) - 1) == "1024 KiB");
    CHECK(format_bytes(std::int64_t{80} << 30) == "80 GiB");
    CHECK(format_bytes((std::int64_t{4} << 30) / 3) == "1.333 GiB");
    CHECK(format_bytes(std::int64_t{1} << 40) == "1 TiB");
    CHECK(format_bytes(std::int64_t{1} << 60) == "1 EiB");
    CHECK(format_bytes(std::numeric_limits<std::int64_t>::max()) == "8 EiB");
    Memory rules;
    rules.units_per_microbatch = 4;
    CHECK(format_amount(rules, 4) == "1 microbatch");
    CHECK(format_amount(rules, 10) == "2.5 microbatches");
    rules.in_bytes = true;
    CHECK(format_amount(rules, 10) == "10 B");
  }

  TEST_CASE("memory: random runs agree with the definition at every instant") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 60; ++round) {
      CAPTURE(round);
      const Problem problem = random_memory_problem(random);
      const Run run(problem, random_split(random, problem));
      const std::vector<std::int64_t> resident = resident_memory(problem);
      const auto profile = memory_profile(run.graph, run.timeline);
      bool agrees = true;
      for (std::size_t device = 0; device < profile.size(); ++device) {
        const std::vector<MemoryPoint>& points = profile[device];
        for (std::size_t i = 0; i < points.size(); ++i) {
          agrees = agrees && points[i].amount >= resident[device];
          const bool last_at_instant =
              i + 1 == points.size() || points[i + 1].time > points[i].time;
          agrees = agrees && (i == 0 || points[i - 1].time <= points[i].time);
          if (!last_at_instant) continue;
          agrees = agrees && points[i].amount == amount_after(run, Device{device}, points[i].time);
        }
        CHECK(points.back().amount == resident[device]);
      }
      CHECK(agrees);
    }
  }

  TEST_CASE("memory: where nothing is split the peak in microbatches is peak_activations") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 60; ++round) {
      const Problem problem = test::random_problem(random);
      for (const std::string schedule : {"gpipe", "1f1b"}) {
        const Run run(problem, test::program_of(schedule, problem));
        const Metrics metrics = compute_metrics(run.graph, run.timeline);
        const std::vector<std::int64_t> peaks = peak_memory(run.graph, run.timeline);
        for (std::size_t device = 0; device < peaks.size(); ++device) {
          CHECK(microbatches(memory_rules(problem), peaks[device]) ==
                Ratio{metrics.devices[device].peak_activations, 1});
        }
      }
    }
  }
}
