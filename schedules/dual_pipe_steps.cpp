#include "schedules/dual_pipe_steps.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace pipesim {

namespace {

/// Makes the items of one direction; `n` counts its microbatches from 0.
class DirectionItems {
 public:
  explicit DirectionItems(const CrossingDirection& direction) : direction_(direction) {}

  Item f(std::int64_t n) const { return make(OpKind::forward, n); }
  Item b(std::int64_t n) const { return make(OpKind::backward, n); }
  Item i(std::int64_t n) const { return make(OpKind::backward_input, n); }
  Item w(std::int64_t n) const { return make(OpKind::backward_weight, n); }
  Item make(OpKind kind, std::int64_t n) const {
    return item(kind, direction_.stage, direction_.first_microbatch + n);
  }

 private:
  CrossingDirection direction_;
};

/// Appends the turns [from, to), in which the directions alternate: `turn` gives the items of a
/// turn, and two turns later they are those of the next microbatch.
template <typename Turn>
void append_turns(LaneOrder& order, std::int64_t from, std::int64_t to, Turn turn) {
  std::vector<Item> two = turn(from);
  for (Item& item : turn(from + 1)) two.push_back(std::move(item));
  order.push_back(repeat((to - from) / 2, std::move(two)));
  if ((to - from) % 2 == 0) return;
  for (Item& item : turn(to - 1)) order.push_back(std::move(item));
}

}  // namespace

LaneOrder dual_pipe_steps(const DualPipeDevice& device) {
  const DirectionItems near(device.near);
  const DirectionItems remote(device.remote);
  const std::int64_t h = device.from_end;
  const std::int64_t r = device.from_middle;
  const std::int64_t steady = device.microbatches - h - 1 - 2 * r;

  LaneOrder order = {
      repeat(2 * r, {near.f(0)}),                              // step 1
      repeat(h + 1, {near.f(2 * r), remote.f(0)}),             // step 2
      repeat(r, {remote.i(0), remote.w(0), remote.f(h + 1)}),  // step 3
  };

  // Step 4. In the middle the first pair would wait for the backward of the other middle device,
  // which waits for this forward.
  const bool middle = r == 0;
  const auto pairs = [&](std::int64_t n) {
    return std::vector<Item>{overlapped(near.f(2 * r + h + 1 + n), remote.b(r + n)),
                             overlapped(remote.f(h + 1 + r + n), near.b(n))};
  };
  if (middle) {
    order.push_back(near.f(h + 1));
    order.push_back(remote.b(0));
    order.push_back(pairs(0)[1]);
  }
  order.push_back(repeat(steady - middle, pairs(middle)));

  order.push_back(repeat(r, {remote.b(r + steady),  // step 5
                             overlapped(remote.f(h + 1 + r + steady), near.b(steady))}));

  // Step 6: 2 (h + 1) backwards, of which the second half leaves its weight gradients for later.
  const auto backward_of_turn = [&](OpKind kind, std::int64_t turn) {
    return turn % 2 == 0 ? remote.make(kind, 2 * r + steady + turn / 2)
                         : near.make(kind, r + steady + turn / 2);
  };
  const auto just = [&](OpKind kind) {
    return [&, kind](std::int64_t turn) { return std::vector<Item>{backward_of_turn(kind, turn)}; };
  };
  append_turns(order, 0, h + 1, just(OpKind::backward));
  append_turns(order, h + 1, 2 * (h + 1), just(OpKind::backward_input));

  // Steps 7 and 8: the weight gradients wait in the order of their input gradients, first those of
  // step 6, then those of step 7.
  const std::int64_t left = r + steady + h + 1;     // the near direction's first of step 7
  const std::int64_t waiting = std::min(r, h + 1);  // of step 6, run in step 7
  append_turns(order, h + 1, h + 1 + waiting, [&](std::int64_t turn) {
    return std::vector<Item>{backward_of_turn(OpKind::backward_weight, turn),
                             with_stride(near.i(left + turn - (h + 1)), 2)};
  });
  order.push_back(repeat(r - waiting, {near.w(left), near.i(left + waiting)}));
  append_turns(order, h + 1 + waiting, 2 * (h + 1), just(OpKind::backward_weight));
  order.push_back(repeat(waiting, {near.w(left + r - waiting)}));
  return order;
}

}  // namespace pipesim
