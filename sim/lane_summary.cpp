#include "sim/lane_summary.hpp"

#include <algorithm>

namespace pipesim {

RunningAmount then(const RunningAmount& first, const RunningAmount& next) {
  return {.change = first.change + next.change,
          .peak = std::max(first.peak, first.change + next.peak)};
}

RunningAmount repeated(const RunningAmount& once, std::int64_t count) {
  const Int128 before_last = once.change * (count - 1);
  return {.change = before_last + once.change,
          .peak = std::max(once.peak, before_last + once.peak)};
}

namespace {

RunningAmount amount(const MemoryEffect& effect) {
  return {.change = Int128{effect.taken} - effect.released, .peak = effect.taken};
}

LaneSummary then(const LaneSummary& first, const LaneSummary& next) {
  LaneSummary both = {.busy = first.busy + next.busy,
                      .busy_before_gradient = first.busy_before_gradient,
                      .busy_through_forward = first.busy_through_forward,
                      .activations = then(first.activations, next.activations),
                      .memory = then(first.memory, next.memory)};
  if (!both.busy_before_gradient && next.busy_before_gradient) {
    both.busy_before_gradient = first.busy + *next.busy_before_gradient;
  }
  if (next.busy_through_forward) {
    both.busy_through_forward = first.busy + *next.busy_through_forward;
  }
  return both;
}

/// Requires a count of at least 1.
LaneSummary repeated(const LaneSummary& once, std::int64_t count) {
  LaneSummary all = {.busy = once.busy * count,
                     .busy_before_gradient = once.busy_before_gradient,
                     .busy_through_forward = once.busy_through_forward,
                     .activations = repeated(once.activations, count),
                     .memory = repeated(once.memory, count)};
  if (once.busy_through_forward) {
    all.busy_through_forward = once.busy * (count - 1) + *once.busy_through_forward;
  }
  return all;
}

class Summarizer {
 public:
  Summarizer(const Problem& problem, const Memory& rules)
      : problem_(problem), rules_(rules), activations_(activation_rules(problem)) {}

  LaneSummary of(const std::vector<Item>& items) const {
    LaneSummary all;
    for (const Item& item : items) {
      const Loop* loop = std::get_if<Loop>(&item.what);
      if (loop == nullptr) {
        for_each_step(item, [&](const Step& step) { all = then(all, of(step)); });
      } else if (loop->count > 0) {
        all = then(all, repeated(of(loop->body), loop->count));
      }
    }
    return all;
  }

 private:
  LaneSummary of(const Step& step) const {
    LaneSummary summary = {.busy = problem_.duration(step.op, step.overlapped),
                           .activations = amount(memory_effect(problem_, activations_, step)),
                           .memory = amount(memory_effect(problem_, rules_, step))};
    const Op& gradient = step.overlapped.value_or(step.op);
    if (role(gradient.kind) == Role::gradient) summary.busy_before_gradient = Ticks{};
    if (role(step.op.kind) == Role::forward) summary.busy_through_forward = summary.busy;
    return summary;
  }

  const Problem& problem_;
  const Memory& rules_;
  Memory activations_;
};

}  // namespace

std::vector<LaneSummary> summarize(const Problem& problem, const Memory& rules,
                                   const Program& program) {
  const Summarizer summarizer(problem, rules);
  std::vector<LaneSummary> summaries;
  summaries.reserve(program.lanes.size());
  for (const LaneOrder& order : program.lanes) summaries.push_back(summarizer.of(order));
  return summaries;
}

}  // namespace pipesim
