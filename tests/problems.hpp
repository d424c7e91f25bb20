// Problems that many tests use.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim::test {

/// One stage on each device, with costs by stage in ticks.
inline Problem problem_of(int m, const std::vector<StageCosts>& costs) {
  Problem problem;
  problem.devices = static_cast<std::int32_t>(costs.size());
  problem.microbatches = m;
  problem.placement = loop_placement(problem.devices, 1);
  problem.costs = costs;
  return problem;
}

inline Problem equal_stages(int p, int m, std::int64_t forward, std::int64_t backward) {
  const StageCosts costs{.forward = Ticks{forward}, .backward = Ticks{backward}};
  return problem_of(m, std::vector<StageCosts>(static_cast<std::size_t>(p), costs));
}

/// A random integer in [low, high], the same on every standard library.
inline std::int64_t draw(std::mt19937_64& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
}

/// p in 1..9, m in 1..20, every time in 0..20 ticks, T_ideal above 0.
inline Problem random_problem(std::mt19937_64& random) {
  std::vector<StageCosts> costs(static_cast<std::size_t>(draw(random, 1, 9)));
  for (StageCosts& stage : costs) {
    stage = {.forward = Ticks{draw(random, 0, 20)}, .backward = Ticks{draw(random, 0, 20)}};
    stage.weight = Ticks{draw(random, 0, stage.backward.count)};
  }
  costs.front().forward += Ticks{1};
  return problem_of(static_cast<int>(draw(random, 1, 20)), costs);
}

/// The built-in schedules that make an order for any problem.
inline Registry general_schedules() {
  Registry registry = builtin_schedules();
  std::erase_if(registry, [](const Schedule* schedule) { return needs_order(*schedule); });
  return registry;
}

/// The problem on the placement of a schedule: every stage of a device has the costs that the
/// device's one stage had.
inline Problem placed_for(const Schedule& schedule, Problem problem) {
  problem.placement = place(schedule, problem.devices, {});
  const std::vector<StageCosts> by_device = std::move(problem.costs);
  problem.costs.clear();
  for (int s = 0; s < problem.stages(); ++s) {
    const Device device = problem.device(Stage{s}, Microbatch{0});
    problem.costs.push_back(by_device[static_cast<std::size_t>(device.value)]);
  }
  return problem;
}

/// The program of a built-in schedule with the parameters that it chooses itself.
inline Program program_of(const std::string& schedule, const Problem& problem,
                          const Parameters& parameters = {}) {
  const Schedule& found = *find_schedule(builtin_schedules(), schedule);
  return build(found, problem, plan(found, problem, parameters).parameters);
}

}  // namespace pipesim::test
