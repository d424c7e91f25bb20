#include "sim/sensitivity.hpp"

#include <algorithm>
#include <limits>

#include "sim/analysis.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

/// How many of a task's ops take the time in question.
using Weight = std::int64_t (*)(const TaskGraph&, TaskId, Stage);

bool costs_its_parts(const TaskGraph& graph, TaskId task) {
  const StageCosts& costs =
      graph.problem().costs[static_cast<std::size_t>(graph.op(task).stage.value)];
  return !graph.overlapped(task) || !costs.fused;
}

std::int64_t forwards(const TaskGraph& graph, TaskId task, Stage stage) {
  const Op& op = graph.op(task);
  const bool counts = op.kind == OpKind::forward && op.stage == stage;
  return counts && costs_its_parts(graph, task) ? 1 : 0;
}

std::int64_t forwards_and_recomputations(const TaskGraph& graph, TaskId task, Stage stage) {
  const Op& op = graph.op(task);
  const bool again = op.kind == OpKind::recompute && op.stage == stage;
  return again ? 1 : forwards(graph, task, stage);
}

std::int64_t backwards(const TaskGraph& graph, TaskId task, Stage stage) {
  const Op op = graph.overlapped(task).value_or(graph.op(task));
  const bool counts =
      (op.kind == OpKind::backward || op.kind == OpKind::backward_input) && op.stage == stage;
  return counts && costs_its_parts(graph, task) ? 1 : 0;
}

/// The tasks that can be on a critical path, and the edges along which it can go.
class CriticalTasks {
 public:
  CriticalTasks(const TaskGraph& graph, const Timeline& timeline)
      : graph_(graph),
        timeline_(timeline),
        order_(topological_order(graph)),
        t_total_(total_time(timeline)) {
    tail_.resize(graph.size());
    for (auto task = order_.rbegin(); task != order_.rend(); ++task) {
      for (const Neighbor& next : graph.successors(*task)) {
        const Span& span = timeline.spans[next.task];
        tail_[*task] =
            std::max(tail_[*task], next.latency + (span.end - span.start) + tail_[next.task]);
      }
    }
  }

  Ticks slack(TaskId task) const { return t_total_ - timeline_.spans[task].end - tail_[task]; }

  // The most and the fewest weighted ops on a path of length T_total.
  Derivative derivative(Weight weight, Stage stage) const {
    std::vector<Derivative> until(graph_.size());
    Derivative result{.if_longer = 0, .if_shorter = std::numeric_limits<std::int64_t>::max()};
    for (const TaskId task : order_) {
      if (slack(task) > Ticks{0}) continue;
      const Span& span = timeline_.spans[task];
      Derivative before = best_before(task, until);
      const std::int64_t own = weight(graph_, task, stage);
      until[task] = {before.if_longer + own, before.if_shorter + own};
      if (span.end != t_total_) continue;
      result.if_longer = std::max(result.if_longer, until[task].if_longer);
      result.if_shorter = std::min(result.if_shorter, until[task].if_shorter);
    }
    return result;
  }

 private:
  Derivative best_before(TaskId task, const std::vector<Derivative>& until) const {
    const Ticks start = timeline_.spans[task].start;
    // A path may begin here only at time 0.
    bool any = start == Ticks{0};
    Derivative best;
    for (const Neighbor& before : graph_.predecessors(task)) {
      if (timeline_.spans[before.task].end + before.latency != start) continue;
      const Derivative& other = until[before.task];
      best.if_longer = any ? std::max(best.if_longer, other.if_longer) : other.if_longer;
      best.if_shorter = any ? std::min(best.if_shorter, other.if_shorter) : other.if_shorter;
      any = true;
    }
    PIPESIM_CHECK(any);
    return best;
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  std::vector<TaskId> order_;
  std::vector<Ticks> tail_;  // by task: from its end, along the graph, to the last end
  Ticks t_total_;
};

}  // namespace

std::string why_no_sensitivity(const Problem& problem) {
  if (!problem.stragglers.empty()) return "a straggler's factor depends on when an op starts";
  if (problem.slices > 1) return "an op takes a slice's part of its stage's times";
  if (!problem.durations.empty()) return "the costs differ by microbatch";
  return "";
}

std::vector<StageSensitivity> stage_sensitivities(const TaskGraph& graph, const Timeline& timeline,
                                                  RecomputeTime recompute) {
  PIPESIM_CHECK(why_no_sensitivity(graph.problem()).empty());
  const Weight of_forward =
      recompute == RecomputeTime::as_forward ? forwards_and_recomputations : forwards;
  const CriticalTasks critical(graph, timeline);
  const auto stages = static_cast<std::size_t>(graph.problem().stages());
  constexpr Ticks kUnknown{std::numeric_limits<std::int64_t>::max()};
  std::vector<StageSensitivity> result(stages, {.slack = kUnknown, .forward = {}, .backward = {}});
  for (TaskId task = 0; task < graph.compute_tasks(); ++task) {
    const Ticks slack = critical.slack(task);
    const auto take = [&](const Op& op) {
      Ticks& least = result[static_cast<std::size_t>(op.stage.value)].slack;
      least = std::min(least, slack);
    };
    take(graph.op(task));
    if (const auto second = graph.overlapped(task)) take(*second);
  }
  for (std::size_t stage = 0; stage < stages; ++stage) {
    result[stage].forward = critical.derivative(of_forward, Stage{stage});
    result[stage].backward = critical.derivative(backwards, Stage{stage});
  }
  return result;
}

}  // namespace pipesim
