#include "tools/closed_form.hpp"

#include <algorithm>

namespace pipesim {

namespace {

bool equal_stages(const Problem& problem) {
  return std::all_of(problem.costs.begin(), problem.costs.end(),
                     [&](const StageCosts& costs) { return costs == problem.costs.front(); });
}

/// One step in which only t_f and t_b cost time.
bool is_textbook_step(const Problem& problem) {
  const Communication& communication = problem.communication;
  const bool communicates = communication.mode == TransferMode::rendezvous ||
                            communication.intra != Link{} || communication.inter != Link{} ||
                            !communication.latencies.empty() || communication.shared_link;
  const bool recomputes = std::find(problem.recompute.begin(), problem.recompute.end(), true) !=
                          problem.recompute.end();
  return !communicates && !recomputes && problem.iterations.count == 1 &&
         !problem.iterations.has_tasks() && problem.launch_overhead == Ticks{} &&
         problem.stragglers.empty() && problem.durations.empty();
}

}  // namespace

// (m + p - 1)(t_f + t_b): GPipe 1811.06965 section 2.3 and 1F1B 2006.09503 section 2; a flush adds
// one more fill and drain.
ClosedForm closed_form(std::string_view schedule, const Problem& problem,
                       const Parameters& parameters) {
  if (schedule != "gpipe" && schedule != "1f1b") {
    return {.formula = "none known", .condition = "any"};
  }
  ClosedForm form{.formula = "(m + p - 1) * (t_f + t_b)",
                  .condition = "one step of equal stages, communication free",
                  .t_total = {}};
  std::int64_t groups = 1;
  if (const auto flush_every = integer(parameters, "flush_every")) {
    form.formula = "(m + ceil(m / flush_every) * (p - 1)) * (t_f + t_b)";
    groups = (problem.microbatches + *flush_every - 1) / *flush_every;
  }
  if (equal_stages(problem) && is_textbook_step(problem)) {
    const StageCosts& costs = problem.costs.front();
    form.t_total =
        (costs.forward + costs.backward) * (problem.microbatches + groups * (problem.devices - 1));
  }
  return form;
}

}  // namespace pipesim
