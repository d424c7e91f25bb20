// The streaming run against the readable engine: the same program, the same numbers to the tick.
#include "sim/streaming.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>

#include "sim/chain_kernel.hpp"
#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/idle.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "sim/stream_kernel.hpp"
#include "sim/stream_program.hpp"
#include "tests/problems.hpp"
#include "tests/random_runs.hpp"

using namespace pipesim;

namespace {

void check_equal(const Ratio& left, const Ratio& right) {
  CHECK(left.numerator == right.numerator);
  CHECK(left.denominator == right.denominator);
}

void check_devices(const std::vector<DeviceMetrics>& streamed,
                   const std::vector<DeviceMetrics>& expected) {
  REQUIRE(streamed.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(streamed[i].busy == expected[i].busy);
    CHECK(streamed[i].idle == expected[i].idle);
    CHECK(streamed[i].idle_warm_up == expected[i].idle_warm_up);
    CHECK(streamed[i].idle_steady == expected[i].idle_steady);
    CHECK(streamed[i].idle_cooldown == expected[i].idle_cooldown);
    CHECK(streamed[i].first_start == expected[i].first_start);
    CHECK(streamed[i].last_end == expected[i].last_end);
    CHECK(streamed[i].peak_activations == expected[i].peak_activations);
    check_equal(streamed[i].utilisation, expected[i].utilisation);
  }
}

/// Everything that a report takes from a run, but its critical path.
void check_against_engine(const StreamedRun& streamed, const Problem& problem,
                          const Program& program) {
  const TaskGraph graph(problem, program);
  const Timeline timeline = simulate(graph);
  const Metrics expected = compute_metrics(graph, timeline);
  const Metrics& metrics = streamed.metrics;
  CHECK(metrics.t_total == expected.t_total);
  CHECK(metrics.t_ideal == expected.t_ideal);
  CHECK(metrics.lower_bound == expected.lower_bound);
  CHECK(metrics.iteration_time == expected.iteration_time);
  check_equal(metrics.t_ideal_mean, expected.t_ideal_mean);
  check_equal(metrics.bubble_ratio, expected.bubble_ratio);
  check_equal(metrics.bubble_overhead, expected.bubble_overhead);
  check_equal(metrics.bubble_fraction, expected.bubble_fraction);
  check_equal(metrics.span_bubble_rate, expected.span_bubble_rate);
  check_equal(metrics.gap, expected.gap);
  check_equal(metrics.time_per_microbatch, expected.time_per_microbatch);
  check_devices(metrics.devices, expected.devices);
  CHECK(streamed.peak_memory == peak_memory(graph, timeline));
  const auto parts = idle_parts(graph, timeline);
  REQUIRE(streamed.idle.size() == parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CAPTURE(i);
    CHECK(streamed.idle[i] == idle_times(parts[i]));
  }
}

void check_starts(const Problem& problem, const Program& program, FastForward fast_forward) {
  const Timeline timeline = simulate(TaskGraph(problem, program));
  StreamStarts starts;
  REQUIRE(stream_starts(stream_program(problem, program).value(), fast_forward, starts));
  REQUIRE(starts.lanes() == timeline.devices());
  for (std::size_t device = 0; device < starts.lanes(); ++device) {
    CAPTURE(device);
    std::vector<Ticks> streamed;
    for (std::size_t op = 0; op < starts.size(device); ++op) {
      streamed.emplace_back(starts.at(device, op));
    }
    CHECK(std::equal(streamed.begin(), streamed.end(), timeline.begin(device), timeline.end(device),
                     [](Ticks start, const Span& span) { return start == span.start; }));
  }
}

/// Unequal stages and latencies; times of a few ticks, so that many things happen at one instant.
Problem random_stages(std::mt19937_64& random, const Schedule& schedule, int p, int m) {
  const std::int64_t most = test::flip(random) ? 4 : 1000;
  Problem problem = test::problem_for(schedule, p, m, [&](int) {
    StageCosts costs = stage_costs(test::draw_ticks(random, most), test::draw_ticks(random, most));
    costs.weight = test::draw_ticks(random, costs.backward.count);
    return costs;
  });
  problem.costs.front().forward += Ticks{1};
  if (test::flip(random)) {
    problem.communication.devices_per_node = static_cast<std::int32_t>(test::draw(random, 0, 3));
    problem.communication.intra.latency = test::draw_ticks(random, most);
    problem.communication.inter.latency = test::draw_ticks(random, 2 * most);
    problem.communication.inter.occupancy = test::draw_ticks(random, most);
  }
  if (test::draw(random, 0, 3) == 0) problem.launch_overhead = test::draw_ticks(random, 3);
  if (test::draw(random, 0, 3) == 0) {
    problem.recompute.assign(static_cast<std::size_t>(problem.stages()), false);
    for (std::size_t s = 0; s < problem.recompute.size(); ++s) {
      problem.recompute[s] = test::flip(random);
    }
  }
  return problem;
}

struct Tally {
  int streamed = 0;
  int runs = 0;
};

std::map<std::string, Tally> compare_schedules(std::uint64_t seed, int runs, int most_p,
                                               int most_m) {
  std::mt19937_64 random(seed);
  std::map<std::string, Tally> tally;
  const Registry registry = test::general_schedules();
  for (int run = 0; run < runs; ++run) {
    const Schedule& schedule = *registry[static_cast<std::size_t>(run) % registry.size()];
    const auto p = static_cast<int>(test::draw(random, 1, most_p));
    const auto m = static_cast<int>(test::draw(random, 1, most_m));
    const Problem problem = random_stages(random, schedule, p, m);
    if (!test::accepts(schedule, problem)) continue;
    const Program program = test::program_of(std::string(schedule.info.name), problem);
    CAPTURE(schedule.info.name);
    CAPTURE(p);
    CAPTURE(m);
    CAPTURE(run);
    Tally& of_schedule = tally[std::string(schedule.info.name)];
    ++of_schedule.runs;
    for (const FastForward fast : {FastForward::none, FastForward::loops, FastForward::jumps}) {
      CAPTURE(static_cast<int>(fast));
      const auto streamed = stream_run(problem, program, fast);
      const Program listed = test::op_by_op(program);
      const auto streamed_listed = stream_run(problem, listed, fast);
      if (is_op_by_op(listed)) CHECK(streamed_listed.has_value() == streamed.has_value());
      if (!streamed) continue;
      check_against_engine(*streamed, problem, program);
      check_against_engine(streamed_listed.value(), problem, listed);
      if (fast == FastForward::jumps) ++of_schedule.streamed;
    }
  }
  return tally;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a streamed run equals the engine's, of every schedule") {
    const auto tally = compare_schedules(1, 1200, 6, 120);
    for (const char* const name : {"gpipe", "1f1b", "eager_1f1b", "kfkb", "zb_h1"}) {
      CAPTURE(name);
      CHECK(tally.at(name).runs > 0);
      CHECK(tally.at(name).streamed == tally.at(name).runs);
    }
  }

