// Orders made of streams: the forwards of a device, its gradients, its weight gradients, each a
// sequence of its own that begins some slots after the first. Most schedules are no more than the
// order within each stream and these delays: 1F1B on device i is the forwards and, p-1-i slots
// later, the backwards.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/program.hpp"

namespace pipesim {

/// `count` items, one a slot, each next one further by the item's stride.
struct Run {
  Item first;
  std::int64_t count = 0;
};

/// Runs one after another: `period`, whose runs are not empty, repeated, each time `advance`
/// microbatches further, then `tail`.
struct Stream {
  std::int64_t delay = 0;  ///< slots before the first item; at least 0
  std::vector<Run> period{};
  std::int64_t periods = 0;
  std::int64_t advance = 0;
  std::vector<Run> tail{};
};

/// A stream of one run.
Stream stream(const Item& first, std::int64_t count, std::int64_t delay = 0);

/// Whether a forward and a gradient of one slot are two steps or an overlapped one.
enum class SameSlot { one_after_another, overlapped };

/// In every slot the items of all streams that have one there, in the order of the streams. The
/// result has as many items as the streams have runs and as fit into the longest delay, whatever
/// their periods and counts are. Requires streams with periods to have periods of the same number
/// and length; for overlapping, two streams of ops, the forwards first.
LaneOrder in_step(const std::vector<Stream>& streams,
                  SameSlot same_slot = SameSlot::one_after_another);

}  // namespace pipesim
