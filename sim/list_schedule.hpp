// A greedy placer for schedules that search: it puts ops on devices one after another and knows at
// every moment what that led to. What to put next is the caller's decision; the rules by which
// such schedules fill gaps and make room are here as building blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// What one microbatch's activations on a stage take of its device, in the unit of memory_rules().
struct ActivationUse {
  std::int64_t forward = 0;    ///< from the start of the forward
  std::int64_t recompute = 0;  ///< besides, from the start of a recomputation
  std::int64_t pending = 0;    ///< after the input gradient, until the weight gradient ends
};

/// By stage.
std::vector<ActivationUse> activation_uses(const Problem& problem);

/// The budget of a device that may hold any amount.
inline constexpr std::int64_t kNoBudget = std::numeric_limits<std::int64_t>::max();

/// By device, the most that its activations may take, in the unit of memory_rules(), or kNoBudget:
/// those of `microbatches` on all stages of the device, and no more than memory.limit leaves beside
/// what the device holds all the time and the buffers of that many messages. At least what one
/// microbatch takes, so that there is an order in any case.
std::vector<std::int64_t> memory_budgets(const Problem& problem,
                                         std::optional<std::int64_t> microbatches,
                                         int messages = 0);

/// The numbers of messages to leave room for that are worth a try: a search does not see when their
/// buffers are taken. None, and where they count, one to and from each neighbour.
std::vector<int> buffered_messages(const Problem& problem);

/// By device, how many pairs of stage and microbatch can be between their forward and their weight
/// gradient within the budgets, at most.
std::vector<std::int64_t> most_activations(const Problem& problem,
                                           const std::vector<std::int64_t>& budgets);

/// Forwards, input gradients and weight gradients of a problem with one flow, placed one after
/// another. Every stage takes its microbatches in order in each kind, and a device its weight
/// gradients in the order of its input gradients, so that kind and stage name the next op. An op
/// starts when its device is free and its inputs are there: a result is on another device after
/// the link's occupancy and latency; contention and stragglers are not seen. A recomputation
/// stands directly before its input gradient and is a part of it here.
class ListSchedule {
 public:
  /// Requires one flow and a budget for every device. The problem must outlive this.
  ListSchedule(const Problem& problem, const std::vector<std::int64_t>& budgets);

  /// Whether a run takes exactly as long as the schedule of the problem says.
  static bool has_exact_times(const Problem& problem);

  /// How many ops of the kind stand.
  std::int32_t count(OpKind kind, Stage stage) const { return stages_[at(stage)].counts[at(kind)]; }
  bool has_next(OpKind kind, Stage stage) const { return count(kind, stage) < microbatches_; }
  /// Whether there is a next op of the kind and what it needs stands.
  bool is_ready(OpKind kind, Stage stage) const;

  Device device(Stage stage) const { return stages_[at(stage)].device; }
  /// The stages of a device in the order of the forward pass.
  const std::vector<Stage>& stages(Device device) const { return lanes_[at(device)].stages; }
  /// Of one op, from start to end.
  Ticks duration(OpKind kind, Stage stage, std::int32_t microbatch) const;
  /// The part of an op that needs nothing from other devices: its recomputation.
  Ticks lead(OpKind kind, Stage stage, std::int32_t microbatch) const;
  /// From the end of an op of one stage until its result is on the device of another.
  Ticks transfer_time(Stage from, Stage to) const;
  /// When what comes from other devices lets the next op start; 0 if nothing does, and below 0 if
  /// its lead is longer. Requires is_ready().
  Ticks arrival(OpKind kind, Stage stage) const;
  /// How long the device would wait for the next op. Requires is_ready().
  Ticks gap(OpKind kind, Stage stage) const;

  Ticks clock(Device device) const { return lanes_[at(device)].clock; }
  /// The time that the device has waited between its ops.
  Ticks bubble(Device device) const { return lanes_[at(device)].bubble; }
  Ticks first_start(Device device) const { return lanes_[at(device)].first_start; }
  bool has_pending_weight(Device device) const { return !lanes_[at(device)].pending.empty(); }
  /// Whether the next op keeps the device within its budget, if `forwards` of the stage stood
  /// besides.
  bool fits(OpKind kind, Stage stage, std::int64_t forwards = 0) const;
  /// Whether another microbatch does, with all of its stages on the device, when those whose
  /// first forward stands have all of theirs.
  bool fits_microbatch(Device device) const;
  /// How long the pending weight gradients last that must run before the next op fits: as many as
  /// there are.
  Ticks time_to_make_room(OpKind kind, Stage stage) const;

  /// Requires is_ready() and a forward or input gradient.
  void put(OpKind kind, Stage stage);
  /// The weight gradient that has been pending for longest; its device does not wait for it.
  /// Requires has_pending_weight().
  void put_weight(Device device);
  void put_pending_weights(Device device);
  /// Puts weight gradients until the next op fits; false if none is left before it does.
  bool make_room(OpKind kind, Stage stage);
  /// Puts weight gradients as long as they end before the next op can start. Requires is_ready().
  void fill_gap(OpKind kind, Stage stage);

  /// The longest time of a device from its first start to its last end.
  Ticks longest_span() const;
  Ticks makespan() const;
  /// What stands, with loops where a short pattern repeats itself.
  Program program() const;

 private:
  struct StageState {
    Device device;
    std::array<std::int32_t, 3> counts{};    // by kind
    std::array<std::vector<Ticks>, 2> ends;  // of forwards and input gradients
    std::array<std::int64_t, 3> taken{};     // by kind, at the start
    std::array<std::int64_t, 3> released{};  // by kind, at the end
  };

  struct Lane {
    std::vector<Stage> stages;
    Ticks first_start;
    Ticks clock;
    Ticks bubble;
    std::int64_t budget = kNoBudget;
    std::int64_t memory = 0;     // where there is a budget
    std::int64_t recompute = 0;  // the most that a recomputation takes: always free for it
    std::vector<Op> ops;
    std::deque<Op> pending;  // weight gradients
  };

  static std::size_t at(OpKind kind);
  static std::size_t at(Stage stage) { return static_cast<std::size_t>(stage.value); }
  static std::size_t at(Device device) { return static_cast<std::size_t>(device.value); }

  void append(const Op& op, Ticks earliest);

  const Problem& problem_;
  std::int32_t microbatches_;
  std::vector<StageState> stages_;
  std::vector<Lane> lanes_;
};

/// Everything placed by one rule: of all devices the one that can first start something does, an
/// input gradient rather than a forward and the later stage rather than the earlier; a device that
/// would wait takes a weight gradient. A microbatch enters a device only if there is room for all
/// of its stages, so that no budget is exceeded and nothing waits for ever. Requires what
/// ListSchedule requires.
ListSchedule place_greedily(const Problem& problem, const std::vector<std::int64_t>& budgets);

/// The ops of a lane as loops wherever a short pattern repeats itself with the next microbatches.
LaneOrder with_loops(const std::vector<Op>& ops);

}  // namespace pipesim
