// Every registered schedule on random problems: the engine, the longest path over the graph and
// the checker must agree, and what is known of every schedule must hold.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "schedules/schedule.hpp"
#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/lower_bound.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "tests/problems.hpp"
#include "tests/run_invariants.hpp"

using namespace pipesim;

namespace {

bool plans_within_limit(const Schedule& schedule) {
  return schedule.info.name == "gpipe" || schedule.info.name == "zb_auto";
}

void check_invariants(const Metrics& metrics) {
  for (const DeviceMetrics& device : metrics.devices) {
    CHECK(device.busy + device.idle == metrics.t_total);
    CHECK(device.idle_warm_up + device.idle_steady + device.idle_cooldown == device.idle);
    CHECK(device.peak_activations >= 1);
  }
  CHECK(metrics.lower_bound <= metrics.t_total);
  CHECK(metrics.t_ideal <= metrics.lower_bound);
  CHECK(metrics.t_ideal_mean <= Ratio{metrics.t_ideal.count, 1});
  CHECK(metrics.gap >= Ratio{0, 1});
}

void check_critical_path(const TaskGraph& graph, const Timeline& timeline) {
  const CriticalPath path = critical_path(graph, timeline);
  CHECK(path.forward + path.backward + path.waiting == total_time(timeline));
  const bool is_free = graph.problem().communication.inter.latency == Ticks{0};
  if (is_free) CHECK(path.waiting == Ticks{0});
  CHECK(timeline.spans[path.tasks.front()].start == Ticks{0});
  CHECK(timeline.spans[path.tasks.back()].end == total_time(timeline));
  for (std::size_t i = 1; i < path.tasks.size(); ++i) {
    const Ticks gap = timeline.spans[path.tasks[i]].start - timeline.spans[path.tasks[i - 1]].end;
    CHECK(gap >= Ticks{0});
    if (is_free) CHECK(gap == Ticks{0});
  }
}

void check_schedule(const Schedule& schedule, const Problem& problem, const Parameters& given) {
  const Plan planned = plan(schedule, problem, given);
  const Program program = build(schedule, problem, planned.parameters);
  const TaskGraph graph(problem, program);
  CHECK(find_cycle(graph).empty());
  const Timeline timeline = simulate(graph);
  test::check_verified(graph, program, timeline);
  test::check_longest_paths(graph, timeline);
  const Metrics metrics = compute_metrics(graph, timeline);
  check_invariants(metrics);
  for (int device = 0; device < problem.devices; ++device) {
    INFO("device ", device);
    CHECK(metrics.devices[static_cast<std::size_t>(device)].peak_activations <=
          peak(schedule, problem, planned.parameters, Device{device}));
  }
  check_critical_path(graph, timeline);
  if (problem.memory_limit && plans_within_limit(schedule)) {
    CHECK_FALSE(find_over_limit(graph, timeline).has_value());
  }
}

/// The sizes that a schedule may be given, 1 to 3 or left to it, and its variants.
Parameters random_parameters(std::mt19937_64& random, const Schedule& schedule) {
  Parameters parameters;
  for (const ParameterSpec& spec : schedule.info.parameters) {
    const bool is_size =
        spec.name == "v" || spec.name == "k" || spec.name == "waves" || spec.name == "slices";
    const std::int64_t drawn = test::draw(random, 0, 3);
    if (is_size && drawn > 0) parameters[spec.name] = drawn;
    if (spec.type != ParameterType::text || spec.choices.empty() || drawn == 0) continue;
    parameters[spec.name] = spec.choices[static_cast<std::size_t>(drawn) % spec.choices.size()];
  }
  return parameters;
}

/// A problem for the schedule, p in 1..8, m in 1..24, every time in 0..20 ticks; now and then a
/// latency.
Problem random_problem_for(std::mt19937_64& random, const Schedule& schedule,
                           const Parameters& parameters) {
  const auto time = [&](std::int64_t low, std::int64_t high) {
    return Ticks{test::draw(random, low, high)};
  };
  Problem problem = test::problem_for(
      schedule, static_cast<int>(test::draw(random, 1, 8)),
      static_cast<int>(test::draw(random, 1, 24)),
      [&](int stage) {
        const Ticks backward = time(0, 20);
        return stage_costs(time(stage == 0 ? 1 : 0, 20), backward, time(0, backward.count));
      },
      parameters);
  if (test::draw(random, 0, 2) == 0) {
    problem.communication.intra.latency = problem.communication.inter.latency = time(0, 5);
  }
  return problem;
}

}  // namespace

