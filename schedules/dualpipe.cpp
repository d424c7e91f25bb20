// DualPipe (DeepSeek-V3: 2412.19437, section 3.2.1): two copies of the model, so that microbatches
// enter at both ends; each device overlaps a forward of one direction with a backward of the other.
// The steps are in dual_pipe_steps.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "schedules/dual_pipe_steps.hpp"
#include "schedules/schedule.hpp"
#include "schedules/two_directions.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

void check(const Problem& problem, const Parameters& /*parameters*/) {
  const std::int64_t m = problem.microbatches;
  const std::int64_t minimum = 2 * std::int64_t{problem.devices};
  std::vector<Fault> faults = odd_devices(problem, "dualpipe");
  const auto refuse = [&](std::string what) {
    faults.push_back({.pointer = "/m",
                      .what = std::move(what),
                      .allowed = fmt::format("an even number of at least {}", minimum)});
  };
  if (m % 2 != 0) refuse(fmt::format("dualpipe needs an even m: {} % 2 = 1", m));
  if (m < minimum) refuse(fmt::format("dualpipe needs m >= 2p: {} < {}", m, minimum));
  if (!faults.empty()) throw Error(std::move(faults));
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  return problem.devices + 1;
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const int p = problem.devices;
  Program program;
  for (int i = 0; i < p; ++i) {
    const CrossingDirection down{.stage = Stage{i}, .first_microbatch = 0};
    const CrossingDirection up{.stage = Stage{p - 1 - i},
                               .first_microbatch = problem.first_microbatch(Flow{1}).value};
    const int from_end = std::min(i, p - 1 - i);
    const bool is_first_half = i < p / 2;
    program.lanes.push_back(dual_pipe_steps({.near = is_first_half ? down : up,
                                             .remote = is_first_half ? up : down,
                                             .from_end = from_end,
                                             .from_middle = p / 2 - 1 - from_end,
                                             .microbatches = problem.microbatches / 2}));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_dualpipe;
const Schedule schedule_dualpipe = {
    .info = {.name = "dualpipe",
             .summary = "forwards overlap the backwards of microbatches from the other end",
             .source = "DeepSeek-V3, arXiv 2412.19437, section 3.2.1; "
                       "github.com/deepseek-ai/DualPipe",
             .placement = "every stage on two devices, one for each direction",
             .peak = "p + 1",
             .backward = BackwardPass::mixed,
             .copies = 2,
             .parameters = {}},
    .place = place_two_directions,
    .check = check,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
