// GPipe (Huang et al., 1811.06965, section 2.3): all forwards, then all backwards. Every
// activation is alive at the turn, so under a memory limit the step is cut into groups of
// `flush_every` microbatches, each of which drains before the next begins.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/memory.hpp"

namespace pipesim {

namespace {

constexpr auto kFlushEvery = "flush_every";

Program flushing(const Problem& problem, std::int64_t group) {
  const std::int64_t m = problem.microbatches;
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

/// Whether a run keeps the memory limit. Buffers of messages come on top of the activations, so
/// only the run itself can tell.
bool fits(const Problem& problem, std::int64_t group) {
  const TaskGraph graph(problem, with_recompute(problem, flushing(problem, group)));
  return !find_over_limit(graph, simulate(graph));
}

/// The largest group that keeps the limit; 1 if none does.
std::int64_t largest_group(const Problem& problem, std::int64_t most) {
  if (problem.memory.message == 0 || fits(problem, most)) return most;
  std::int64_t fitting = 1;
  while (most - fitting > 1) {
    const std::int64_t middle = fitting + (most - fitting) / 2;
    (fits(problem, middle) ? fitting : most) = middle;
  }
  return fitting;
}

Plan plan(const Problem& problem, const Parameters& parameters) {
  Plan plan{parameters, {}};
  if (!problem.memory_limit || integer(parameters, kFlushEvery)) return plan;
  const std::int64_t m = problem.microbatches;
  const std::int64_t group = largest_group(problem, std::min(*problem.memory_limit, m));
  if (group == m) return plan;
  plan.parameters[kFlushEvery] = group;
  plan.notes.push_back(fmt::format(
      "flush_every={} filled in from memory.limit: gpipe keeps every microbatch of a group alive",
      group));
  return plan;
}

std::int64_t group_of(const Problem& problem, const Parameters& parameters) {
  const std::int64_t m = problem.microbatches;
  return std::min(integer(parameters, kFlushEvery).value_or(m), m);
}

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device /*device*/) {
  return group_of(problem, parameters);
}

Program build(const Problem& problem, const Parameters& parameters) {
  return flushing(problem, group_of(problem, parameters));
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
