// When everything ran. A timeline stands by itself: it can come from the engine or from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/types.hpp"

namespace pipesim {

/// One executed step or transfer. [start, end) in ticks from the beginning of the run.
struct Span {
  Op op;                                     ///< of a pair, the forward; of a transfer, the send
  std::optional<Op> overlapped{};            ///< of a pair, the gradient
  std::uint32_t released_by = kNotReleased;  ///< index of the span whose end let this one start
  Ticks start;
  Ticks end;

  static constexpr std::uint32_t kNotReleased = 0xffffffff;  ///< nothing: it started at once
};

/// What every device executed, and what crossed between them.
struct Timeline {
  /// Device after device, each in the order of execution; then the transfers, where they are
  /// tasks, by sender and in the sender's order.
  std::vector<Span> spans;
  /// Device d computed spans [lane_begin[d], lane_begin[d + 1]); transfers begin at the last.
  std::vector<std::size_t> lane_begin;
  /// By node: the transfers (as indices of spans) in the order in which its shared link sent them.
  std::vector<std::vector<std::uint32_t>> shared_link_orders;

  std::size_t devices() const { return lane_begin.size() - 1; }
  /// The compute spans of a device, half-open.
  const Span* begin(std::size_t device) const { return spans.data() + lane_begin[device]; }
  const Span* end(std::size_t device) const { return spans.data() + lane_begin[device + 1]; }
  /// The device whose compute lane spans[index] is on. Requires that it is no transfer.
  std::size_t device_of(std::size_t index) const;
};

/// The latest end of all spans: T_total, counted from 0. 0 if there are none.
Ticks total_time(const Timeline& timeline);

}  // namespace pipesim