  TEST_CASE("stored starts are the engine's") {
    std::mt19937_64 random(5);
    for (const char* const name : {"gpipe", "1f1b", "kfkb", "zb_h1", "interleaved_1f1b"}) {
      CAPTURE(name);
      const Schedule& schedule = *find_schedule(builtin_schedules(), name);
      for (int run = 0; run < 12; ++run) {
        const auto p = static_cast<int>(test::draw(random, 1, 6));
        const Problem problem = random_stages(random, schedule, p, 40 * p);
        const Program program = test::program_of(name, problem);
        check_starts(problem, program, FastForward::none);
        check_starts(problem, program, FastForward::loops);
        check_starts(problem, test::op_by_op(program), FastForward::loops);
      }
    }
  }

  TEST_CASE("leaps over very many microbatches end where taking them one by one ends") {
    std::mt19937_64 random(6);
    for (const char* const name : {"gpipe", "1f1b", "eager_1f1b", "kfkb", "zb_h1", "zb_h2"}) {
      CAPTURE(name);
      const Schedule& schedule = *find_schedule(builtin_schedules(), name);
      for (int run = 0; run < 10; ++run) {
        const auto p = static_cast<int>(test::draw(random, 1, 12));
        const auto m = static_cast<int>(test::draw(random, 20'000, 40'000));
        const Problem problem = random_stages(random, schedule, p, m);
        const StreamProgram program =
            stream_program(problem, test::program_of(name, problem)).value();
        const std::vector<LaneTimes> expected = stream_times(program, FastForward::none);
        CAPTURE(p);
        CAPTURE(m);
        CHECK(stream_times(program, FastForward::loops) == expected);
        CHECK(stream_times(program, FastForward::jumps) == expected);
      }
    }
  }

