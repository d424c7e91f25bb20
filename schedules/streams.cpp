#include "schedules/streams.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <variant>

namespace pipesim {

namespace {

/// The same item, `microbatches` further.
Item advanced(Item item, std::int64_t microbatches) {
  if (Loop* loop = std::get_if<Loop>(&item.what)) {
    for (Item& inner : loop->body) inner = advanced(std::move(inner), microbatches);
    return item;
  }
  Op& op = std::get<Step>(item.what).op;
  op.microbatch = Microbatch{op.microbatch.value + microbatches};
  return item;
}

std::int64_t slots(const std::vector<Run>& runs) {
  return std::accumulate(runs.begin(), runs.end(), std::int64_t{0},
                         [](std::int64_t sum, const Run& run) { return sum + run.count; });
}

/// Walks a stream from slot 0 on.
class StreamCursor {
 public:
  explicit StreamCursor(const Stream& stream) : stream_(&stream), gap_(stream.delay) { settle(); }

  bool done() const { return in_tail() && run_ == runs().size(); }
  bool has_item() const { return gap_ == 0 && !done(); }

  /// The item of this slot. Requires has_item().
  Item item() const {
    const Item& first = runs()[run_].first;
    const std::int64_t offset = in_tail() ? 0 : period_ * stream_->advance;
    return advanced(first, offset + used_ * first.stride);
  }

  /// The slots from this one on in which the stream stays in its gap, its run or its end.
  std::int64_t left() const {
    if (gap_ > 0) return gap_;
    return done() ? std::numeric_limits<std::int64_t>::max() : runs()[run_].count - used_;
  }

  /// Requires at most left().
  void advance(std::int64_t count) {
    if (gap_ > 0) {
      gap_ -= count;
    } else if (!done()) {
      used_ += count;
      settle();
    }
  }

  /// Requires a place in the periods, with as many after it.
  void skip_periods(std::int64_t count) {
    if (!stream_->period.empty()) period_ += count;
    settle();
  }

 private:
  bool in_tail() const { return period_ == stream_->periods; }
  const std::vector<Run>& runs() const { return in_tail() ? stream_->tail : stream_->period; }

  void settle() {
    while (!done()) {
      if (run_ == runs().size()) {
        ++period_;
        run_ = 0;
      } else if (used_ == runs()[run_].count) {
        ++run_;
        used_ = 0;
      } else {
        return;
      }
    }
  }

  const Stream* stream_;
  std::int64_t gap_;
  std::int64_t period_ = 0;
  std::size_t run_ = 0;
  std::int64_t used_ = 0;  // of the run
};

Item items_of_slot(const std::vector<StreamCursor>& cursors, std::int64_t count,
                   SameSlot same_slot) {
  std::vector<Item> items;
  for (const StreamCursor& cursor : cursors) {
    if (cursor.has_item()) items.push_back(cursor.item());
  }
  if (same_slot == SameSlot::overlapped && items.size() == 2) {
    items = {overlapped(items[0], items[1])};
  }
  return repeat(count, std::move(items));
}

bool all_done(const std::vector<StreamCursor>& cursors) {
  return std::all_of(cursors.begin(), cursors.end(),
                     [](const StreamCursor& cursor) { return cursor.done(); });
}

/// The items of the next `count` slots, or of all that are left if they are fewer.
LaneOrder next_slots(std::vector<StreamCursor>& cursors, std::int64_t count, SameSlot same_slot) {
  LaneOrder order;
  while (count > 0 && !all_done(cursors)) {
    std::int64_t alike = count;
    for (const StreamCursor& cursor : cursors) alike = std::min(alike, cursor.left());
    order.push_back(items_of_slot(cursors, alike, same_slot));
    for (StreamCursor& cursor : cursors) cursor.advance(alike);
    count -= alike;
  }
  return order;
}

}  // namespace

Stream stream(const Item& first, std::int64_t count, std::int64_t delay) {
  return {.delay = delay, .tail = {{.first = first, .count = count}}};
}

LaneOrder in_step(const std::vector<Stream>& streams, SameSlot same_slot) {
  std::vector<StreamCursor> cursors(streams.begin(), streams.end());
  const std::int64_t period = slots(streams.front().period);
  // Once all streams have begun, and until one leaves its periods, the slots repeat themselves.
  std::int64_t begin = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  for (const Stream& stream : streams) {
    begin = std::max(begin, stream.delay);
    end = std::min(end, stream.delay + stream.periods * period);
  }
  const std::int64_t alike = period == 0 ? 0 : (end - begin) / period;

  LaneOrder order = next_slots(cursors, alike > 0 ? begin : 0, same_slot);
  if (alike > 0) {
    LaneOrder repeated = next_slots(cursors, period, same_slot);
    const std::int64_t advance = streams.front().advance;
    for (Item& item : repeated) item = with_stride(std::move(item), advance);
    order.push_back(repeat(alike, std::move(repeated)));
    for (StreamCursor& cursor : cursors) cursor.skip_periods(alike - 1);
  }
  const LaneOrder rest = next_slots(cursors, std::numeric_limits<std::int64_t>::max(), same_slot);
  order.insert(order.end(), rest.begin(), rest.end());
  return order;
}

}  // namespace pipesim
