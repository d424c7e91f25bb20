// Costs of chunks and what comes of them, for schedules that place several stages on a device.
#pragma once

#include <algorithm>

#include "tests/schedules/schedule_runs.hpp"

namespace pipesim::test {

inline StageCosts chunk(std::int64_t forward, std::int64_t backward) {
  return stage_costs(Ticks{forward}, Ticks{backward});
}

inline StageCosts split_chunk(std::int64_t forward, std::int64_t input, std::int64_t weight) {
  return stage_costs(Ticks{forward}, Ticks{input + weight}, Ticks{weight});
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

}  // namespace pipesim::test
