// V-Min (Qi et al., 2405.15362, section 3; the shift and the squeezing as in the authors'
// zbv_greedy): with one op a slot, a microbatch runs through the V without a pause, stage s in slot
// s and its input gradient in slot 4p-1-s, and the next one follows six slots later, a free slot
// for each weight gradient between them. Where 3 divides p the gradients come two slots later, or
// they would meet forwards. The grid is then squeezed (v_pattern.hpp).
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/v_pattern.hpp"
#include "schedules/v_stages.hpp"

namespace pipesim {

namespace {

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  const std::int64_t microbatches =
      std::min<std::int64_t>((std::int64_t{problem.devices} + 4) / 3, problem.microbatches);
  // Both stages of one microbatch at least, whatever the limit.
  const std::int64_t limit = std::max<std::int64_t>(1, problem.memory_limit.value_or(microbatches));
  return 2 * std::min(microbatches, limit);
}

BuildingBlock building_block(const Problem& problem) {
  const int stages = problem.stages();
  const int shift = problem.devices % 3 == 0 ? 2 : 0;
  BuildingBlock block;
  for (int s = 0; s < stages; ++s) {
    block.forward.push_back(s);
    block.gradient.push_back(2 * stages - 1 - s + shift);
  }
  return block;
}

Plan plan(const Problem& problem, const Parameters& parameters) {
  return plan_squeezed(problem, parameters, building_block(problem));
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  return squeezed_program(problem, building_block(problem));
}

}  // namespace

extern const Schedule schedule_v_min;
const Schedule schedule_v_min = {
    .info = {.name = "v_min",
             .summary = "a V of two stages a device that keeps a third of 1f1b's activations",
             .source = "Qi et al., Pipeline Parallelism with Controllable Memory, "
                       "arXiv 2405.15362, section 3",
             .placement = kVStages,
             .peak = "2 min(floor((p + 4) / 3), m, memory.limit)",
             .backward = BackwardPass::split,
             .parameters = {}},
    .place = place_v_stages,
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
