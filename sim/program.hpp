// What a schedule decides: the order of the ops on every device, written as nested loops, so that
// a program takes the memory of its definition whatever the number of microbatches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "sim/problem.hpp"
#include "sim/types.hpp"

namespace pipesim {

struct Item;

/// `count` repetitions of a body; no repetition at all where count is 0 or less.
struct Loop {
  std::int64_t count = 0;
  std::vector<Item> body;
};

/// An op or a loop, as it stands in the first repetition of the loop around it. In repetition r
/// of that loop (from 0) the microbatch of every op in the item is r * stride higher; a stride
/// may be negative or 0.
struct Item {
  std::variant<Op, Loop> what;
  std::int64_t stride = 1;
};

/// The order of one lane: items one after another.
using LaneOrder = std::vector<Item>;

/// The order of every device's compute lane, by device.
struct Program {
  std::vector<LaneOrder> lanes;
};

/// An item for one op of flow 0, advancing by one microbatch per repetition.
Item forward(Stage stage, std::int64_t microbatch);
Item backward(Stage stage, std::int64_t microbatch);

/// `count` repetitions of the items.
Item repeat(std::int64_t count, std::vector<Item> body);

/// The same item with another stride in the loop around it.
Item with_stride(Item item, std::int64_t stride);

/// The number of ops a lane executes. Throws Error if it leaves the range of int64.
std::int64_t op_count(const LaneOrder& order);

/// Walks the ops of a lane in order, without unrolling it: memory in the depth of the loops.
/// The order must outlive the cursor.
class OpCursor {
 public:
  explicit OpCursor(const LaneOrder& order);

  bool done() const { return frames_.empty(); }
  /// The op at the cursor. Requires !done().
  Op op() const;
  /// Moves to the next op. Requires !done().
  void advance();

 private:
  struct Frame {
    const std::vector<Item>* items;
    std::size_t at;           // the item the cursor is in
    std::int64_t repetition;  // of this loop, from 0
    std::int64_t count;
    std::int64_t offset;  // added to every microbatch by the loops outside
  };

  void settle();

  std::vector<Frame> frames_;
};

/// The program as people write schedules: one line an item, loops indented, for each device.
std::string to_text(const Program& program);

/// Throws Error (bad input) unless every op of the problem stands exactly once, on its own
/// device, and nothing else stands there. Takes one bit per op.
void validate_program(const Problem& problem, const Program& program);

}  // namespace pipesim
