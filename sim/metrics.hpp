// What a timeline means: times, every definition of "bubble", memory. All values are exact.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/problem.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// busy + idle = T_total. The idle time is split by phase: warm-up is [0, start of the first
/// backward), cooldown [max(that, end of the last forward), T_total), steady state what lies
/// between.
struct DeviceMetrics {
  Ticks busy;
  Ticks idle;
  Ticks idle_warm_up;
  Ticks idle_steady;
  Ticks idle_cooldown;
  Ticks first_start;
  Ticks last_end;
  Ratio utilisation;  ///< busy / T_total
  /// Most (stage, microbatch) pairs, or (stage, slice) pairs, whose forward has started and whose
  /// backward has not ended; without those parked elsewhere, with those kept for others.
  std::int64_t peak_activations = 0;
};

/// What crosses between devices in the whole run.
struct Traffic {
  std::int64_t messages = 0;  ///< activations and gradients, each of a microbatch or a slice
  std::int64_t copies = 0;    ///< of parked activations, away and back
  std::int64_t copied = 0;    ///< what those copies move, in the unit of memory_rules()
};

/// The messages of a run.
std::int64_t messages(const Problem& problem);

/// Requires a timeline of that graph. Throws Error if a sum leaves int64.
Traffic traffic(const TaskGraph& graph, const Timeline& timeline);

struct Metrics {
  Ticks t_total;
  Ticks t_ideal;          ///< the busiest device's work: no schedule can beat it
  Ratio t_ideal_mean;     ///< mean work of the devices, in ticks
  Ratio bubble_ratio;     ///< t_total / t_ideal
  Ratio bubble_overhead;  ///< (t_total - t_ideal) / t_ideal (Megatron, 2104.04473, section 2.2)
  Ratio bubble_fraction;  ///< idle / (p * t_total) (GPipe, 1811.06965; Chimera, 2107.06925)
  /// (span - t_ideal) / span of the first step alone, span being the longest time of a device from
  /// its first start to its last end (Zero Bubble, 2401.10241, section 5.3).
  Ratio span_bubble_rate;
  Ticks lower_bound;          ///< see lower_bound.hpp
  Ratio gap;                  ///< t_total / lower_bound - 1
  Ratio time_per_microbatch;  ///< t_total / whole microbatches of all steps, in ticks
  /// From the end of the step before the last to the end of the last; of a single step t_total.
  /// None where the last step does not end last: an order that runs steps through each other.
  std::optional<Ticks> iteration_time;
  std::vector<DeviceMetrics> devices;

  /// The largest of the devices'.
  std::int64_t peak_activations() const;
};

/// What follows from the devices. Requires busy, idle and its parts, first_start, last_end and
/// peak_activations of each, and the longest time of a device from its first start to its last end
/// in the first step; leaves out iteration_time.
Metrics metrics_of(const Problem& problem, std::vector<DeviceMetrics> devices, Ticks t_total,
                   Ticks longest_span, Ticks lower_bound);

/// Requires a timeline of that graph.
Metrics compute_metrics(const TaskGraph& graph, const Timeline& timeline);

}  // namespace pipesim
