// When everything ran. A timeline stands by itself: it can come from the engine or from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/types.hpp"

namespace pipesim {

/// One executed op. [start, end) in ticks from the beginning of the step.
struct Span {
  Op op;
  std::uint32_t released_by = kNotReleased;  ///< index of the span whose end let this one start
  Ticks start;
  Ticks end;

  static constexpr std::uint32_t kNotReleased = 0xffffffff;  ///< nothing: it started at once
};

/// What every lane executed. Lane d is the compute lane of device d.
struct Timeline {
  std::vector<Span> spans;              ///< lane after lane, each in the order of execution
  std::vector<std::size_t> lane_begin;  ///< lane d is spans [lane_begin[d], lane_begin[d + 1])

  std::size_t lanes() const { return lane_begin.size() - 1; }
  /// The spans of a lane, half-open.
  const Span* begin(std::size_t lane) const { return spans.data() + lane_begin[lane]; }
  const Span* end(std::size_t lane) const { return spans.data() + lane_begin[lane + 1]; }
  /// The lane on which spans[index] stands.
  std::size_t lane_of(std::size_t index) const;
};

/// The latest end of all spans: T_total, counted from 0. 0 if there are none.
Ticks total_time(const Timeline& timeline);

}  // namespace pipesim
