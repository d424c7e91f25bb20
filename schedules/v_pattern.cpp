#include "schedules/v_pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <string>

namespace pipesim {

namespace {

bool is_first_chunk(const SlotGrid& grid, const Op& op) { return op.stage < Stage{grid.devices()}; }

/// Gives free slots to weight gradients, each after its input gradient. Of those that wait, chunk 1
/// goes first.
void place_weights(SlotGrid& grid) {
  for (int d = 0; d < grid.devices(); ++d) {
    const Device device{d};
    std::array<std::deque<Op>, 2> waiting;  // by chunk
    const int last = grid.end(device);
    for (int slot = 0; slot < last || !waiting[0].empty() || !waiting[1].empty(); ++slot) {
      const SlotGrid::Slot found = grid.at(device, slot);
      if (found.use == SlotGrid::Use::free) {
        auto& next = waiting[1].empty() ? waiting[0] : waiting[1];
        if (next.empty()) continue;
        grid.place(next.front(), slot);
        next.pop_front();
      } else if (found.op.kind == OpKind::backward_input) {
        Op weight = found.op;
        weight.kind = OpKind::backward_weight;
        waiting[is_first_chunk(grid, found.op) ? 0 : 1].push_back(weight);
      }
    }
  }
}

/// One pass over the grid. Ops move to earlier slots while the pipeline fills, until device 0 has
/// its first gradient of chunk 0, and while it drains, from the last forward that enters on.
class Pass {
 public:
  Pass(SlotGrid& grid, KeptActivations::Weights weights)
      : grid_(grid),
        weights_(weights),
        kept_(grid, weights),
        gradients_(static_cast<std::size_t>(grid.devices())),
        weights_seen_(gradients_.size()),
        last_weight_(gradients_.size(), -1) {}

  void run() {
    grid_.for_each_op([this](const Op& op, int slot) { visit(op, slot); });
  }

 private:
  enum class Phase { fill, steady, drain };

  void visit(const Op& op, int slot) {
    const bool is_chunk_0 = is_first_chunk(grid_, op);
    if (phase_ == Phase::fill && op.kind == OpKind::backward_input && is_chunk_0 &&
        grid_.device(op) == Device{0}) {
      phase_ = Phase::steady;
    }
    const bool moves = phase_ == Phase::drain ||
                       (phase_ == Phase::fill && weights_ == KeptActivations::Weights::placed);
    const int to = moves ? kept_.move_earlier(op, slot, earliest(op)) : slot;
    if (phase_ == Phase::steady && op.kind == OpKind::forward && is_chunk_0 &&
        op.microbatch.value == grid_.microbatches() - 1) {
      phase_ = Phase::drain;
    }
    remember(op, to);
  }

  /// A weight gradient needs as many input gradients before it as it has weight gradients, itself
  /// included: which one belongs to which is decided at the end.
  int earliest(const Op& op) const {
    if (op.kind != OpKind::backward_weight) return grid_.ready_in_turn(op);
    const std::size_t device = index(op);
    return 1 + std::max(last_weight_[device], gradients_[device][weights_seen_[device]]);
  }

  void remember(const Op& op, int slot) {
    const std::size_t device = index(op);
    if (op.kind == OpKind::backward_weight) {
      ++weights_seen_[device];
      last_weight_[device] = slot;
    } else if (op.kind == OpKind::backward_input) {
      auto& slots = gradients_[device];
      slots.insert(std::upper_bound(slots.begin(), slots.end(), slot), slot);
    }
  }

  std::size_t index(const Op& op) const { return static_cast<std::size_t>(grid_.device(op).value); }

