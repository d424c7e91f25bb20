#include "sim/metrics.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "sim/error.hpp"
#include "sim/lower_bound.hpp"
#include "sim/memory.hpp"

namespace pipesim {

namespace {

/// A device's phases as two instants: [0, steady), [steady, cooldown), [cooldown, T_total).
struct Phases {
  Ticks steady;
  Ticks cooldown;
};

bool has_role(const Span& span, Role wanted) {
  return role(span.op.kind) == wanted || (span.overlapped && role(span.overlapped->kind) == wanted);
}

Phases phases(const Timeline& timeline, std::size_t device) {
  const Span* const begin = timeline.begin(device);
  const Span* const end = timeline.end(device);
  const Span* const first_backward =
      std::find_if(begin, end, [](const Span& span) { return has_role(span, Role::gradient); });
  Ticks last_forward_end;
  for (const Span* span = begin; span != end; ++span) {
    if (has_role(*span, Role::forward)) last_forward_end = span->end;
  }
  return {.steady = first_backward->start,
          .cooldown = std::max(first_backward->start, last_forward_end)};
}

void add_idle(DeviceMetrics& device, const Phases& phases, Ticks from, Ticks to) {
  const auto overlap = [&](Ticks begin, Ticks end) {
    return std::max(Ticks{0}, std::min(to, end) - std::max(from, begin));
  };
  device.idle += to - from;
  device.idle_warm_up += overlap(Ticks{0}, phases.steady);
  device.idle_steady += overlap(phases.steady, phases.cooldown);
  device.idle_cooldown += overlap(phases.cooldown, Ticks{std::numeric_limits<std::int64_t>::max()});
}

DeviceMetrics device_metrics(const Timeline& timeline, std::size_t device_index, Ticks t_total) {
  DeviceMetrics device;
  const Phases device_phases = phases(timeline, device_index);
  Ticks free_since;
  for (const Span* span = timeline.begin(device_index); span != timeline.end(device_index);
       ++span) {
    if (!is_compute(span->op.kind)) continue;
    device.busy += span->end - span->start;
    add_idle(device, device_phases, free_since, span->start);
    free_since = span->end;
  }
  add_idle(device, device_phases, free_since, t_total);
  device.first_start = timeline.begin(device_index)->start;
  device.last_end = free_since;
  return device;
}

/// From a device's first start to its last end in the first step.
Ticks first_step_span(const Problem& problem, const Timeline& timeline, std::size_t device) {
  const Span* const begin = timeline.begin(device);
  Ticks end = begin->end;
  for (const Span* span = begin; span != timeline.end(device); ++span) {
    const Op& last = span->overlapped.value_or(span->op);
    if (last.microbatch < Microbatch{problem.step_microbatches()}) end = span->end;
  }
  return end - begin->start;
}

std::optional<Ticks> iteration_time(const Problem& problem, const Timeline& timeline) {
  const int last = problem.steps() - 1;
  Ticks end;
  Ticks end_before;
  for (const Span& span : timeline.spans) {
    const int iteration = span.op.microbatch.value / problem.step_microbatches();
    if (iteration == last) end = std::max(end, span.end);
    if (iteration == last - 1) end_before = std::max(end_before, span.end);
  }
  if (end < end_before) return std::nullopt;
  return end - end_before;
}

}  // namespace

std::int64_t messages(const Problem& problem) {
  std::int64_t messages = 0;
  for (int flow = 0; flow < problem.placement.flows(); ++flow) {
    const auto& device_of = problem.placement.device_of[static_cast<std::size_t>(flow)];
    std::int64_t hops = 0;
    for (std::size_t stage = 1; stage < device_of.size(); ++stage) {
      hops += device_of[stage] == device_of[stage - 1] ? 0 : 1;
    }
    const std::int64_t first = problem.first_microbatch(Flow{flow}).value;
    const std::int64_t end = flow + 1 < problem.placement.flows()
                                 ? problem.first_microbatch(Flow{flow + 1}).value
                                 : problem.microbatches;
    messages += 2 * hops * (end - first) * problem.iterations.count;
  }
  return messages;
}

Traffic traffic(const TaskGraph& graph, const Timeline& timeline) {
  const Problem& problem = graph.problem();
  Traffic traffic = {.messages = messages(problem)};
  if (problem.parking.keeper.empty()) return traffic;
  const Memory rules = memory_rules(problem);
  for (const Span& span : timeline.spans) {
    if (!is_parking(span.op.kind)) continue;
    ++traffic.copies;
    const StageMemory& stage = rules.stages[static_cast<std::size_t>(span.op.stage.value)];
    if (__builtin_add_overflow(traffic.copied, stage.activation, &traffic.copied)) {
      throw Error(Fault{.pointer = "/memory/activation",
                        .what = "the copies of parked activations are too many to be counted",
                        .allowed = "less than 2^63 bytes"});
    }
  }
  return traffic;
}

std::int64_t Metrics::peak_activations() const {
  std::int64_t peak = 0;
  for (const DeviceMetrics& device : devices) peak = std::max(peak, device.peak_activations);
  return peak;
}

Metrics metrics_of(const Problem& problem, std::vector<DeviceMetrics> devices, Ticks t_total,
                   Ticks longest_span, Ticks lower_bound) {
  Metrics metrics;
  metrics.t_total = t_total;
  Int128 busy = 0;
  Int128 idle = 0;
  for (DeviceMetrics& device : devices) {
    device.utilisation = {device.busy.count, t_total.count};
    busy += device.busy.count;
    idle += device.idle.count;
    metrics.t_ideal = std::max(metrics.t_ideal, device.busy);
  }
  metrics.devices = std::move(devices);
  const Int128 total = t_total.count;
  const Int128 ideal = metrics.t_ideal.count;
  metrics.t_ideal_mean = {busy, problem.devices};
  metrics.bubble_ratio = {total, ideal};
  metrics.bubble_overhead = {total - ideal, ideal};
  metrics.bubble_fraction = {idle, total * problem.devices};
  const Int128 spans = Int128{longest_span.count} * problem.steps();
  metrics.span_bubble_rate = {spans - ideal, spans};
  metrics.lower_bound = lower_bound;
  metrics.gap = {total - lower_bound.count, lower_bound.count};
  metrics.time_per_microbatch = {total, problem.whole_microbatches()};
  return metrics;
}

Metrics compute_metrics(const TaskGraph& graph, const Timeline& timeline) {
  const Problem& problem = graph.problem();
  const Ticks t_total = total_time(timeline);
  std::vector<DeviceMetrics> devices;
  Ticks longest_span;
  for (std::size_t index = 0; index < timeline.devices(); ++index) {
    devices.push_back(device_metrics(timeline, index, t_total));
    longest_span = std::max(longest_span, first_step_span(problem, timeline, index));
  }
  follow_activations(graph, timeline, [&](Device device, const MemoryChange& change) {
    std::int64_t& peak = devices[static_cast<std::size_t>(device.value)].peak_activations;
    peak = std::max(peak, change.amount);
  });
  Metrics metrics =
      metrics_of(problem, std::move(devices), t_total, longest_span, lower_bound(graph));
  metrics.iteration_time = iteration_time(problem, timeline);
  return metrics;
}

}  // namespace pipesim