  TEST_CASE("pipelines of many lanes, in which the waves of a fill and a drain are vectors") {
    std::mt19937_64 random(8);
    for (const char* const name : {"gpipe", "1f1b", "eager_1f1b", "kfkb", "zb_h1"}) {
      CAPTURE(name);
      const Schedule& schedule = *find_schedule(builtin_schedules(), name);
      for (int run = 0; run < 8; ++run) {
        const auto p = static_cast<int>(test::draw(random, 14, run % 2 == 0 ? 70 : 300));
        const auto m = static_cast<int>(test::draw(random, 1, 6)) * (run % 2 == 0 ? p : 1);
        CAPTURE(p);
        CAPTURE(m);
        const Problem problem = random_stages(random, schedule, p, m);
        const StreamProgram program =
            stream_program(problem, test::program_of(name, problem)).value();
        const std::vector<LaneTimes> expected = stream_times(program, FastForward::none);
        CHECK(stream_times(program, FastForward::loops) == expected);
        CHECK(stream_times(program, FastForward::jumps) == expected);
        check_starts(problem, test::program_of(name, problem), FastForward::loops);
      }
    }
  }

  TEST_CASE("starts are written into memory that is used again") {
    StreamStarts starts;
    for (const int m : {400, 900, 100}) {
      const Problem problem = test::equal_stages(4, m, 2, 3);
      const StreamProgram program =
          stream_program(problem, test::program_of("1f1b", problem)).value();
      REQUIRE(stream_starts(program, FastForward::loops, starts));
      StreamStarts expected;
      REQUIRE(stream_starts(program, FastForward::none, expected));
      for (std::size_t lane = 0; lane < 4; ++lane) {
        REQUIRE(starts.size(lane) == static_cast<std::size_t>(2 * m));
        for (std::size_t op = 0; op < starts.size(lane); ++op) {
          REQUIRE(starts.at(lane, op) == expected.at(lane, op));
        }
      }
    }
  }

