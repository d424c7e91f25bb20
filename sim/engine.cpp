#include "sim/engine.hpp"

#include <cstddef>
#include <set>
#include <utility>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

/// So many tasks go by unreported that the reports cost nothing.
constexpr std::size_t kReportedTasks = 65'536;

/// A link that several devices share: first come, first served; of those that come at one instant
/// the lowest task, which is the lowest device's earliest.
struct SharedLink {
  std::set<std::pair<Ticks, TaskId>> waiting;  // by the time of asking
  TaskId last = kNoTask;                       // the task that has it, or had it
  bool is_free = true;
};

class Simulation {
 public:
  Simulation(const TaskGraph& graph, const SimulateOptions& options)
      : graph_(graph),
        options_(options),
        phase_(options.progress, "simulating", static_cast<std::int64_t>(graph.size()), "tasks"),
        waiting_for_(graph.size()) {
    timeline_.spans.resize(graph.size());
    for (std::size_t device = 0; device <= graph.devices(); ++device) {
      timeline_.lane_begin.push_back(graph.lane_begin(device));
    }
  }

  Timeline run() {
    for (TaskId task = 0; task < graph_.size(); ++task) {
      waiting_for_[task] = static_cast<std::uint8_t>(graph_.predecessors(task).size());
      if (waiting_for_[task] == 0) queue_.push(Ticks{0}, EventClass::start, task);
    }
    while (!queue_.empty()) {
      const Event event = queue_.pop();
      if (options_.on_event) options_.on_event(event);
      handle(event);
    }
    if (finished_ != graph_.size()) {
      throw deadlock_error(
          graph_, blocking_cycle(graph_, [&](TaskId task) { return waiting_for_[task] > 0; }));
    }
    return std::move(timeline_);
  }

 private:
  void handle(const Event& event) {
    switch (event.event_class) {
      case EventClass::finish:
        finish(event.task, event.time);
        break;
      case EventClass::arrival:
        satisfy(event.task, event.time);
        break;
      case EventClass::start:
        start(event.task, event.time);
        break;
      case EventClass::grant:
        if (const auto node = graph_.shared_link(event.task)) grant(*node, event.time);
        break;
    }
  }

  void start(TaskId task, Ticks now) {
    Span& span = timeline_.spans[task];
    span.op = graph_.op(task);
    span.overlapped = graph_.overlapped(task);
    span.start = now;
    span.end = now + graph_.duration(task, now);
    span.released_by = released_by(task, now);
    queue_.push(span.end, EventClass::finish, task);
  }

  void finish(TaskId task, Ticks now) {
    if (++finished_ % kReportedTasks == 0) phase_.advance(kReportedTasks);
    for (const Neighbor& next : graph_.successors(task)) {
      if (next.latency == Ticks{0}) {
        satisfy(next.task, now);
      } else {
        queue_.push(now + next.latency, EventClass::arrival, next.task);
      }
    }
    if (const auto node = graph_.shared_link(task)) {
      SharedLink& link = shared_link(*node);
      link.is_free = true;
      if (!link.waiting.empty()) {
        queue_.push(now, EventClass::grant, link.waiting.begin()->second);
      }
    }
  }

  void satisfy(TaskId task, Ticks now) {
    if (--waiting_for_[task] > 0) return;
    if (const auto node = graph_.shared_link(task)) {
      shared_link(*node).waiting.emplace(now, task);
      queue_.push(now, EventClass::grant, task);
    } else {
      queue_.push(now, EventClass::start, task);
    }
  }

  // Everything that asks at this instant has asked: a grant comes last.
  void grant(std::int32_t node, Ticks now) {
    SharedLink& link = shared_link(node);
    if (!link.is_free || link.waiting.empty()) return;
    const TaskId task = link.waiting.begin()->second;
    link.waiting.erase(link.waiting.begin());
    link.is_free = false;
    timeline_.shared_link_orders[static_cast<std::size_t>(node)].push_back(task);
    start(task, now);
    if (link.last != kNoTask && timeline_.spans[link.last].end == now &&
        timeline_.spans[task].released_by == Span::kNotReleased) {
      timeline_.spans[task].released_by = link.last;
    }
    link.last = task;
  }

  SharedLink& shared_link(std::int32_t node) {
    const auto index = static_cast<std::size_t>(node);
    if (index >= shared_links_.size()) {
      shared_links_.resize(index + 1);
      timeline_.shared_link_orders.resize(index + 1);
    }
    return shared_links_[index];
  }

  // Of several that end at the same instant the one on the same lane: then nothing was idle.
  std::uint32_t released_by(TaskId task, Ticks start) const {
    for (const Neighbor& before : graph_.predecessors(task)) {
      if (timeline_.spans[before.task].end + before.latency == start) return before.task;
    }
    return Span::kNotReleased;
  }

  const TaskGraph& graph_;
  const SimulateOptions& options_;
  Phase phase_;
  EventQueue queue_;
  std::vector<std::uint8_t> waiting_for_;  // by task: predecessors that are not done
  std::vector<SharedLink> shared_links_;   // by node
  Timeline timeline_;
  std::size_t finished_ = 0;
};

}  // namespace

Timeline simulate(const TaskGraph& graph, const SimulateOptions& options) {
  return Simulation(graph, options).run();
}

Timeline simulate(const Problem& problem, const Program& program) {
  validate_problem(problem);
  validate_program(problem, program);
  return simulate(TaskGraph(problem, program));
}

}  // namespace pipesim
