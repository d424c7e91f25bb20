// What the schedules with controllable memory share (Qi et al., Pipeline Parallelism with
// Controllable Memory, 2405.15362): the slots of one microbatch, the building block, are repeated
// every six slots over the V placement; then ops move to earlier slots as long as no device comes
// to keep more activations than the repeated block made any of them keep.
#pragma once

#include <cstdint>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/slot_grid.hpp"

namespace pipesim {

/// The first slots of microbatch 0's ops, by stage; each next microbatch has the same ones
/// `interval` slots later.
struct BuildingBlock {
  std::vector<int> forward;
  std::vector<int> gradient;
  int interval = 6;
};

/// A grid of the block repeated for that many microbatches; the gradient is an input gradient of
/// one slot, with its weight gradient in the next free one, or a full backward of two.
SlotGrid lay_block(const Problem& problem, const BuildingBlock& block, int microbatches,
                   OpKind gradient);

/// The activations that every device keeps after each slot of a grid, and the most that any may.
/// An activation is kept from the slot of its forward until the last slot of its full backward, or
/// the slot of its weight gradient.
class KeptActivations {
 public:
  /// Where the weight gradients of split backwards come from.
  enum class Weights {
    placed,  ///< they stand in the grid
    implied  ///< each takes the first free slot after an input gradient that has none yet
  };

  /// The limit is the most that a device keeps now. The grid must outlive this.
  KeptActivations(SlotGrid& grid, Weights weights);

  /// Moves an op to the first slot from `earliest` on, before its own, that is free and keeps the
  /// device within the limit; leaves it where there is none. Returns its slot.
  int move_earlier(const Op& op, int slot, int earliest);

  int limit() const { return limit_; }

 private:
  struct Kept {
    int activations = 0;
    int pending = 0;  // input gradients without their weight gradient, where those are implied
    friend bool operator==(const Kept&, const Kept&) = default;
  };

  Kept after(Kept before, const SlotGrid::Slot& slot) const;
  bool recount(Device device, int from, int until);

  SlotGrid& grid_;
  Weights weights_;
  std::vector<std::vector<Kept>> kept_;  // by device and slot
  int limit_ = 0;
};

/// The orders of v_min and v_half from their building blocks: squeezed with the weight gradients in
/// the grid, then without them, then with the weight gradients in the slots that are left. Where
/// problem.memory_limit is less than a block needs, microbatches follow each other at the least
/// interval at which it is enough and ops never meet.
Program squeezed_program(const Problem& problem, const BuildingBlock& block);

/// Says so where the memory limit makes the interval longer than the block's own.
Plan plan_squeezed(const Problem& problem, const Parameters& parameters,
                   const BuildingBlock& block);

/// So many microbatches that the middle of their grid repeats itself.
std::int64_t enough_for_steady_state(int devices);

}  // namespace pipesim