  TEST_CASE("every kernel of a chain does the same") {
    constexpr std::size_t kWaves = 40;
    constexpr std::size_t kLanes = 3 * kChainBlock;
    constexpr std::size_t kRoom = kLanes + 2 * kChainBlock;
    for (const bool has_latency : {false, true}) {
      CAPTURE(has_latency);
      std::vector<std::vector<std::int64_t>> results;
      for (const ChainKernel kernel : chain_kernels(has_latency)) {
        std::mt19937_64 random(9);
        std::vector<std::vector<std::uint8_t>> bytes(6, std::vector<std::uint8_t>(kRoom));
        std::vector<std::vector<std::int64_t>> times(8, std::vector<std::int64_t>(kRoom));
        const auto byte = [&](std::size_t i) { return bytes[i].data() + kChainBlock; };
        const auto time = [&](std::size_t i) { return times[i].data() + kChainBlock; };
        ChainArrays arrays = {.end = kLanes,
                              .first = byte(0),
                              .second = byte(1),
                              .left = byte(2),
                              .holds = byte(3),
                              .holds_next = byte(4),
                              .done = byte(5),
                              .first_duration = time(0),
                              .second_duration = time(1),
                              .time = time(2),
                              .from_above = time(3),
                              .from_below = time(4),
                              .latency_from_above = time(5),
                              .latency_from_below = time(6),
                              .communication = time(7)};
        const auto draw = [&](std::int64_t most) { return test::draw(random, 0, most); };
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          // An input from above and an output below, or the other way; every eighth lane idle.
          const bool is_idle = draw(7) == 0;
          const auto op = [&](std::uint8_t second) {
            const bool is_down = draw(1) == 0;
            const int takes = draw(1) == 0 ? 0 : is_down ? kTakesFromAbove : kTakesFromBelow;
            const int puts = draw(3) > 0 ? 0 : is_down ? kPutsBelow : kPutsAbove;
            return static_cast<std::uint8_t>(is_idle ? 0 : takes | puts | second | kIsOp);
          };
          arrays.first[lane] = op(0);
          arrays.second[lane] = op(kIsSecond);
          arrays.left[lane] = static_cast<std::uint8_t>(is_idle ? 0 : 60 + draw(1));
          for (std::size_t i = 0; i < 7; ++i) time(i)[lane] = draw(100);
        }
        std::vector<std::int64_t> result;
        for (std::size_t wave = 0; wave < kWaves; ++wave) {
          const ChainWave came = kernel(arrays);
          result.push_back(static_cast<std::int64_t>(came));
          if (came == ChainWave::none) break;
          if (came == ChainWave::refused) {
            std::fill_n(arrays.holds, kLanes, std::uint8_t{0});
            continue;
          }
          std::swap(arrays.holds, arrays.holds_next);
          for (const auto& each : times) result.insert(result.end(), each.begin(), each.end());
          for (const auto& each : bytes) result.insert(result.end(), each.begin(), each.end());
        }
        results.push_back(std::move(result));
      }
      for (const auto& result : results) CHECK(result == results.front());
      CHECK(results.front().size() > 1000);
    }
  }

  TEST_CASE("every kernel does the same") {
    std::mt19937_64 random(7);
    constexpr std::int64_t kLanes = 37;
    for (const auto& [has_latency, keeps_starts] :
         {std::pair{false, false}, {false, true}, {true, false}, {true, true}}) {
      const auto drawn = [&](std::int64_t size) {
        std::vector<std::int64_t> values;
        for (std::int64_t i = 0; i < size; ++i) values.push_back(test::draw(random, 0, 100));
        return values;
      };
      // Lanes, inputs and outputs after another; a run without input and one without output.
      const std::vector<std::int64_t> values = drawn(3 * kLanes);
      const std::vector<std::int64_t> duration = drawn(kLanes);
      const std::vector<std::int64_t> latency = drawn(kLanes);
      const std::vector<KernelRun> runs = {
          {.count = kLanes, .lane = 0, .input = kLanes, .output = 2 * kLanes, .op = 0},
          {.count = 5, .lane = 3, .input = -1, .output = 2 * kLanes + 4, .op = 6},
          {.count = 9, .lane = 8, .input = kLanes + 2, .output = -1, .op = 1}};
      std::vector<std::vector<std::int64_t>> results;
      for (const Kernel kernel : kernels(has_latency, keeps_starts)) {
        std::vector<std::int64_t> now = values;
        std::vector<std::int64_t> communication(kLanes);
        std::vector<std::int64_t> starts(kLanes);
        kernel(runs.data(), runs.data() + runs.size(),
               {.values = now.data(),
                .communication = communication.data(),
                .duration = duration.data(),
                .latency_in = latency.data(),
                .latency_out = latency.data(),
                .starts = starts.data()});
        now.insert(now.end(), communication.begin(), communication.end());
        now.insert(now.end(), starts.begin(), starts.end());
        results.push_back(std::move(now));
      }
      for (const auto& result : results) CHECK(result == results.front());
      CHECK(results.front() != values);
    }
  }

  TEST_CASE("what cannot be streamed is left to the engine") {
    const Problem problem = test::equal_stages(2, 4, 1, 2);
    const auto custom = [](std::vector<Item> second) {
      return Program{
          .lanes = {{repeat(4, {forward(Stage{0}, 0)}), repeat(4, {backward(Stage{0}, 0)})},
                    std::move(second)}};
    };
    // In order, then with microbatches of one lane turned round, then a backward before its
    // forward.
    CHECK(stream_run(problem, custom({repeat(4, {forward(Stage{1}, 0), backward(Stage{1}, 0)})})));
    CHECK_FALSE(stream_run(problem, custom({repeat(4, {with_stride(forward(Stage{1}, 3), -1),
                                                       with_stride(backward(Stage{1}, 3), -1)})})));
    CHECK_FALSE(
        stream_run(problem, custom({repeat(4, {backward(Stage{1}, 0), forward(Stage{1}, 0)})})));
    // The same op by op; and where the only microbatch's backward comes first.
    const auto listed = [&](std::vector<Item> second) {
      return test::op_by_op(custom(std::move(second)));
    };
    CHECK(stream_run(problem, listed({repeat(4, {forward(Stage{1}, 0), backward(Stage{1}, 0)})})));
    CHECK_FALSE(stream_run(problem, listed({repeat(4, {with_stride(forward(Stage{1}, 3), -1),
                                                       with_stride(backward(Stage{1}, 3), -1)})})));
    CHECK_FALSE(
        stream_run(problem, listed({repeat(4, {backward(Stage{1}, 0), forward(Stage{1}, 0)})})));
    CHECK_FALSE(
        stream_run(test::equal_stages(1, 1, 1, 2),
                   test::op_by_op({.lanes = {{backward(Stage{0}, 0), forward(Stage{0}, 0)}}})));
    // A cycle over both lanes: a deadlock.
    CHECK_FALSE(stream_run(
        problem,
        {.lanes = {{forward(Stage{0}, 0), backward(Stage{0}, 0), repeat(3, {forward(Stage{0}, 1)}),
                    repeat(3, {backward(Stage{0}, 1)})},
                   {repeat(4, {forward(Stage{1}, 0)}), repeat(4, {backward(Stage{1}, 0)})}}}));
    // The backwards of one flow are full, those of the other split.
    Problem flows = test::equal_stages(2, 2, 1, 2);
    flows.placement = bidirectional_placement(2);
    for (StageCosts& costs : flows.costs) costs.weight = Ticks{1};
    const Program mixed = {
        .lanes = {{forward(Stage{0}, 0), forward(Stage{1}, 1), backward_input(Stage{1}, 1),
                   backward_weight(Stage{1}, 1), backward(Stage{0}, 0)},
                  {forward(Stage{0}, 1), forward(Stage{1}, 0), backward(Stage{1}, 0),
                   backward_input(Stage{0}, 1), backward_weight(Stage{0}, 1)}}};
    validate_program(flows, mixed);
    CHECK_FALSE(stream_run(flows, mixed));
    Problem limited = problem;
    limited.memory_limit = 3;
    CHECK_FALSE(stream_run(limited, test::program_of("gpipe", problem)));
    CHECK(stream_run(limited, test::program_of("1f1b", problem)));
  }

  TEST_CASE("problems whose tasks depend on more than their lanes are left to the engine") {
    const Problem plain = test::equal_stages(2, 4, 1, 2);
    const Program program = test::program_of("1f1b", plain);
    CHECK(stream_run(plain, program));
    const std::vector<std::function<void(Problem&)>> changes = {
        [](Problem& problem) { problem.communication.mode = TransferMode::async; },
        [](Problem& problem) { problem.communication.shared_link = Ticks{1}; },
        [](Problem& problem) { problem.iterations.count = 2; },
        [](Problem& problem) { problem.iterations.joined = 2; },
        [](Problem& problem) { problem.iterations.barrier = true; },
        [](Problem& problem) { problem.slices = 2; },
        [](Problem& problem) {
          problem.parking.keeper = {Device{1}, Device{0}};
        },
        [](Problem& problem) { problem.stragglers = {Straggler{}}; },
        [](Problem& problem) { problem.durations.assign(5 * 2 * 4, Ticks{1}); }};
    for (std::size_t i = 0; i < changes.size(); ++i) {
      CAPTURE(i);
      Problem problem = plain;
      changes[i](problem);
      CHECK_FALSE(stream_run(problem, program));
    }
  }

  TEST_CASE("times beyond the range of ticks are refused after any number of microbatches") {
    const Problem problem = test::equal_stages(3, 2'000'000'000, 2'000'000'000, 4'000'000'000);
    CHECK_THROWS_AS(stream_run(problem, test::program_of("1f1b", problem)), TimeOverflow);
    CHECK_THROWS_AS(stream_total(problem, test::program_of("gpipe", problem)), TimeOverflow);
  }
}

TEST_SUITE("slow") {
  TEST_CASE("fast-forward leaves no trace in thousands of runs of many microbatches") {
#ifdef NDEBUG
    constexpr int kRuns = 10'000;
#else
    constexpr int kRuns = 1'000;  // with sanitizers each takes ten times as long
#endif
    compare_schedules(2, kRuns, 9, 700);
  }
}
