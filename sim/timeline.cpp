#include "sim/timeline.hpp"

#include <algorithm>

namespace pipesim {

std::size_t Timeline::device_of(std::size_t index) const {
  const auto after = std::upper_bound(lane_begin.begin(), lane_begin.end(), index);
  return static_cast<std::size_t>(after - lane_begin.begin()) - 1;
}

Ticks total_time(const Timeline& timeline) {
  Ticks total;
  for (const Span& span : timeline.spans) total = std::max(total, span.end);
  return total;
}

}  // namespace pipesim
