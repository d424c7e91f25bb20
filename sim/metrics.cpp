#include "sim/metrics.hpp"

#include <algorithm>
#include <limits>

#include "sim/lower_bound.hpp"

namespace pipesim {

namespace {

/// A device's phases as two instants: [0, steady), [steady, cooldown), [cooldown, T_total).
struct Phases {
  Ticks steady;
  Ticks cooldown;
};

Phases phases(const Timeline& timeline, std::size_t lane) {
  const Span* const begin = timeline.begin(lane);
  const Span* const end = timeline.end(lane);
  const Span* const first_backward =
      std::find_if(begin, end, [](const Span& span) { return span.op.kind == OpKind::backward; });
  Ticks last_forward_end;
  for (const Span* span = begin; span != end; ++span) {
    if (span->op.kind == OpKind::forward) last_forward_end = span->end;
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

/// Follows the activations of a lane in its order and calls visit(span, alive) after each change.
template <class Visit>
void follow_activations(const Timeline& timeline, std::size_t lane, Visit visit) {
  std::int64_t alive = 0;
  for (const Span* span = timeline.begin(lane); span != timeline.end(lane); ++span) {
    alive += span->op.kind == OpKind::forward ? 1 : -1;
    visit(*span, alive);
  }
}

DeviceMetrics device_metrics(const Timeline& timeline, std::size_t lane, Ticks t_total) {
  DeviceMetrics device;
  const Phases device_phases = phases(timeline, lane);
  Ticks free_since;
  for (const Span* span = timeline.begin(lane); span != timeline.end(lane); ++span) {
    device.busy += span->end - span->start;
    add_idle(device, device_phases, free_since, span->start);
    free_since = span->end;
  }
  add_idle(device, device_phases, free_since, t_total);
  device.first_start = timeline.begin(lane)->start;
  device.last_end = free_since;
  device.utilisation = {device.busy.count, t_total.count};
  follow_activations(timeline, lane, [&](const Span&, std::int64_t alive) {
    device.peak_activations = std::max(device.peak_activations, alive);
  });
  return device;
}

}  // namespace

std::int64_t Metrics::peak_activations() const {
  std::int64_t peak = 0;
  for (const DeviceMetrics& device : devices) peak = std::max(peak, device.peak_activations);
  return peak;
}

Metrics compute_metrics(const Problem& problem, const Timeline& timeline) {
  Metrics metrics;
  metrics.t_total = total_time(timeline);
  Int128 busy = 0;
  Int128 idle = 0;
  Ticks longest_span;
  for (std::size_t lane = 0; lane < timeline.lanes(); ++lane) {
    const DeviceMetrics device = device_metrics(timeline, lane, metrics.t_total);
    busy += device.busy.count;
    idle += device.idle.count;
    longest_span = std::max(longest_span, device.last_end - device.first_start);
    metrics.t_ideal = std::max(metrics.t_ideal, device.busy);
    metrics.devices.push_back(device);
  }
  const Int128 t_total = metrics.t_total.count;
  const Int128 t_ideal = metrics.t_ideal.count;
  metrics.t_ideal_mean = {busy, problem.devices};
  metrics.bubble_ratio = {t_total, t_ideal};
  metrics.bubble_overhead = {t_total - t_ideal, t_ideal};
  metrics.bubble_fraction = {idle, t_total * problem.devices};
  metrics.span_bubble_rate = {longest_span.count - t_ideal, longest_span.count};
  metrics.lower_bound = lower_bound(problem);
  metrics.gap = {t_total - metrics.lower_bound.count, metrics.lower_bound.count};
  metrics.time_per_microbatch = {t_total, problem.microbatches};
  return metrics;
}

std::optional<OverLimit> find_over_limit(const Problem& problem, const Timeline& timeline) {
  std::optional<OverLimit> first;
  if (!problem.memory_limit) return first;
  const std::int64_t limit = *problem.memory_limit;
  for (std::size_t lane = 0; lane < timeline.lanes(); ++lane) {
    bool found = false;
    follow_activations(timeline, lane, [&](const Span& span, std::int64_t alive) {
      if (found || alive <= limit) return;
      found = true;
      if (!first || span.start < first->time) {
        first = {.device = Device{lane},
                 .time = span.start,
                 .op = span.op,
                 .activations = alive,
                 .limit = limit};
      }
    });
  }
  return first;
}

}  // namespace pipesim
