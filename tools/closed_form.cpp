#include "tools/closed_form.hpp"

#include <algorithm>

namespace pipesim {

namespace {

bool equal_stages(const Problem& problem) {
  return std::all_of(problem.costs.begin(), problem.costs.end(),
                     [&](const StageCosts& costs) { return costs == problem.costs.front(); });
}

}  // namespace

// (m + p - 1)(t_f + t_b): GPipe 1811.06965 section 2.3 and 1F1B 2006.09503 section 2; a flush adds
// one more fill and drain.
ClosedForm closed_form(std::string_view schedule, const Problem& problem,
                       const Parameters& parameters) {
  if (schedule != "gpipe" && schedule != "1f1b")
    return {.formula = "none known", .condition = "any"};
  ClosedForm form{
      .formula = "(m + p - 1) * (t_f + t_b)", .condition = "equal stages", .t_total = {}};
  std::int64_t groups = 1;
  if (const auto flush_every = integer(parameters, "flush_every")) {
    form.formula = "(m + ceil(m / flush_every) * (p - 1)) * (t_f + t_b)";
    groups = (problem.microbatches + *flush_every - 1) / *flush_every;
  }
  if (equal_stages(problem)) {
    const StageCosts& costs = problem.costs.front();
    form.t_total =
        (costs.forward + costs.backward) * (problem.microbatches + groups * (problem.devices - 1));
  }
  return form;
}

}  // namespace pipesim
