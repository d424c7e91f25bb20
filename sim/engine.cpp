#include "sim/engine.hpp"

#include <cstddef>
#include <vector>

#include "sim/error.hpp"

namespace pipesim {

namespace {

class Simulation {
 public:
  Simulation(const TaskGraph& graph, const SimulateOptions& options)
      : graph_(graph), options_(options), waiting_for_(graph.size()) {
    timeline_.spans.resize(graph.size());
    for (std::size_t lane = 0; lane <= graph.lanes(); ++lane) {
      timeline_.lane_begin.push_back(lane == graph.lanes() ? graph.size() : graph.lane_begin(lane));
    }
  }

  Timeline run() {
    for (TaskId task = 0; task < graph_.size(); ++task) {
      waiting_for_[task] = static_cast<std::uint8_t>(graph_.predecessors(task).size());
      if (waiting_for_[task] == 0) queue_.push(Ticks{0}, EventClass::start, task);
    }
    std::size_t finished = 0;
    while (!queue_.empty()) {
      const Event event = queue_.pop();
      if (options_.on_event) options_.on_event(event);
      switch (event.event_class) {
        case EventClass::start:
          start(event.task, event.time);
          break;
        case EventClass::arrival:
          satisfy(event.task, event.time);
          break;
        case EventClass::finish:
          finish(event.task, event.time);
          ++finished;
          break;
      }
    }
    if (finished != graph_.size()) throw deadlock_error(graph_, graph_.find_cycle());
    return std::move(timeline_);
  }

 private:
  void start(TaskId task, Ticks now) {
    Span& span = timeline_.spans[task];
    span.op = graph_.op(task);
    span.start = now;
    span.end = now + graph_.duration(task);
    span.released_by = released_by(task, now);
    queue_.push(span.end, EventClass::finish, task);
  }

  void finish(TaskId task, Ticks now) {
    for (const Neighbor& next : graph_.successors(task)) {
      if (next.latency == Ticks{0}) {
        satisfy(next.task, now);
      } else {
        queue_.push(now + next.latency, EventClass::arrival, next.task);
      }
    }
  }

  void satisfy(TaskId task, Ticks now) {
    if (--waiting_for_[task] == 0) queue_.push(now, EventClass::start, task);
  }

  // Of several that end at the same instant the one on the same lane: then nothing was idle.
  TaskId released_by(TaskId task, Ticks start) const {
    for (const Neighbor& before : graph_.predecessors(task)) {
      if (timeline_.spans[before.task].end + before.latency == start) return before.task;
    }
    return Span::kNotReleased;
  }

  const TaskGraph& graph_;
  const SimulateOptions& options_;
  EventQueue queue_;
  std::vector<std::uint8_t> waiting_for_;  // by task: predecessors that are not done
  Timeline timeline_;
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
