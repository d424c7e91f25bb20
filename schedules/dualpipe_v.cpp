// DualPipeV (github.com/deepseek-ai/DualPipe): DualPipe cut in half. One copy of the model goes
// there and back over the devices, and a device overlaps a forward of one of its stages with a
// backward of the other. The steps are in dual_pipe_steps.cpp.
#include <algorithm>

#include "schedules/dual_pipe_steps.hpp"
#include "schedules/first_microbatches.hpp"
#include "schedules/schedule.hpp"
#include "schedules/v_stages.hpp"

namespace pipesim {

namespace {

/// The fewest microbatches for which the steps have a meaning.
std::int64_t minimum(const Problem& problem) { return 2 * std::int64_t{problem.devices}; }

Plan plan(const Problem& problem, const Parameters& parameters) {
  Plan plan{parameters, {}};
  if (problem.microbatches < minimum(problem)) {
    plan.notes.push_back(first_microbatches_note("2p", minimum(problem), problem.microbatches));
  }
  return plan;
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  return std::min(minimum(problem) + 1, 2 * std::int64_t{problem.microbatches});
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const int p = problem.devices;
  const std::int64_t m = problem.microbatches;
  Program program;
  for (int i = 0; i < p; ++i) {
    program.lanes.push_back(dual_pipe_steps({.near = {.stage = Stage{i}},
                                             .remote = {.stage = Stage{2 * p - 1 - i}},
                                             .from_end = i,
                                             .from_middle = p - 1 - i,
                                             .microbatches = std::max(m, minimum(problem))}));
  }
  return m < minimum(problem) ? first_microbatches(program, m) : program;
}

}  // namespace

extern const Schedule schedule_dualpipe_v;
const Schedule schedule_dualpipe_v = {
    .info = {.name = "dualpipe_v",
             .summary = "forwards of one way of a V overlap backwards of the other",
             .source = "github.com/deepseek-ai/DualPipe",
             .placement = kVStages,
             .peak = "min(2p + 1, 2m)",
             .backward = BackwardPass::mixed,
             .parameters = {}},
    .place = place_v_stages,
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
