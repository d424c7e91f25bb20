// Problems that many tests use.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"
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
  }
  costs.front().forward += Ticks{1};
  return problem_of(static_cast<int>(draw(random, 1, 20)), costs);
}

/// A problem on a schedule's own placement, with these costs by stage, its slices, keepers and
/// weight versions; m counts whole microbatches.
inline Problem problem_for(const Schedule& schedule, int p, int m,
                           const std::function<StageCosts(int stage)>& costs,
                           const Parameters& parameters = {}) {
  Problem problem;
  problem.devices = p;
  problem.placement = place(schedule, p, parameters);
  problem.slices = static_cast<std::int32_t>(slices(schedule, parameters).size());
  problem.microbatches = m * problem.slices;
  for (int stage = 0; stage < problem.stages(); ++stage) problem.costs.push_back(costs(stage));
  return with_state(schedule, problem, plan(schedule, problem, parameters).parameters);
}

/// The built-in schedules that make an order for any problem.
inline Registry general_schedules() {
  Registry registry = builtin_schedules();
  std::erase_if(registry, [](const Schedule* schedule) { return needs_order(*schedule); });
  return registry;
}

/// The problem on the schedule's own placement: stage s takes what stage s mod p took, half of its
/// backward as its weight gradient.
inline Problem placed(const Schedule& schedule, const Problem& problem) {
  Problem own = problem_for(schedule, problem.devices, problem.microbatches, [&](int stage) {
    StageCosts costs = problem.costs[static_cast<std::size_t>(stage) % problem.costs.size()];
    costs.weight = Ticks{costs.backward.count / 2};
    return costs;
  });
  own.memory_limit = problem.memory_limit;
  return own;
}

/// Whether the schedule has an order for the problem.
inline bool accepts(const Schedule& schedule, const Problem& problem,
                    const Parameters& parameters = {}) {
  try {
    if (schedule.check) schedule.check(problem, plan(schedule, problem, parameters).parameters);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    return false;
  }
}

/// The program of a built-in schedule with the parameters that it chooses itself.
inline Program program_of(const std::string& schedule, const Problem& problem,
                          const Parameters& parameters = {}) {
  const Schedule& found = *find_schedule(builtin_schedules(), schedule);
  return build(found, problem, plan(found, problem, parameters).parameters);
}

}  // namespace pipesim::test
