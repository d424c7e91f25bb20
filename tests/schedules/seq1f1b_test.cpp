#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/metrics.hpp"
#include "tests/configs.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

const Schedule& seq1f1b() { return *find_schedule(builtin_schedules(), "seq1f1b"); }

Parameters sliced(int slices) { return {{"slices", std::int64_t{slices}}}; }

/// F=1, B=2 a slice.
Problem problem_of(int p, int m, int slices) {
  return test::problem_for(
      seq1f1b(), p, m, [](int) { return stage_costs(Ticks{1}, Ticks{2}); }, sliced(slices));
}

std::string order(const LaneOrder& lane) {
  std::string text;
  for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
    text += (text.empty() ? "" : " ") + short_name(cursor.step().op);
  }
  return text;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the order of seq1f1b, p=4, m=2, 2 slices, by slice") {
    const Program program = test::program_of("seq1f1b", problem_of(4, 2, 2), sliced(2));
    CHECK(order(program.lanes[0]) == "F0 F1 F2 F3 B1 B0 B3 B2");
    CHECK(order(program.lanes[1]) == "F0 F1 F2 F3 B1 B0 B3 B2");
    CHECK(order(program.lanes[2]) == "F0 F1 F2 B1 F3 B0 B3 B2");
    CHECK(order(program.lanes[3]) == "F0 F1 B1 F2 B0 F3 B3 B2");
  }

  TEST_CASE("seq1f1b, equal slices: mT + (p-1)T/s and min(p-1-i+s, ms) slices (2406.03488)") {
    for (int p = 1; p <= 6; ++p) {
      for (int s = 1; s <= 5; ++s) {
        for (int m = 1; m <= 9; ++m) {
          CAPTURE(p);
          CAPTURE(s);
          CAPTURE(m);
          const Problem problem = problem_of(p, m, s);
          const TaskGraph graph(problem, test::program_of("seq1f1b", problem, sliced(s)));
          const Metrics metrics = compute_metrics(graph, simulate(graph));
          CHECK(metrics.t_total == Ticks{3} * (m * s + p - 1));
          CHECK(metrics.time_per_microbatch == Ratio{metrics.t_total.count, m});
          for (int i = 0; i < p; ++i) {
            const int most = std::min(p - 1 - i + s, m * s);
            CHECK(metrics.devices[static_cast<std::size_t>(i)].peak_activations == most);
            CHECK(peak(seq1f1b(), problem, sliced(s), Device{i}) == most);
          }
        }
      }
    }
  }

  TEST_CASE("one slice is 1f1b") {
    const Problem problem = problem_of(4, 8, 1);
    const Program sliced_once = test::program_of("seq1f1b", problem, sliced(1));
    const Program whole = test::program_of("1f1b", test::equal_stages(4, 8, 1, 2));
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(order(sliced_once.lanes[i]) == order(whole.lanes[i]));
    }
  }

  TEST_CASE("seq1f1b's program does not grow with m") {
    const auto lines = [](int m) {
      const std::string text = to_text(test::program_of("seq1f1b", problem_of(4, m, 3), sliced(3)));
      return std::count(text.begin(), text.end(), '\n');
    };
    CHECK(lines(100) == lines(10'000));
  }

  TEST_CASE("a microbatch's time is cut in proportion to its slices' costs") {
    const RunConfig config =
        test::load({.file = R"({"p": 2, "m": 3, "t_f": 10, "t_b": 21, "t_w": 8, "t_r": 5,
                                "time_unit": "ps", "schedule": "1f1b"})"})
            .config;
    const Problem problem = make_problem(config, loop_placement(2, 1), {1, 2, 3});
    CHECK(problem.slices == 3);
    CHECK(problem.microbatches == 9);
    const auto times = [&](OpKind kind) {
      std::vector<std::int64_t> result;
      for (int slice = 3; slice < 6; ++slice) {
        result.push_back(
            problem.duration(Op{.kind = kind, .stage = Stage{1}, .microbatch = Microbatch{slice}})
                .count);
      }
      return result;
    };
    CHECK(times(OpKind::forward) == std::vector<std::int64_t>{2, 3, 5});
    CHECK(times(OpKind::backward_weight) == std::vector<std::int64_t>{2, 2, 4});
    CHECK(times(OpKind::backward_input) == std::vector<std::int64_t>{3, 4, 6});
    CHECK(times(OpKind::backward) == std::vector<std::int64_t>{5, 6, 10});
    CHECK(problem.memory.units_per_microbatch == 3 * problem.memory.stages[0].activation);
    const Problem equal = make_problem(config, loop_placement(2, 1), {1, 1});
    CHECK(equal.durations.size() == std::size_t{5} * 2 * 6);  // 21 is odd
  }

  TEST_CASE("a slice's message takes its share of a link, shared or not") {
    for (const std::string link : {"", R"(, "devices_per_node": 1,
                                          "shared_link": {"bandwidth": "1TB/s"})"}) {
      const RunConfig config =
          test::load({.file = R"({"p": 2, "m": 2, "t_f": 30, "t_b": 60, "time_unit": "ps",
                                  "schedule": "1f1b", "p2p": {"mode": "async", "bytes": 300,
                                  "bandwidth": "1TB/s")" +
                              link + "}}"})
              .config;
      const Problem problem = make_problem(config, loop_placement(2, 1), {1, 1, 1});
      const TaskGraph graph(problem, test::program_of("seq1f1b", problem, sliced(3)));
      const TaskId send = graph.find_transfer(
          {.kind = OpKind::send_forward, .stage = Stage{0}, .microbatch = Microbatch{1}});
      CHECK(graph.nominal_duration(send) == Ticks{100});
    }
  }

  TEST_CASE("slices and slice_costs must agree") {
    CHECK_THROWS_WITH_AS(
        slices(seq1f1b(), {{"slices", std::int64_t{3}}, {"slice_costs", Integers{1, 2}}}),
        "/schedule/slice_costs: array of 2 for 3 slices; one value for each slice", Error);
    CHECK(slices(seq1f1b(), {{"slice_costs", Integers{1, 2, 5}}}) == Integers{1, 2, 5});
    CHECK(slices(seq1f1b(), {}) == Integers{1, 1});
  }
}
