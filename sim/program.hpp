// What a schedule decides: the order of the ops on every device, written as nested loops, so that
// a program takes the memory of its definition whatever the number of microbatches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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
bool operator==(const Loop& left, const Loop& right);

/// One thing that a lane does: an op, or a forward and a gradient that overlap.
struct Step {
  Op op;                           ///< of a pair, the forward
  std::optional<Op> overlapped{};  ///< of a pair, the backward or input gradient

  friend bool operator==(const Step&, const Step&) = default;
};

/// "2F0", or "(2F0;1B3)" for a pair.
std::string token(const Step& step);

/// Ops one after another: what single steps of one stride are, in a quarter of their memory.
using Ops = std::vector<Op>;

/// A step, ops or a loop, as they stand in the first repetition of the loop around them. In
/// repetition r of that loop (from 0) the microbatch of every op in the item is r * stride higher;
/// a stride may be negative or 0.
struct Item {
  std::variant<Step, Loop, Ops> what;
  std::int64_t stride = 1;

  friend bool operator==(const Item&, const Item&) = default;
};

/// The order of one lane: items one after another.
using LaneOrder = std::vector<Item>;

/// The order of every device's compute lane in one step, by device; every step of a run repeats it.
struct Program {
  std::vector<LaneOrder> lanes;

  friend bool operator==(const Program&, const Program&) = default;
};

/// An item for one op, advancing by one microbatch per repetition.
Item item(OpKind kind, Stage stage, std::int64_t microbatch);
Item forward(Stage stage, std::int64_t microbatch);
Item backward(Stage stage, std::int64_t microbatch);
Item backward_input(Stage stage, std::int64_t microbatch);
Item backward_weight(Stage stage, std::int64_t microbatch);

/// An item for two overlapped ops. Requires items for one op each, the first a forward, the
/// second a backward or an input gradient.
Item overlapped(const Item& forward, const Item& gradient);

/// `count` repetitions of the items.
Item repeat(std::int64_t count, std::vector<Item> body);

/// The same item with another stride in the loop around it.
Item with_stride(Item item, std::int64_t stride);

/// Appends a step to an order without loops.
void append(LaneOrder& order, const Step& step);

/// The program in which each device takes its steps one by one, without loops.
Program unrolled(const std::vector<std::vector<Step>>& steps);

/// Calls take(const Step&) for every step of an item that is no loop, as it stands there.
template <class Take>
void for_each_step(const Item& item, const Take& take) {
  if (const Ops* ops = std::get_if<Ops>(&item.what)) {
    for (const Op& op : *ops) take(Step{.op = op});
  } else {
    take(std::get<Step>(item.what));
  }
}

/// Whether every lane is nothing but ops.
bool is_op_by_op(const Program& program);

/// Calls take(const Op&) for every op of a lane of such a program.
template <class Take>
void for_each_op(const LaneOrder& order, const Take& take) {
  for (const Item& item : order) {
    for (const Op& op : std::get<Ops>(item.what)) take(op);
  }
}

/// The number of steps a lane executes. Throws Error if it leaves the range of int64.
std::int64_t step_count(const LaneOrder& order);

/// The same of all lanes together.
std::int64_t step_count(const Program& program);

/// Walks the steps of a lane in order, without unrolling it: memory in the depth of the loops.
/// The order must outlive the cursor.
class StepCursor {
 public:
  explicit StepCursor(const LaneOrder& order);

  bool done() const { return frames_.empty(); }
  /// The step at the cursor. Requires !done().
  Step step() const;
  /// Moves to the next step. Requires !done().
  void advance();

 private:
  struct Frame {
    const std::vector<Item>* items;
    std::size_t at;           // the item the cursor is in
    std::size_t op;           // and where in its ops, if it has several
    std::int64_t repetition;  // of this loop, from 0
    std::int64_t count;
    std::int64_t offset;  // added to every microbatch by the loops outside
  };

  void settle();

  std::vector<Frame> frames_;
};

/// The program as people write schedules: one line an item, loops indented, for each device. A
/// loop that runs nothing is left out.
std::string to_text(const Program& program);

/// The program in which every backward of a stage that recomputes (problem.recompute) follows its
/// recomputation. A stage whose recomputations it already has is left as it is.
Program with_recompute(const Problem& problem, Program program);

/// Throws Error (bad input) unless every device has an order in which each of its ops stands
/// exactly once, on its own device, and nothing else: for every stage and microbatch a forward,
/// a full backward or an input and a weight gradient, and a recomputation where the stage
/// recomputes; overlapped are only a forward and a gradient; a split backward has its cost. Where
/// devices park, an EVICT and a LOAD of a stage and microbatch stand once each or not at all; a
/// stage that recomputes has none.
void validate_program(const Problem& problem, const Program& program);

}  // namespace pipesim
