// 1F1B with a flush at the end of the step (PipeDream-Flush: Narayanan et al., 2006.09503,
// section 2; DAPPLE: Fan et al., 2007.01045, section 3): device i warms up with p-1-i forwards,
// then alternates one forward and one backward, then drains the backwards that are left.
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/streams.hpp"

namespace pipesim {

namespace {

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device device) {
  return std::min(problem.devices - device.value, problem.microbatches);
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const int p = problem.devices;
  const int m = problem.microbatches;
  Program program;
  for (int i = 0; i < p; ++i) {
    const Stage stage{i};
    const int warm_up = std::min(p - 1 - i, m);
    program.lanes.push_back(
        in_step({stream(forward(stage, 0), m), stream(backward(stage, 0), m, warm_up)}));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_1f1b;
const Schedule schedule_1f1b = {
    .info = {.name = "1f1b",
             .summary = "one forward, one backward after a warm-up of p-1-i forwards",
             .source = "Narayanan et al., PipeDream-Flush, arXiv 2006.09503, section 2; "
                       "Fan et al., DAPPLE, arXiv 2007.01045, section 3",
             .peak = "min(p - i, m)",
             .parameters = {}},
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
