// ZB-H2 (Qi et al., Zero Bubble, 2401.10241, section 2.2): twice 1F1B's memory for no bubble but
// the first device's head start. Device i warms up with 2(p-i)-1 forwards and delays its weight
// gradients by 2i slots. From m = 2p-1 microbatches on the devices are never idle if forward,
// input and weight gradient take the same time; with fewer the order is the same, and they are.
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/streams.hpp"

namespace pipesim {

namespace {

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  return std::min<std::int64_t>(2 * std::int64_t{problem.devices} - 1, problem.microbatches);
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const std::int64_t m = problem.microbatches;
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    const Stage stage{i};
    const std::int64_t warm_up = std::min(2 * std::int64_t{problem.devices - i} - 1, m);
    const std::int64_t weight_delay = warm_up + 2 * std::int64_t{i};
    program.lanes.push_back(in_step({stream(backward_input(stage, 0), m, warm_up),
                                     stream(backward_weight(stage, 0), m, weight_delay),
                                     stream(forward(stage, 0), m)}));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_zb_h2;
const Schedule schedule_zb_h2 = {
    .info = {.name = "zb_h2",
             .summary = "no bubble after the first forwards for twice 1f1b's memory",
             .source = "Qi et al., Zero Bubble, arXiv 2401.10241, section 2.2",
             .peak = "min(2p - 1, m)",
             .backward = BackwardPass::split,
             .parameters = {}},
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
