// Eager 1F1B: 1F1B with twice its warm-up, 2(p-1-i) forwards on device i, so that a transfer has
// the time of a whole microbatch before anyone waits for it. Alpa (OverlapFriendlyPipeDream) and
// Paddle write the same order as 2(p-i)-1 forwards, then pairs that begin with the backward.
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/warm_up.hpp"

namespace pipesim {

namespace {

std::int64_t warm_up(const Problem& problem, Device device) {
  const std::int64_t behind = problem.devices - 1 - device.value;
  return std::min<std::int64_t>(2 * behind, problem.microbatches);
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device device) {
  return std::min<std::int64_t>(warm_up(problem, device) + 1, problem.microbatches);
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    program.lanes.push_back(
        warm_up_lane(Stage{i}, warm_up(problem, Device{i}), problem.microbatches));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_eager_1f1b;
const Schedule schedule_eager_1f1b = {
    .info = {.name = "eager_1f1b",
             .summary = "1f1b with twice the warm-up, 2(p-1-i) forwards, to hide latency",
             .source = "Zhuang et al., arXiv 2211.05322; Alpa's OverlapFriendlyPipeDreamSchedule, "
                       "Paddle's PipelineEager1F1BPass",
             .peak = "min(2(p - i) - 1, m)",
             .parameters = {}},
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
