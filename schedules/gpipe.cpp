// GPipe (Huang et al., 1811.06965, section 2.3): all forwards, then all backwards. Every
// activation is alive at the turn, so under a memory limit the step is cut into groups of
// `flush_every` microbatches, each of which drains before the next begins.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/schedule.hpp"

namespace pipesim {

namespace {

constexpr auto kFlushEvery = "flush_every";

Plan plan(const Problem& problem, const Parameters& parameters) {
  Plan plan{parameters, {}};
  const auto limit = problem.memory_limit;
  if (limit && *limit < problem.microbatches && !integer(parameters, kFlushEvery)) {
    plan.parameters[kFlushEvery] = *limit;
    plan.notes.push_back(fmt::format(
        "flush_every={} filled in from memory.limit: gpipe keeps every microbatch of a group alive",
        *limit));
  }
  return plan;
}

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device /*device*/) {
  const std::int64_t m = problem.microbatches;
  return std::min(integer(parameters, kFlushEvery).value_or(m), m);
}

Program build(const Problem& problem, const Parameters& parameters) {
  const std::int64_t m = problem.microbatches;
  const std::int64_t group = std::min(integer(parameters, kFlushEvery).value_or(m), m);
  const std::int64_t groups = m / group;
  const std::int64_t rest = m % group;
  Program program;
  for (int s = 0; s < problem.stages(); ++s) {
    const Stage stage{s};
    LaneOrder order;
    if (groups == 1) {
      order = {repeat(group, {forward(stage, 0)}), repeat(group, {backward(stage, 0)})};
    } else {
      order = {repeat(groups, {with_stride(repeat(group, {forward(stage, 0)}), group),
                               with_stride(repeat(group, {backward(stage, 0)}), group)})};
    }
    if (rest > 0) {
      order.push_back(repeat(rest, {forward(stage, m - rest)}));
      order.push_back(repeat(rest, {backward(stage, m - rest)}));
    }
    program.lanes.push_back(std::move(order));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_gpipe;
const Schedule schedule_gpipe = {
    .info = {.name = "gpipe",
             .summary = "all forwards, then all backwards",
             .source = "Huang et al., GPipe, arXiv 1811.06965, section 2.3",
             .peak = "min(flush_every, m)",
             .parameters = {{.name = kFlushEvery,
                             .type = ParameterType::integer,
                             .minimum = 1,
                             .summary = "microbatches between flushes; absent: memory.limit if "
                                        "there is one, else no flush within the step"}}},
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
