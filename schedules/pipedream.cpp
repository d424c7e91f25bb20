// PipeDream (Harlap et al., 1806.03377, sections 3.2 and 3.3): 1F1B over the whole run, no flush.
// A stage updates its weights after every backward; a microbatch's backward uses the version that
// its forward used (weight stashing), so stage i keeps a version for each microbatch between the
// two, and the newest: p - i of them once the pipeline is full.
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/warm_up.hpp"

namespace pipesim {

namespace {

std::int32_t weight_versions(const Problem& problem, const Parameters& /*parameters*/,
                             Device device) {
  const std::int32_t m = problem.microbatches;
  const std::int32_t in_between = problem.devices - 1 - device.value;
  if (in_between == 0 || m == 1) return 1;
  // A short run begins with forwards that all use the first version.
  return std::min(in_between + 1, std::max(2, m - in_between + 1));
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device device) {
  return std::min(problem.devices - device.value, problem.microbatches);
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  return one_f_one_b(problem);
}

}  // namespace

extern const Schedule schedule_pipedream;
const Schedule schedule_pipedream = {
    .info = {.name = "pipedream",
             .summary = "asynchronous 1f1b: no flush, an update after every backward",
             .source = "Harlap et al., PipeDream, arXiv 1806.03377, sections 3.2 and 3.3",
             .peak = "min(p - i, m)",
             .flushes = false,
             .parameters = {}},
    .weight_versions = weight_versions,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
