#include "sim/idle.hpp"

#include <algorithm>

namespace pipesim {

namespace {

/// Explains the gaps of one device, each from its end backwards.
class GapExplainer {
 public:
  GapExplainer(const TaskGraph& graph, const Timeline& timeline, Device device)
      : graph_(graph), timeline_(timeline), device_(device) {}

  std::vector<IdlePart> explain(Ticks t_total) {
    const auto device = static_cast<std::size_t>(device_.value);
    Ticks free_since;
    for (TaskId task = graph_.lane_begin(device); task < graph_.lane_begin(device + 1); ++task) {
      const Span& span = timeline_.spans[task];
      if (task == graph_.lane_begin(device)) {
        add({.begin = free_since, .end = span.start, .cause = IdleCause::fill, .next = task});
      } else {
        explain_gap(task, free_since);
      }
      if (is_parking(span.op.kind)) {
        add({.begin = span.start,
             .end = span.end,
             .cause = IdleCause::memory,
             .next = task + 1,
             .released_by = task});
      }
      free_since = span.end;
    }
    add({.begin = free_since, .end = t_total, .cause = IdleCause::drain});
    return std::move(parts_);
  }

 private:
  void add(const IdlePart& part) {
    if (part.begin < part.end) parts_.push_back(part);
  }

  // The rest of the gap, back to `from` or to the gap's begin, has this cause.
  void attribute(Ticks from, IdleCause cause, std::optional<Device> on = std::nullopt) {
    from = std::max(from, gap_begin_);
    if (from >= rest_end_) return;
    backwards_.push_back({.begin = from,
                          .end = rest_end_,
                          .cause = cause,
                          .on = on,
                          .next = next_,
                          .released_by = timeline_.spans[next_].released_by});
    rest_end_ = from;
  }

  void explain_gap(TaskId next, Ticks begin) {
    next_ = next;
    rest_end_ = timeline_.spans[next].start;
    backwards_.clear();
    // While its own step was not over, the device waited for that and for nothing else.
    const TaskId optimizer = optimizer_before(next);
    gap_begin_ = optimizer == kNoTask ? begin : timeline_.spans[optimizer].end;
    TaskId waiting = next;
    while (rest_end_ > gap_begin_) waiting = explain_wait(waiting);
    gap_begin_ = begin;
    if (optimizer != kNoTask) {
      attribute(timeline_.spans[optimizer].start, IdleCause::optimizer);
      waiting = optimizer;
      while (rest_end_ > gap_begin_) waiting = explain_wait(waiting);
    }
    std::for_each(backwards_.rbegin(), backwards_.rend(),
                  [this](const IdlePart& part) { add(part); });
  }

  // The optimizer that ends the step before the task's, where the task is the first of its step.
  TaskId optimizer_before(TaskId task) const {
    for (const Neighbor& before : graph_.predecessors(task)) {
      if (graph_.op(before.task).kind == OpKind::optimizer) return before.task;
    }
    return kNoTask;
  }

  // Explains what `waiting` waited for; returns what to go on with.
  TaskId explain_wait(TaskId waiting) {
    const TaskId released_by = timeline_.spans[waiting].released_by;
    const Span& releaser = timeline_.spans[released_by];
    switch (releaser.op.kind) {
      case OpKind::grad_sync:
        attribute(releaser.start, IdleCause::communication);
        return released_by;
      case OpKind::barrier:
      case OpKind::release:
        return explain_barrier(waiting);
      case OpKind::send_forward:
      case OpKind::send_backward:
        explain_transfer(released_by);
        return waiting;
      default:
        attribute(releaser.end, IdleCause::communication);
        attribute(gap_begin_, IdleCause::dependency, graph_.device(released_by));
        return waiting;
    }
  }

  // Until its own reductions are done, a device does not wait for the others.
  TaskId explain_barrier(TaskId optimizer) {
    TaskId last_sync = kNoTask;
    Ticks own_end = gap_begin_;
    for (const Neighbor& before : graph_.predecessors(optimizer)) {
      if (before.kind != EdgeKind::order) continue;
      own_end = std::max(own_end, timeline_.spans[before.task].end);
      if (graph_.op(before.task).kind == OpKind::grad_sync) last_sync = before.task;
    }
    attribute(own_end, IdleCause::barrier);
    if (last_sync == kNoTask) {
      attribute(gap_begin_, IdleCause::barrier);
      return optimizer;
    }
    attribute(timeline_.spans[last_sync].start, IdleCause::communication);
    return last_sync;
  }

  void explain_transfer(TaskId transfer) {
    const Span& span = timeline_.spans[transfer];
    const Op& send = span.op;
    const Role role = send.kind == OpKind::send_forward ? Role::forward : Role::gradient;
    const TaskId producer = graph_.find(role, send.stage, send.microbatch);
    const Ticks produced = timeline_.spans[producer].end;
    attribute(span.start, IdleCause::communication);
    const TaskId before = span.released_by;
    if (before != Span::kNotReleased && before != producer) {
      if (graph_.is_transfer(before)) {
        attribute(produced, IdleCause::head_of_line);
      } else {
        attribute(produced, IdleCause::dependency, graph_.device(before));
      }
    }
    attribute(gap_begin_, IdleCause::dependency, graph_.device(producer));
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  Device device_;
  std::vector<IdlePart> parts_;
  // Of the gap that is being explained:
  TaskId next_ = kNoTask;
  Ticks gap_begin_;
  Ticks rest_end_;  // what is not yet explained is [gap_begin_, rest_end_)
  std::vector<IdlePart> backwards_;
};

}  // namespace

std::string_view name(IdleCause cause) {
  switch (cause) {
    case IdleCause::fill:
      return "fill";
    case IdleCause::drain:
      return "drain";
    case IdleCause::dependency:
      return "dependency";
    case IdleCause::communication:
      return "communication";
    case IdleCause::head_of_line:
      return "head_of_line";
    case IdleCause::barrier:
      return "barrier";
    case IdleCause::optimizer:
      return "optimizer";
    case IdleCause::memory:
      return "memory";
  }
  return "";
}

std::vector<std::vector<IdlePart>> idle_parts(const TaskGraph& graph, const Timeline& timeline) {
  const Ticks t_total = total_time(timeline);
  std::vector<std::vector<IdlePart>> parts;
  parts.reserve(graph.devices());
  for (std::size_t device = 0; device < graph.devices(); ++device) {
    parts.push_back(GapExplainer(graph, timeline, Device{device}).explain(t_total));
  }
  return parts;
}

IdleTimes idle_times(const std::vector<IdlePart>& parts) {
  IdleTimes times{};
  for (const IdlePart& part : parts) {
    times[static_cast<std::size_t>(part.cause)] += (part.end - part.begin).count;
  }
  return times;
}

}  // namespace pipesim
