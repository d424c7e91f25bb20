// How fast a periodic graph can repeat itself: its maximum cycle ratio, exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// In every repetition r the vertex `to` of repetition r + distance starts at least `weight` after
/// the vertex `from` of repetition r starts. A distance may be negative.
struct PeriodicEdge {
  std::size_t from = 0;
  std::size_t to = 0;
  Ticks weight;
  std::int64_t distance = 0;
};

/// A cycle that no repetition can be faster than.
struct CriticalCycle {
  std::vector<std::size_t> edges;  ///< indices, each edge starts where the one before it ends
  Ticks weight;                    ///< of all its edges
  std::int64_t distance = 0;       ///< of all its edges: the repetitions once around it; above 0

  /// Ticks per repetition.
  Ratio ratio() const { return {.numerator = weight.count, .denominator = distance}; }
};

/// Whether the distance of every cycle is above 0. If not, some vertex waits for itself: the graph
/// deadlocks once it repeats often enough. Requires vertices below `vertices`.
bool every_cycle_advances(std::size_t vertices, const std::vector<PeriodicEdge>& edges);

/// The cycle with the largest ratio of weight to distance; of several one with the fewest edges,
/// from its lowest vertex on; which one depends on nothing but the arguments. Nothing if there is
/// no cycle. Howard's policy iteration (BGL's howard_cycle_ratio, in floating point) proposes a
/// cycle; whether another is better is decided in integers, so that the answer is exact. Requires
/// every_cycle_advances(), and weights of at least 0. Throws Error if a sum leaves the range of
/// Ticks.
std::optional<CriticalCycle> maximum_cycle_ratio(std::size_t vertices,
                                                 const std::vector<PeriodicEdge>& edges);

}  // namespace pipesim
