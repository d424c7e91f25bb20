// What tests of single schedules need: problems on the schedule's own placement, orders as text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/metrics.hpp"
#include "tests/problems.hpp"

namespace pipesim::test {

/// Where each of the schedule's stages has the same costs.
inline Problem problem_for(const std::string& schedule, int p, int m, const StageCosts& costs,
                           const Parameters& parameters = {}) {
  Problem problem;
  problem.devices = p;
  problem.microbatches = m;
  problem.placement = place(*find_schedule(builtin_schedules(), schedule), p, parameters);
  problem.costs.assign(static_cast<std::size_t>(problem.stages()), costs);
  return problem;
}

/// A backward whose halves take `input` and `weight`, and a pair that takes `fused`.
inline StageCosts split_costs(std::int64_t forward, std::int64_t input, std::int64_t weight,
                              std::int64_t fused) {
  StageCosts costs = stage_costs(Ticks{forward}, Ticks{input + weight}, Ticks{weight});
  costs.fused = Ticks{fused};
  return costs;
}

/// "0F0 (0F1;3B4)": a device's steps in their order.
inline std::string order_of(const Program& program, int device) {
  std::string text;
  for (StepCursor cursor(program.lanes[static_cast<std::size_t>(device)]); !cursor.done();
       cursor.advance()) {
    text += (text.empty() ? "" : " ") + token(cursor.step());
  }
  return text;
}

/// Every device's order.
inline std::vector<std::string> orders_of(const Program& program) {
  std::vector<std::string> orders;
  orders.reserve(program.lanes.size());
  for (int device = 0; device < static_cast<int>(program.lanes.size()); ++device) {
    orders.push_back(order_of(program, device));
  }
  return orders;
}

inline Metrics metrics_of(const std::string& schedule, const Problem& problem,
                          const Parameters& parameters = {}) {
  const TaskGraph graph(problem, program_of(schedule, problem, parameters));
  return compute_metrics(graph, simulate(graph));
}

/// The schedule's own bound, by device.
inline std::vector<std::int64_t> peaks_of(const std::string& schedule, const Problem& problem,
                                          const Parameters& parameters = {}) {
  std::vector<std::int64_t> peaks;
  peaks.reserve(static_cast<std::size_t>(problem.devices));
  for (int i = 0; i < problem.devices; ++i) {
    peaks.push_back(
        peak(*find_schedule(builtin_schedules(), schedule), problem, parameters, Device{i}));
  }
  return peaks;
}

/// What the devices hold at most, by device.
inline std::vector<std::int64_t> activations_of(const Metrics& metrics) {
  std::vector<std::int64_t> peaks;
  peaks.reserve(metrics.devices.size());
  for (const DeviceMetrics& device : metrics.devices) peaks.push_back(device.peak_activations);
  return peaks;
}

/// The most time a device is idle.
inline Ticks largest_idle(const Metrics& metrics) {
  Ticks largest;
  for (const DeviceMetrics& device : metrics.devices) largest = std::max(largest, device.idle);
  return largest;
}

/// Of the program as text.
inline std::int64_t lines(const Program& program) {
  const std::string text = to_text(program);
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace pipesim::test
