// 1F1B-V (Qi et al., 2405.15362; the slots as in the authors' v1f1b): V-Min's forwards
// with full backwards of two slots, one right after the other but for a pause of three slots after
// every third, so that microbatches six slots apart never meet. Then every op moves to earlier
// slots, in slot order, as long as no device keeps more than the most that one keeps now.
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/v_pattern.hpp"
#include "schedules/v_stages.hpp"

namespace pipesim {

namespace {

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  return 2 *
         std::min<std::int64_t>((std::int64_t{2} * problem.devices + 3) / 3, problem.microbatches);
}

BuildingBlock building_block(int devices) {
  const int stages = 2 * devices;
  BuildingBlock block{.forward = {},
                      .gradient = std::vector<int>(static_cast<std::size_t>(stages))};
  for (int s = 0; s < stages; ++s) block.forward.push_back(s);
  int slot = stages + (devices % 3 == 0 ? 3 : 0);
  int since_pause = (2 * devices + 1) % 3;  // -(p + 2) mod 3
  for (int s = stages - 1; s >= 0; --s) {
    block.gradient[static_cast<std::size_t>(s)] = slot;
    slot += 2;
    if (++since_pause == 3) {
      since_pause = 0;
      slot += 3;
    }
  }
  return block;
}

SlotGrid squeezed_grid(const Problem& problem, const BuildingBlock& block, int microbatches) {
  SlotGrid grid = lay_block(problem, block, microbatches, OpKind::backward);
  KeptActivations kept(grid, KeptActivations::Weights::placed);
  grid.for_each_op(
      [&](const Op& op, int slot) { kept.move_earlier(op, slot, grid.ready_in_turn(op)); });
  return grid;
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const BuildingBlock block = building_block(problem.devices);
  return program_of_layout(
      problem.microbatches, 1, enough_for_steady_state(problem.devices),
      [&](int microbatches) { return squeezed_grid(problem, block, microbatches); });
}

}  // namespace

extern const Schedule schedule_1f1b_v;
const Schedule schedule_1f1b_v = {
    .info = {.name = "1f1b_v",
             .summary = "a V of two stages a device, full backwards, two thirds of 1f1b's "
                        "activations",
             .source = "Qi et al., Pipeline Parallelism with Controllable Memory, "
                       "arXiv 2405.15362",
             .placement = kVStages,
             .peak = "2 min(floor((2p + 3) / 3), m)",
             .parameters = {}},
    .place = place_v_stages,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
