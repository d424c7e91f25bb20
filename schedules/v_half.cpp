// V-Half (Qi et al., 2405.15362, section 3; the shift and the squeezing as in the authors'
// zbv_greedy): with one op a slot, a microbatch goes down the V at half speed, in every second
// slot, and comes back in every slot; its input gradients do the same. The next microbatch follows
// six slots later. Where p is even the gradients come three slots later, or they would meet
// forwards. The grid is then squeezed (v_pattern.hpp).
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/v_pattern.hpp"
#include "schedules/v_stages.hpp"

namespace pipesim {

namespace {

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  const std::int64_t microbatches =
      std::min<std::int64_t>((std::int64_t{problem.devices} + 2) / 2, problem.microbatches);
  // Both stages of one microbatch at least, whatever the limit.
  const std::int64_t limit = std::max<std::int64_t>(1, problem.memory_limit.value_or(microbatches));
  return 2 * std::min(microbatches, limit);
}

BuildingBlock building_block(const Problem& problem) {
  const int p = problem.devices;
  const int shift = p % 2 == 0 ? 3 : 0;
  BuildingBlock block;
  for (int s = 0; s < problem.stages(); ++s) {
    block.forward.push_back(s < p ? 2 * s : p - 1 + s);
    block.gradient.push_back(shift + (s < p ? 6 * p - 2 - s : 7 * p - 3 - 2 * s));
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

extern const Schedule schedule_v_half;
const Schedule schedule_v_half = {
    .info = {.name = "v_half",
             .summary = "a V of two stages a device that keeps half of 1f1b's activations",
             .source = "Qi et al., Pipeline Parallelism with Controllable Memory, "
                       "arXiv 2405.15362, section 3",
             .placement = kVStages,
             .peak = "2 min(floor((p + 2) / 2), m, memory.limit)",
             .backward = BackwardPass::split,
             .parameters = {}},
    .place = place_v_stages,
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
