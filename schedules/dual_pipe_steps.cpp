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

class DualPipeOrder {
 public:
  explicit DualPipeOrder(const DualPipeDevice& device)
      : near_(device.near),
        remote_(device.remote),
        h_(device.from_end),
        r_(device.from_middle),
        overlaps_(device.microbatches - h_ - 1 - 2 * r_) {}

  LaneOrder order() {
    append_warm_up();
    append_overlaps();
    append_backwards();
    append_weight_gradients();
    return std::move(order_);
  }

 private:
  /// Steps 1 to 3.
  void append_warm_up() {
    order_.push_back(repeat(2 * r_, {near_.f(0)}));
    order_.push_back(repeat(h_ + 1, {near_.f(2 * r_), remote_.f(0)}));
    order_.push_back(repeat(r_, {remote_.i(0), remote_.w(0), remote_.f(h_ + 1)}));
  }

  /// Steps 4 and 5.
  void append_overlaps() {
    std::int64_t done = 0;
    const auto near_forward = [&] { return near_.f(h_ + 1 + 2 * r_ + done); };
    const auto remote_forward = [&] { return remote_.f(h_ + 1 + r_ + done); };
    const auto near_backward = [&] { return near_.b(done); };
    const auto remote_backward = [&] { return remote_.b(r_ + done); };
    if (r_ == 0) {
      // In the middle the first forward passes its result on at once, for a smaller bubble.
      order_.push_back(near_forward());
      order_.push_back(remote_backward());
      order_.push_back(overlapped(remote_forward(), near_backward()));
      ++done;
    }
    order_.push_back(repeat(overlaps_ - done, {overlapped(near_forward(), remote_backward()),
                                               overlapped(remote_forward(), near_backward())}));
    done = overlaps_;
    order_.push_back(
        repeat(r_, {remote_backward(), overlapped(remote_forward(), near_backward())}));
  }

  /// Step 6: the directions take turns, 2 (h + 1) of them; the weight gradients of the second half
  /// wait.
  void append_backwards() {
    append_turns(0, h_ + 1, [&](auto turn) { return Items{of_turn(OpKind::backward, turn)}; });
    append_turns(h_ + 1, 2 * (h_ + 1),
                 [&](auto turn) { return Items{of_turn(OpKind::backward_input, turn)}; });
  }

  /// Steps 7 and 8: r input gradients are left, and every weight gradient that waits. They run in
  /// the order of their input gradients, so step 7 takes those of step 6 first.
  void append_weight_gradients() {
    const std::int64_t first = overlaps_ + r_ + h_ + 1;
    const std::int64_t of_step_6 = std::min(r_, h_ + 1);
    append_turns(h_ + 1, h_ + 1 + of_step_6, [&](auto turn) {
      return Items{of_turn(OpKind::backward_weight, turn),
                   with_stride(near_.i(first + turn - (h_ + 1)), 2)};
    });
    order_.push_back(repeat(r_ - of_step_6, {near_.w(first), near_.i(first + of_step_6)}));
    append_turns(h_ + 1 + of_step_6, 2 * (h_ + 1),
                 [&](auto turn) { return Items{of_turn(OpKind::backward_weight, turn)}; });
    order_.push_back(repeat(of_step_6, {near_.w(first + r_ - of_step_6)}));
  }

  using Items = std::vector<Item>;

  /// The op of a turn of step 6.
  Item of_turn(OpKind kind, std::int64_t turn) const {
    return turn % 2 == 0 ? remote_.make(kind, overlaps_ + 2 * r_ + turn / 2)
                         : near_.make(kind, overlaps_ + r_ + turn / 2);
  }

  /// Appends what `items` makes of the turns [from, to). Two turns later a direction is one
  /// microbatch further.
  template <typename MakeItems>
  void append_turns(std::int64_t from, std::int64_t to, MakeItems items) {
    Items two = items(from);
    for (Item& item : items(from + 1)) two.push_back(std::move(item));
    order_.push_back(repeat((to - from) / 2, std::move(two)));
    if ((to - from) % 2 == 0) return;
    for (Item& item : items(to - 1)) order_.push_back(std::move(item));
  }

  DirectionItems near_;
  DirectionItems remote_;
  std::int64_t h_;
  std::int64_t r_;
  std::int64_t overlaps_;  ///< repetitions of step 4
  LaneOrder order_;
};

}  // namespace

LaneOrder dual_pipe_steps(const DualPipeDevice& device) { return DualPipeOrder(device).order(); }

}  // namespace pipesim
