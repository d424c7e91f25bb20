#include "sim/metrics.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "sim/engine.hpp"
#include "sim/lower_bound.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

Metrics metrics_of(const std::string& schedule, const Problem& problem) {
  const TaskGraph graph(problem, test::program_of(schedule, problem));
  return compute_metrics(graph, simulate(graph));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("hw5_2: p=4, m=8, t_f=2, t_b=4") {
    for (const std::string schedule : {"gpipe", "1f1b"}) {
      CAPTURE(schedule);
      const Metrics metrics = metrics_of(schedule, test::equal_stages(4, 8, 2, 4));
      CHECK(metrics.t_total == Ticks{66});
      CHECK(metrics.t_ideal == Ticks{48});
      CHECK(metrics.t_ideal_mean == Ratio{48, 1});
      CHECK(metrics.bubble_ratio == Ratio{11, 8});
      CHECK(metrics.bubble_overhead == Ratio{3, 8});
      CHECK(metrics.bubble_fraction == Ratio{3, 11});
      CHECK(metrics.span_bubble_rate == Ratio{3, 11});
      CHECK(metrics.lower_bound == Ticks{66});
      CHECK(metrics.gap == Ratio{0, 1});
      CHECK(metrics.time_per_microbatch == Ratio{33, 4});
      for (std::size_t i = 0; i < 4; ++i) {
        CAPTURE(i);
        const DeviceMetrics& device = metrics.devices[i];
        CHECK(device.busy == Ticks{48});
        CHECK(device.idle == Ticks{18});
        CHECK(device.utilisation == Ratio{8, 11});
        CHECK(device.first_start == Ticks{2 * static_cast<std::int64_t>(i)});
        CHECK(device.peak_activations == (schedule == "gpipe" ? 8 : 4 - static_cast<int>(i)));
      }
    }
  }

  TEST_CASE("the span's bubble counts a step's share of the work, whole or not") {
    Problem problem = test::equal_stages(1, 2, 1, 2);
    problem.iterations.joined = 2;
    problem.durations = {Ticks{1}, Ticks{2}, Ticks{2}, Ticks{2}, Ticks{},
                         Ticks{},  Ticks{},  Ticks{},  Ticks{},  Ticks{}};
    const Metrics metrics = metrics_of("1f1b", problem);
    CHECK(metrics.t_ideal == Ticks{7});
    CHECK(metrics.devices.front().idle == Ticks{0});
    // The first step takes 3 of the 7, not half of them.
    CHECK(metrics.span_bubble_rate == Ratio{2 * 3 - 7, 2 * 3});
  }

  TEST_CASE("hw5_2 with m=16: the bubble shrinks") {
    for (const std::string schedule : {"gpipe", "1f1b"}) {
      const Metrics metrics = metrics_of(schedule, test::equal_stages(4, 16, 2, 4));
      CHECK(metrics.t_total == Ticks{114});
      CHECK(metrics.t_ideal == Ticks{96});
      CHECK(metrics.bubble_ratio == Ratio{19, 16});
    }
  }

  // Device 0 of the drawn case in engine_test.cpp: F0 0-2, F1 2-4, B0 8-12, F2 12-14, B1 14-18,
  // B2 20-24; device 1: F0 2-4, B0 4-8, ..., B2 16-20.
  TEST_CASE("idle time by phase, 1f1b, p=2, m=3") {
    const Metrics metrics = metrics_of("1f1b", test::equal_stages(2, 3, 2, 4));
    CHECK(metrics.devices[0].idle_warm_up == Ticks{4});
    CHECK(metrics.devices[0].idle_steady == Ticks{0});
    CHECK(metrics.devices[0].idle_cooldown == Ticks{2});
    CHECK(metrics.devices[1].idle_warm_up == Ticks{2});
    CHECK(metrics.devices[1].idle_steady == Ticks{0});
    CHECK(metrics.devices[1].idle_cooldown == Ticks{4});
  }

  // Device 0: F0 0-1, F1 1-2, B0 9-10, F2 10-11, B1 17-18, F3 18-19, B2 25-26, B3 33-34.
  TEST_CASE("idle time in the steady state") {
    const Metrics metrics =
        metrics_of("1f1b", test::problem_of(4, {{Ticks{1}, Ticks{1}}, {Ticks{4}, Ticks{4}}}));
    const DeviceMetrics& device = metrics.devices[0];
    CHECK(device.idle_warm_up == Ticks{7});
    CHECK(device.idle_steady == Ticks{6});
    CHECK(device.idle_cooldown == Ticks{13});
    CHECK(device.idle == Ticks{26});
  }

  TEST_CASE("unequal stages: T_ideal is the busiest device's work, the mean stands beside it") {
    const Metrics metrics =
        metrics_of("gpipe", test::problem_of(3, {{Ticks{1}, Ticks{2}}, {Ticks{3}, Ticks{5}}}));
    CHECK(metrics.t_ideal == Ticks{24});
    CHECK(metrics.t_ideal_mean == Ratio{33, 2});
    CHECK(metrics.lower_bound == Ticks{27});
  }

  TEST_CASE(
      "published: 1F1B 42 and GPipe 45 when stage 1 of 4 is 1.5 times slower, m=8, F=1, B=2") {
    const StageCosts normal{Ticks{2}, Ticks{4}};
    const Problem problem = test::problem_of(8, {normal, {Ticks{3}, Ticks{6}}, normal, normal});
    CHECK(metrics_of("1f1b", problem).t_total == Ticks{84});
    CHECK(metrics_of("gpipe", problem).t_total == Ticks{90});
  }

  TEST_CASE("sums over devices are wider than 64 bits") {
    constexpr std::int64_t kForward = std::numeric_limits<std::int64_t>::max() / 1031 / 3;
    const Metrics metrics = metrics_of("1f1b", test::equal_stages(1024, 8, kForward, 2 * kForward));
    CHECK(metrics.t_total == Ticks{3 * kForward} * 1031);
    CHECK(metrics.bubble_fraction == Ratio{1023, 1031});
    CHECK(metrics.t_ideal_mean == Ratio{24 * Int128{kForward}, 1});
  }
}
