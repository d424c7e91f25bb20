// A grid of equal slots, for schedules that lay their ops out before any time is known: what stands
// in which slot of which device. The order of a device is the order of its slots.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// Slots of a grid that say the same again and again, on every device at once.
struct Repetition {
  int begin = 0;         ///< the first slot
  int slots = 0;         ///< of one repetition
  int count = 0;         ///< of repetitions, at least 2
  int microbatches = 0;  ///< by which a repetition advances
};

/// Slots are numbered from 0; those after the last one in use are free. A full backward may take
/// more than one slot, every other op takes one.
class SlotGrid {
 public:
  enum class Use : std::uint8_t {
    free,
    closed,   ///< nothing stands here, and nothing may
    starts,   ///< the first slot of `op`
    goes_on,  ///< a later one
  };
  struct Slot {
    Use use = Use::free;
    Op op;  ///< of a slot in use
  };

  /// An empty grid for microbatches 0 to `microbatches` - 1. Requires a problem of one flow.
  SlotGrid(const Problem& problem, int microbatches, int slots_of_backward = 1);

  int devices() const { return static_cast<int>(slots_.size()); }
  int microbatches() const { return microbatches_; }
  Device device(const Op& op) const;
  int width(const Op& op) const { return op.kind == OpKind::backward ? slots_of_backward_ : 1; }
  /// One past the last slot of the device, of any device, that was ever in use.
  int end(Device device) const { return static_cast<int>(lane(device).size()); }
  int end() const;

  const Slot& at(Device device, int slot) const;
  bool is_free(Device device, int slot) const { return at(device, slot).use == Use::free; }
  /// The first slot from `from` on at which `count` free ones begin.
  int first_free(Device device, int from, int count) const;
  /// The slot after those of the forward, or of the gradient, that the op needs from its
  /// neighbour: the stage before, or after; the last stage's gradient needs its own forward. 0 for
  /// the first stage's forward and for weight gradients. Requires that what is needed is placed.
  int ready(const Op& op) const;
  /// ready(), and not before the same op of the microbatch before it has ended.
  int ready_in_turn(const Op& op) const;
  /// The first slot of a forward or a gradient. Requires that it is placed.
  int start(const Op& op) const { return starts_[index(op)]; }

  /// Requires free slots.
  void place(const Op& op, int slot);
  /// Requires an op that starts in slot `from`, and slots that are free or its own.
  void move(const Op& op, int from, int to);
  void close(Device device, int slot);
  /// Takes the weight gradients away.
  void remove_weights();
  /// Moves every op to the earliest slot at which its device is free and its input is there,
  /// leaving the order of each device as it is. Requires that no op stands before its input.
  void squeeze();

  /// Calls visit(op, slot) for every op, slot after slot, within a slot device after device. An op
  /// that is moved to an earlier slot is not visited again.
  template <class Visit>
  void for_each_op(Visit visit) {
    const int slots = end();
    for (int slot = 0; slot < slots; ++slot) {
      for (int d = 0; d < devices(); ++d) {
        const Slot found = at(Device{d}, slot);
        if (found.use == Use::starts) visit(found.op, slot);
      }
    }
  }

  /// The longest run of slots in which every device does the same again and again, each time for
  /// the next `microbatches` ones.
  std::optional<Repetition> repetition(int microbatches) const;
  /// The orders of all devices. With a repetition they are loops, and go on for `more`
  /// microbatches, which a whole number of repetitions takes.
  Program program(const std::optional<Repetition>& repetition, std::int64_t more) const;

 private:
  const std::vector<Slot>& lane(Device device) const {
    return slots_[static_cast<std::size_t>(device.value)];
  }
  std::vector<Slot>& lane(Device device) { return slots_[static_cast<std::size_t>(device.value)]; }
  std::size_t index(const Op& op) const;
  int after(const Op& op) const { return start(op) + width(op); }
  void put(const Op& op, int slot);
  void clear(Device device, int slot, int count);
  bool repeats(int slot, int slots, int microbatches) const;
  LaneOrder items(Device device, int begin, int end, std::int64_t later) const;

  int microbatches_;
  int slots_of_backward_;
  std::vector<Device> device_of_;         // by stage
  std::vector<std::vector<Slot>> slots_;  // by device
  std::vector<int> starts_;               // by role (forward, gradient), stage and microbatch
};

/// The orders of a layout that, for many microbatches, repeats itself each time for the next
/// `period` ones. Where the repetitions take a quarter of the layout of `enough` microbatches, or
/// of twice, four times, ... as many, loops stand for the rest; else all are laid out. `lay` makes
/// the grid for a number of microbatches.
Program program_of_layout(std::int64_t microbatches, std::int64_t period, std::int64_t enough,
                          const std::function<SlotGrid(int microbatches)>& lay);

}  // namespace pipesim
