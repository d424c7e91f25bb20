// PipeDream-2BW (Narayanan et al., 2006.09503, section 3.1): 1F1B over the whole run, no flush. The
// m microbatches of a step share one update; all of them use the weights of two steps before,
// W(t+1) = W(t) - lr * grad(W(t-1)), so a device keeps two versions and the new one replaces the
// older.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/warm_up.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

// Device 0 begins a step p-1 forwards before the one before the last of it has come back: in a
// shorter step the version that it needs is not there yet.
void check(const Problem& problem, const Parameters& /*parameters*/) {
  const std::int32_t m = problem.step_microbatches();
  if (m >= problem.devices - 1) return;
  throw Error(
      Fault{.pointer = "/m",
            .value = std::to_string(m),
            .what = fmt::format("pipedream_2bw with m = {} on p = {} devices", m, problem.devices),
            .allowed = fmt::format("at least p - 1 = {} microbatches of one step, or the "
                                   "weights that a forward needs are not there yet",
                                   problem.devices - 1)});
}

std::int32_t weight_versions(const Problem& /*problem*/, const Parameters& /*parameters*/,
                             Device /*device*/) {
  return 2;
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device device) {
  return std::min(problem.devices - device.value, problem.microbatches);
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  return one_f_one_b(problem);
}

}  // namespace

extern const Schedule schedule_pipedream_2bw;
const Schedule schedule_pipedream_2bw = {
    .info = {.name = "pipedream_2bw",
             .summary = "asynchronous 1f1b: no flush, an update every m microbatches",
             .source = "Narayanan et al., PipeDream-2BW, arXiv 2006.09503, section 3.1",
             .peak = "min(p - i, m)",
             .flushes = false,
             .parameters = {}},
    .weight_versions = weight_versions,
    .check = check,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
