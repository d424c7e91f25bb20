// Interleaved 1F1B with split backwards, as PyTorch's ScheduleInterleavedZeroBubble has it: the
// input gradients begin after (v-1)N + p-1-i forwards, and the weight gradients follow them i slots
// later. Groups are of N = m / R microbatches, R = max(1, m div p). With v = 1 it is ZB-H1.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/interleaving.hpp"
#include "schedules/schedule.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

std::int64_t rounds(const Problem& problem) {
  return std::max(1, problem.microbatches / problem.devices);
}

std::int64_t warm_up(const Problem& problem, Device device) {
  const std::int64_t v = problem.stages() / problem.devices;
  const std::int64_t group = problem.microbatches / rounds(problem);
  return std::min((v - 1) * group + problem.devices - 1 - device.value, v * problem.microbatches);
}

void check(const Problem& problem, const Parameters& /*parameters*/) {
  const std::int64_t p = problem.devices;
  const std::int64_t m = problem.microbatches;
  const std::int64_t r = rounds(problem);
  const std::int64_t rest = m % r;
  if (rest == 0) return;
  const std::int64_t next = std::min(m + r - rest, (r + 1) * p);
  throw Error(Fault{.pointer = "/m",
                    .what = fmt::format("m % (m div p) = {} % {} = {}", m, r, rest),
                    .allowed = fmt::format("groups of equal size, such as with m = {} or m = {}",
                                           m - rest, next)});
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device device) {
  const std::int64_t all = std::int64_t{problem.stages() / problem.devices} * problem.microbatches;
  return std::min(warm_up(problem, device) + device.value + 1, all);
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const std::int64_t group = problem.microbatches / rounds(problem);
  const auto ops = [&](OpKind kind, Device device, std::int64_t delay) {
    return interleaved(kind, device, problem, group, delay);
  };
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    const Device device{i};
    const std::int64_t delay = warm_up(problem, device);
    program.lanes.push_back(
        in_step({ops(OpKind::forward, device, 0), ops(OpKind::backward_input, device, delay),
                 ops(OpKind::backward_weight, device, delay + i)}));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_interleaved_zero_bubble;
const Schedule schedule_interleaved_zero_bubble = {
    .info = {.name = "interleaved_zero_bubble",
             .summary =
                 "interleaved_1f1b with weight gradients delayed into the cooldown's bubbles",
             .source = "torch.distributed.pipelining.ScheduleInterleavedZeroBubble; "
                       "Qi et al., Zero Bubble, arXiv 2401.10241, section 2",
             .placement = "loop of v stages a device",
             .peak = "min((v - 1) m / max(1, m div p) + p, m v)",
             .backward = BackwardPass::split,
             .parameters = {chunks_parameter()}},
    .place = place_chunks,
    .plan = plan_chunks,
    .check = check,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
