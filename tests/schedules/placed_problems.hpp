// Problems for schedules that place several stages on a device, and their orders as text.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/metrics.hpp"
#include "tests/problems.hpp"

namespace pipesim::test {

/// Every stage with these costs, on the device where the schedule places it.
inline Problem placed_problem(const std::string& schedule, int p, int m, const StageCosts& costs,
                              const Parameters& parameters = {}) {
  Problem problem;
  problem.devices = p;
  problem.microbatches = m;
  problem.placement = place(*find_schedule(builtin_schedules(), schedule), p, parameters);
  problem.costs.assign(static_cast<std::size_t>(problem.stages()), costs);
  return problem;
}

inline StageCosts chunk(std::int64_t forward, std::int64_t backward) {
  return stage_costs(Ticks{forward}, Ticks{backward});
}

inline StageCosts split_chunk(std::int64_t forward, std::int64_t input, std::int64_t weight) {
  return stage_costs(Ticks{forward}, Ticks{input + weight}, Ticks{weight});
}

/// The tokens of a device.
inline std::string order_of(const Program& program, int device) {
  std::string text;
  for (StepCursor cursor(program.lanes[static_cast<std::size_t>(device)]); !cursor.done();
       cursor.advance()) {
    text += (text.empty() ? "" : " ") + token(cursor.step());
  }
  return text;
}

inline Metrics metrics_of(const Problem& problem, const Program& program) {
  const TaskGraph graph(problem, program);
  return compute_metrics(graph, simulate(graph));
}

/// T_total less what a device has to do, where all devices have the same.
inline std::int64_t excess(const Problem& problem, const Program& program) {
  const Metrics metrics = metrics_of(problem, program);
  return metrics.t_total.count - metrics.t_ideal.count;
}

/// The longest time of a device from its first start to its last end.
inline std::int64_t longest_span(const Metrics& metrics) {
  std::int64_t longest = 0;
  for (const DeviceMetrics& device : metrics.devices) {
    longest = std::max(longest, device.last_end.count - device.first_start.count);
  }
  return longest;
}

inline auto lines_of(const Program& program) {
  const std::string text = to_text(program);
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace pipesim::test