  SlotGrid& grid_;
  KeptActivations::Weights weights_;
  KeptActivations kept_;
  Phase phase_ = Phase::fill;
  std::vector<std::vector<int>> gradients_;  // by device: slots of the input gradients visited
  std::vector<std::size_t> weights_seen_;    // by device
  std::vector<int> last_weight_;             // by device: its slot
};

/// Whether two ops of a device, of whichever microbatches, stand in one slot.
bool meets_itself(const Problem& problem, const BuildingBlock& block) {
  std::vector<std::set<int>> taken(static_cast<std::size_t>(problem.devices));
  for (std::size_t stage = 0; stage < block.forward.size(); ++stage) {
    const Device device = problem.placement.device_of.front()[stage];
    for (const int slot : {block.forward[stage], block.gradient[stage]}) {
      const bool is_free =
          taken[static_cast<std::size_t>(device.value)].insert(slot % block.interval).second;
      if (!is_free) return true;
    }
  }
  return false;
}

/// The slots of both of a device's stages from forward to gradient, of the device with the most.
int longest_lifespan(const Problem& problem, const BuildingBlock& block) {
  std::vector<int> lifespans(static_cast<std::size_t>(problem.devices));
  for (std::size_t stage = 0; stage < block.forward.size(); ++stage) {
    const Device device = problem.placement.device_of.front()[stage];
    lifespans[static_cast<std::size_t>(device.value)] +=
        block.gradient[stage] - block.forward[stage];
  }
  return *std::max_element(lifespans.begin(), lifespans.end());
}

/// The block at the least interval, from its own on, at which ops never meet and no device keeps
/// more than the memory limit.
BuildingBlock within_memory_limit(const Problem& problem, BuildingBlock block) {
  const std::int64_t limit = problem.memory_limit.value_or(problem.microbatches);
  if (limit >= problem.microbatches) return block;
  // Less than one microbatch, on both stages of the last device at once, does not run at all.
  const std::int64_t most = 2 * std::max<std::int64_t>(limit, 1);
  const int lifespan = longest_lifespan(problem, block);
  // On average as many activations are there as fit into a lifespan: at less they are too many.
  block.interval = std::max(block.interval, static_cast<int>(lifespan / most));
  for (;; ++block.interval) {
    if (meets_itself(problem, block)) continue;
    const int overlapping = lifespan / block.interval + 2;
    SlotGrid grid = lay_block(problem, block, overlapping, OpKind::backward_input);
    if (KeptActivations(grid, KeptActivations::Weights::placed).limit() <= most) return block;
  }
}

SlotGrid squeezed_grid(const Problem& problem, const BuildingBlock& block, int microbatches) {
  SlotGrid grid = lay_block(problem, block, microbatches, OpKind::backward_input);
  Pass(grid, KeptActivations::Weights::placed).run();
  grid.squeeze();
  grid.remove_weights();
  Pass(grid, KeptActivations::Weights::implied).run();
  place_weights(grid);
  grid.squeeze();
  grid.remove_weights();
  place_weights(grid);
  return grid;
}

}  // namespace

SlotGrid lay_block(const Problem& problem, const BuildingBlock& block, int microbatches,
                   OpKind gradient) {
  SlotGrid grid(problem, microbatches, 2);
  for (std::size_t stage = 0; stage < block.forward.size(); ++stage) {
    for (int j = 0; j < microbatches; ++j) {
      const int later = block.interval * j;
      Op op{.kind = OpKind::forward, .stage = Stage{stage}, .microbatch = Microbatch{j}};
      grid.place(op, block.forward[stage] + later);
      op.kind = gradient;
      grid.place(op, block.gradient[stage] + later);
    }
  }
  if (gradient == OpKind::backward_input) place_weights(grid);
  return grid;
}

KeptActivations::KeptActivations(SlotGrid& grid, Weights weights)
    : grid_(grid), weights_(weights), kept_(static_cast<std::size_t>(grid.devices())) {
  for (int d = 0; d < grid.devices(); ++d) {
    Kept kept;
    for (int slot = 0; slot < grid.end(Device{d}); ++slot) {
      kept = after(kept, grid.at(Device{d}, slot));
      kept_[static_cast<std::size_t>(d)].push_back(kept);
      limit_ = std::max(limit_, kept.activations);
    }
  }
}

int KeptActivations::move_earlier(const Op& op, int slot, int earliest) {
  const Device device = grid_.device(op);
  const int width = grid_.width(op);
  for (int to = grid_.first_free(device, earliest, width); to < slot;
       to = grid_.first_free(device, to + 1, width)) {
    grid_.move(op, slot, to);
    if (recount(device, to, slot + width)) return to;
    grid_.move(op, to, slot);
    recount(device, to, slot + width);
  }
  return slot;
}

KeptActivations::Kept KeptActivations::after(Kept before, const SlotGrid::Slot& slot) const {
  const bool implied = weights_ == Weights::implied;
  const bool released_here =
      (slot.use == SlotGrid::Use::goes_on) ||
      (slot.use == SlotGrid::Use::starts && slot.op.kind == OpKind::backward_weight);
  const bool released_in_a_gap = slot.use == SlotGrid::Use::free && implied && before.pending > 0;
  if (released_here || released_in_a_gap) --before.activations;
  if (released_in_a_gap) --before.pending;
  if (slot.use != SlotGrid::Use::starts) return before;
  if (slot.op.kind == OpKind::forward) ++before.activations;
  if (slot.op.kind == OpKind::backward_input && implied) ++before.pending;
  return before;
}

/// Counts again from a slot on, at least until another and until nothing changes any more. Returns
/// whether the limit holds, and stops counting where it does not.
bool KeptActivations::recount(Device device, int from, int until) {
  auto& kept = kept_[static_cast<std::size_t>(device.value)];
  Kept now = from == 0 ? Kept{} : kept[static_cast<std::size_t>(from) - 1];
  for (auto slot = static_cast<std::size_t>(from); slot < kept.size(); ++slot) {
    now = after(now, grid_.at(device, static_cast<int>(slot)));
    if (static_cast<int>(slot) >= until && now == kept[slot]) break;
    kept[slot] = now;
    if (now.activations > limit_) return false;
  }
  return true;
}

Program squeezed_program(const Problem& problem, const BuildingBlock& block) {
  const BuildingBlock fitted = within_memory_limit(problem, block);
  return program_of_layout(
      problem.microbatches, 1, enough_for_steady_state(problem.devices),
      [&](int microbatches) { return squeezed_grid(problem, fitted, microbatches); });
}

Plan plan_squeezed(const Problem& problem, const Parameters& parameters,
                   const BuildingBlock& block) {
  Plan plan{parameters, {}};
  const int interval = within_memory_limit(problem, block).interval;
  if (interval > block.interval) {
    const std::int64_t limit = *problem.memory_limit;
    plan.notes.push_back(fmt::format(
        "microbatches follow each other {} slots apart instead of {}: memory.limit leaves room for "
        "{}",
        interval, block.interval,
        limit > 0 ? std::to_string(limit) : "less than one, which must be kept"));
  }
  return plan;
}

std::int64_t enough_for_steady_state(int devices) { return std::int64_t{4} * devices + 8; }

}  // namespace pipesim
