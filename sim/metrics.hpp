// What a timeline means: times, every definition of "bubble", memory. All values are exact.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/problem.hpp"
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
  /// Most (stage, microbatch) pairs whose forward has started and whose backward has not ended.
  std::int64_t peak_activations = 0;
};

struct Metrics {
  Ticks t_total;
  Ticks t_ideal;          ///< the busiest device's work: no schedule can beat it
  Ratio t_ideal_mean;     ///< mean work of the devices, in ticks
  Ratio bubble_ratio;     ///< t_total / t_ideal
  Ratio bubble_overhead;  ///< (t_total - t_ideal) / t_ideal (Megatron, 2104.04473, section 2.2)
  Ratio bubble_fraction;  ///< idle / (p * t_total) (GPipe, 1811.06965; Chimera, 2107.06925)
  /// (span - t_ideal) / span, span being the longest last_end - first_start of a device
  /// (Zero Bubble, 2401.10241, section 5.3).
  Ratio span_bubble_rate;
  Ticks lower_bound;          ///< see lower_bound.hpp
  Ratio gap;                  ///< t_total / lower_bound - 1
  Ratio time_per_microbatch;  ///< t_total / m, in ticks
  std::vector<DeviceMetrics> devices;

  /// The largest of the devices'.
  std::int64_t peak_activations() const;
};

/// Requires a problem that validate_problem() accepts and a timeline that verify_timeline()
/// accepts for it.
Metrics compute_metrics(const Problem& problem, const Timeline& timeline);

/// The first moment at which a device holds more activations than problem.memory_limit.
struct OverLimit {
  Device device;
  Ticks time;
  Op op;  ///< the forward that takes one too many
  std::int64_t activations = 0;
  std::int64_t limit = 0;
};

/// Nothing if there is no limit or it is kept. Of several devices the one that exceeds it first,
/// of those at one instant the lowest.
std::optional<OverLimit> find_over_limit(const Problem& problem, const Timeline& timeline);

}  // namespace pipesim
