// Which process and thread of a trace a transfer is drawn on.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// A row of slices that do not overlap: pid and tid of a trace.
struct TraceTrack {
  std::size_t device = 0;
  std::size_t thread = 0;  ///< 0: compute

  friend auto operator<=>(const TraceTrack&, const TraceTrack&) = default;
};

/// Where the two ends of a transfer are drawn.
struct TransferTracks {
  TraceTrack send;     ///< of the sender's device
  TraceTrack receive;  ///< of the receiver's device
};

/// Threads 1 to 4 of a device are: send to next, receive from previous, send to previous, receive
/// from next. Next and previous are the devices one number higher and lower; the peer q further
/// away has 5 + 2q (send) and 6 + 2q (receive). Transfers that would overlap there have the same
/// threads higher up, (7 + 2p) apart. Keeps one number a transfer, and only where they may overlap.
class TraceTracks {
 public:
  /// Both must outlive it. Span i must be task i.
  TraceTracks(const TaskGraph& graph, const Timeline& timeline);

  /// Requires a transfer.
  TransferTracks of(TaskId transfer) const;
  /// "send to next", "receive from device 5"; "send to next (2)" for the first one higher up.
  /// Requires a thread of a transfer or of gradient reductions ("gradient reduction").
  std::string name(const TraceTrack& track) const;
  /// Of gradient reductions beside the compute lane.
  std::size_t reduction_thread() const { return threads_per_level() - 1; }

 private:
  std::size_t threads_per_level() const { return 7 + 2 * graph_.devices(); }
  void stack(const Timeline& timeline);
  void stack(const Timeline& timeline, std::vector<TaskId>& by_start);

  const TaskGraph& graph_;
  std::vector<std::uint32_t> levels_;  // by transfer; empty: none overlap
};

}  // namespace pipesim
