// How much memory every device holds while a timeline runs: activations, what is always there, and
// the buffers of messages.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/memory_rules.hpp"
#include "sim/problem.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// One step of a device's memory.
struct MemoryChange {
  Ticks time;
  Op op;                    ///< the op that starts or ends; of a message's buffer, the send
  std::int64_t amount = 0;  ///< what the device holds after it, in the unit of memory_rules()
};

using MemoryVisitor = std::function<void(Device, const MemoryChange&)>;

/// Calls visit with every change, device after device, each in order of time; none of them is
/// of size 0. A device begins with its resident memory.
///
/// A forward takes `activation` when it starts, or `input` where its stage recomputes and the
/// recomputation takes `activation`. The end of an input gradient releases activation -
/// kept_for_weight, the end of the weight gradient the rest, the end of a full backward all of it.
/// Of an overlapped pair the forward takes at the start, the gradient releases at the end. Where
/// transfers are tasks, a message is in its sender's memory from the transfer's start to its end,
/// and in its receiver's from that start until the op that needs it starts.
///
/// The end of an EVICT releases all of it and the start of a LOAD takes it again; the keeper holds
/// it from the start of the one until the end of the other.
///
/// At one instant releases come before takes. What lasts for no time still takes before it
/// releases: messages first, then the ops of the lane in its order.
///
/// Requires a timeline of that graph. Throws Error if an amount leaves int64.
void follow_memory(const TaskGraph& graph, const Timeline& timeline, const MemoryVisitor& visit);

/// The same for the number of activations that a device keeps: of (stage, microbatch) pairs whose
/// forward has started and whose last backward part has not ended, and that are not parked
/// elsewhere; those that it keeps for others included.
void follow_activations(const TaskGraph& graph, const Timeline& timeline,
                        const MemoryVisitor& visit);

/// What a device holds from a time on.
struct MemoryPoint {
  Ticks time;
  std::int64_t amount = 0;

  friend bool operator==(const MemoryPoint&, const MemoryPoint&) = default;
};

/// By device: its resident memory at 0, and a point for every change (several may have one time).
std::vector<std::vector<MemoryPoint>> memory_profile(const TaskGraph& graph,
                                                     const Timeline& timeline);

/// By device: the most it ever holds, in the unit of memory_rules().
std::vector<std::int64_t> peak_memory(const TaskGraph& graph, const Timeline& timeline);

/// The moment at which a device first holds more than the limit.
struct MemoryExcess {
  Device device;
  Ticks time;
  /// The op, or the send, that takes too much when it starts; none: what the device holds all the
  /// time is too much.
  std::optional<Op> op;
  std::int64_t amount = 0;  ///< in the unit of memory_rules(), as is the limit
  std::int64_t limit = 0;
};

/// Nothing if there is no limit or it is kept. Of several devices the one that exceeds it first,
/// of those at one instant the lowest.
std::optional<MemoryExcess> find_over_limit(const TaskGraph& graph, const Timeline& timeline);

/// "device 0 holds 3 microbatches when F2 starts at 4 ms, over the limit of 2". Where a device has
/// several stages the op carries its own. Requires the problem of the run.
std::string sentence(const MemoryExcess& excess, const Problem& problem, TimeUnit unit);

/// An amount as microbatches. Requires rules that do not count in bytes.
Ratio microbatches(const Memory& rules, std::int64_t amount);

/// "1.5 GiB" or "2.5 microbatches".
std::string format_amount(const Memory& rules, std::int64_t amount);

/// In the largest binary unit of which there is at least one: exact if that takes at most six
/// significant digits ("1023 B", "1.0625 KiB"), else rounded half to even to four ("1.333 GiB").
/// Requires a size of at least 0.
std::string format_bytes(std::int64_t bytes);

}  // namespace pipesim
