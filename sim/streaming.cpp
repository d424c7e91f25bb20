#include "sim/streaming.hpp"

#include <algorithm>
#include <limits>

#include "sim/analysis.hpp"
#include "sim/lane_summary.hpp"
#include "sim/lower_bound.hpp"
#include "sim/memory_rules.hpp"
#include "sim/stream_program.hpp"

namespace pipesim {

namespace {

DeviceMetrics device_metrics(const LaneTimes& times, const LaneSummary& lane, Ticks t_total) {
  DeviceMetrics device;
  device.busy = lane.busy;
  device.idle = t_total - lane.busy;
  device.first_start = Ticks{times.first_start};
  device.last_end = Ticks{times.last_end};
  device.peak_activations = static_cast<std::int64_t>(lane.activations.peak);
  const Ticks steady{times.first_gradient_start};
  const Ticks forward_end{times.last_forward_end};
  device.idle_warm_up = steady - lane.busy_before_gradient.value();
  const Ticks before_cooldown =
      forward_end > steady ? forward_end - lane.busy_through_forward.value() : device.idle_warm_up;
  device.idle_steady = before_cooldown - device.idle_warm_up;
  device.idle_cooldown = device.idle - before_cooldown;
  return device;
}

IdleTimes idle_times(const LaneTimes& times, const DeviceMetrics& device, Ticks t_total) {
  const auto of = [](IdleCause cause) { return static_cast<std::size_t>(cause); };
  IdleTimes idle{};
  idle[of(IdleCause::fill)] = times.first_start;
  idle[of(IdleCause::drain)] = t_total.count - times.last_end;
  idle[of(IdleCause::communication)] = times.communication;
  idle[of(IdleCause::dependency)] = Int128{device.idle.count} - times.first_start -
                                    idle[of(IdleCause::drain)] - times.communication;
  return idle;
}

/// By device; nothing where it cannot be counted, or is over the limit.
std::optional<std::vector<std::int64_t>> peaks(const Problem& problem, const Memory& rules,
                                               const std::vector<LaneSummary>& lanes) {
  const Int128 most = rules.limit.value_or(std::numeric_limits<std::int64_t>::max());
  std::vector<std::int64_t> peaks = resident_memory(problem, rules);
  for (std::size_t device = 0; device < lanes.size(); ++device) {
    const Int128 peak = peaks[device] + lanes[device].memory.peak;
    if (peak > most) return std::nullopt;
    peaks[device] = static_cast<std::int64_t>(peak);
  }
  return peaks;
}

/// The latest of all ends.
Ticks total(const std::vector<LaneTimes>& lanes) {
  Ticks total;
  for (const LaneTimes& lane : lanes) total = std::max(total, Ticks{lane.last_end});
  return total;
}

}  // namespace

bool comes_to_its_end(const Problem& problem, const Program& program) {
  // What a deadlock does not depend on.
  Problem free = problem;
  free.communication = {};
  free.iterations = {};
  free.stragglers.clear();
  free.durations.clear();
  free.costs.assign(free.costs.size(), stage_costs(Ticks{0}, Ticks{0}, Ticks{0}));
  const std::optional<StreamProgram> stream = stream_program(free, program);
  if (!stream) return find_cycle(TaskGraph(free, program)).empty();
  return !stream_times(*stream, FastForward::jumps).empty();
}

std::optional<Ticks> stream_total(const Problem& problem, const Program& program) {
  const std::optional<StreamProgram> stream = stream_program(problem, program);
  if (!stream) return std::nullopt;
  const std::vector<LaneTimes> times = stream_times(*stream, FastForward::jumps);
  return times.empty() ? std::nullopt : std::optional(total(times));
}

std::optional<StreamedRun> stream_run(const Problem& problem, const Program& program,
                                      FastForward fast_forward) {
  const std::optional<StreamProgram> stream = stream_program(problem, program);
  if (!stream) return std::nullopt;
  const Memory rules = memory_rules(problem);
  const std::vector<LaneSummary> lanes = summarize(problem, rules, program);
  std::optional<std::vector<std::int64_t>> peak_memory = peaks(problem, rules, lanes);
  if (!peak_memory) return std::nullopt;
  const std::vector<LaneTimes> times = stream_times(*stream, fast_forward);
  if (times.empty()) return std::nullopt;

  StreamedRun run;
  const Ticks t_total = total(times);
  Ticks longest_span;
  for (const LaneTimes& lane : times) {
    longest_span = std::max(longest_span, Ticks{lane.last_end - lane.first_start});
  }
  std::vector<DeviceMetrics> devices;
  std::vector<Ticks> work;
  for (std::size_t device = 0; device < times.size(); ++device) {
    devices.push_back(device_metrics(times[device], lanes[device], t_total));
    run.idle.push_back(idle_times(times[device], devices.back(), t_total));
    work.push_back(lanes[device].busy);
  }
  run.metrics = metrics_of(problem, std::move(devices), t_total, longest_span,
                           lower_bound(problem, work, stream->gradient));
  run.metrics.iteration_time = t_total;
  run.peak_memory = *std::move(peak_memory);
  return run;
}

}  // namespace pipesim
