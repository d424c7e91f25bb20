// What comes out when a schedule runs a problem, in the words of published tables.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"

namespace pipesim::test {

struct ScheduleRun {
  Program program;
  Ticks makespan;
  Ticks span;  ///< the longest time of a device from its first start to its last end
  Ratio span_bubble_rate;
  Ratio bubble_fraction;
  std::vector<std::int64_t> peak;         ///< by device: activations of a stage and microbatch
  std::vector<std::int64_t> peak_memory;  ///< by device, in the problem's unit
};

/// Plans, builds and runs. The problem's own placement does not matter.
inline ScheduleRun run_schedule(const Schedule& schedule, Problem problem,
                                const Parameters& given) {
  problem.placement = place(schedule, problem.devices, given);
  Program program = build(schedule, problem, plan(schedule, problem, given).parameters);
  const TaskGraph graph(problem, program);
  const Timeline timeline = simulate(graph);
  const Metrics metrics = compute_metrics(graph, timeline);
  ScheduleRun run{.program = std::move(program),
                  .makespan = metrics.t_total,
                  .span = {},
                  .span_bubble_rate = metrics.span_bubble_rate,
                  .bubble_fraction = metrics.bubble_fraction,
                  .peak = {},
                  .peak_memory = peak_memory(graph, timeline)};
  for (const DeviceMetrics& device : metrics.devices) {
    run.span = std::max(run.span, device.last_end - device.first_start);
    run.peak.push_back(device.peak_activations);
  }
  return run;
}

}  // namespace pipesim::test