TEST_SUITE("conformance") {
  TEST_CASE("engine = longest path = checker, on random stages") {
    constexpr std::uint64_t kSeed = 20240229;
    MESSAGE("seed " << kSeed);
    std::mt19937_64 random(kSeed);
    for (const Schedule* schedule : test::general_schedules()) {
      int ran = 0;
      for (int round = 0; round < 300; ++round) {
        const Parameters parameters = random_parameters(random, *schedule);
        Problem problem = random_problem_for(random, *schedule, parameters);
        if (round % 3 == 0) problem.memory_limit = test::draw(random, 1, 20);
        INFO(schedule->info.name, " p=", problem.devices, " m=", problem.microbatches);
        if (!test::accepts(*schedule, problem, parameters)) continue;
        check_schedule(*schedule, problem, parameters);
        ++ran;
      }
      INFO(schedule->info.name);
      CHECK(ran >= 30);
    }
  }

  TEST_CASE("equal stages: T_total = (m+p-1)(t_f+t_b) (1811.06965, 2006.09503)") {
    for (const std::string schedule : {"gpipe", "1f1b", "eager_1f1b", "kfkb", "bpipe"}) {
      for (int p = 1; p <= 9; ++p) {
        for (int m = 1; m <= 20; ++m) {
          const Problem problem =
              test::problem_for(*find_schedule(builtin_schedules(), schedule), p, m,
                                [](int) { return stage_costs(Ticks{7}, Ticks{11}); });
          const Timeline timeline = simulate(problem, test::program_of(schedule, problem));
          CHECK(total_time(timeline) == Ticks{18} * (m + p - 1));
        }
      }
    }
  }

  TEST_CASE("peaks: gpipe m on every device, 1f1b min(m, p-i)") {
    for (int p = 1; p <= 9; ++p) {
      for (int m = 1; m <= 20; ++m) {
        const Problem problem = test::equal_stages(p, m, 2, 4);
        for (const std::string schedule : {"gpipe", "1f1b"}) {
          const TaskGraph graph(problem, test::program_of(schedule, problem));
          const Metrics metrics = compute_metrics(graph, simulate(graph));
          for (int i = 0; i < p; ++i) {
            const int expected = schedule == "gpipe" ? m : std::min(m, p - i);
            CHECK(metrics.devices[static_cast<std::size_t>(i)].peak_activations == expected);
          }
        }
      }
    }
  }

  TEST_CASE("scaling every time by k scales every time of the result by k") {
    std::mt19937_64 random(7);
    for (int round = 0; round < 100; ++round) {
      const Problem problem = test::random_problem(random);
      const std::int64_t k = test::draw(random, 2, 1000);
      Problem scaled = problem;
      for (StageCosts& costs : scaled.costs) {
        costs = {.forward = costs.forward * k, .backward = costs.backward * k};
      }
      for (const std::string schedule : {"gpipe", "1f1b"}) {
        const Timeline timeline = simulate(problem, test::program_of(schedule, problem));
        const Timeline larger = simulate(scaled, test::program_of(schedule, scaled));
        bool equal = true;
        for (std::size_t i = 0; i < timeline.spans.size(); ++i) {
          equal = equal && larger.spans[i].start == timeline.spans[i].start * k;
        }
        CHECK(equal);
        CHECK(lower_bound(TaskGraph(scaled, test::program_of(schedule, scaled))) ==
              lower_bound(TaskGraph(problem, test::program_of(schedule, problem))) * k);
      }
    }
  }

  TEST_CASE("one microbatch more never makes a step shorter") {
    std::mt19937_64 random(8);
    for (int round = 0; round < 100; ++round) {
      Problem problem = test::random_problem(random);
      for (const std::string schedule : {"gpipe", "1f1b"}) {
        const Ticks before = total_time(simulate(problem, test::program_of(schedule, problem)));
        Problem longer = problem;
        ++longer.microbatches;
        CHECK(total_time(simulate(longer, test::program_of(schedule, longer))) >= before);
      }
    }
  }
}
