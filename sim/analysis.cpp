#include "sim/analysis.hpp"

#include <algorithm>
#include <boost/graph/topological_sort.hpp>
#include <boost/range/iterator_range.hpp>
#include <iterator>

#include "sim/task_graph_boost.hpp"

namespace pipesim {

std::vector<Ticks> longest_path_starts(const TaskGraph& graph) {
  std::vector<TaskId> reversed;
  reversed.reserve(graph.size());
  std::vector<boost::default_color_type> color(graph.size());
  boost::topological_sort(graph, std::back_inserter(reversed),
                          boost::color_map(boost::make_iterator_property_map(
                              color.begin(), boost::typed_identity_property_map<TaskId>())));
  std::vector<Ticks> start(graph.size());
  for (auto task = reversed.rbegin(); task != reversed.rend(); ++task) {
    for (const TaskEdge& edge : boost::make_iterator_range(in_edges(*task, graph))) {
      const Ticks arrival = start[edge.source] + graph.duration(edge.source) + latency(edge, graph);
      start[*task] = std::max(start[*task], arrival);
    }
  }
  return start;
}

namespace {

TaskId last_task(const TaskGraph& graph, const std::vector<Ticks>& start) {
  TaskId last = 0;
  Ticks latest{-1};
  for (TaskId task = 0; task < graph.size(); ++task) {
    const Ticks end = start[task] + graph.duration(task);
    if (end > latest) {
      latest = end;
      last = task;
    }
  }
  return last;
}

/// The predecessor whose result or lane the task had to wait for longest, the one on its lane
/// first; kNoTask for a task without predecessors.
TaskId binding_predecessor(const TaskGraph& graph, const std::vector<Ticks>& start, TaskId task) {
  for (const TaskEdge& edge : boost::make_iterator_range(in_edges(task, graph))) {
    if (start[edge.source] + graph.duration(edge.source) + latency(edge, graph) == start[task]) {
      return edge.source;
    }
  }
  return kNoTask;
}

void add_to_runs(std::vector<CriticalRun>& runs, const Op& op, Device device) {
  if (runs.empty() || runs.back().stage != op.stage || runs.back().device != device) {
    runs.push_back({.stage = op.stage, .device = device, .first = op, .last = op, .ops = 0});
  }
  runs.back().last = op;
  ++runs.back().ops;
}

}  // namespace

CriticalPath critical_path(const TaskGraph& graph) {
  const std::vector<Ticks> start = longest_path_starts(graph);
  CriticalPath path;
  const TaskId last = last_task(graph, start);
  for (TaskId task = last; task != kNoTask; task = binding_predecessor(graph, start, task)) {
    path.tasks.push_back(task);
  }
  std::reverse(path.tasks.begin(), path.tasks.end());
  for (const TaskId task : path.tasks) {
    const Op& op = graph.op(task);
    (op.kind == OpKind::forward ? path.forward : path.backward) += graph.duration(task);
    add_to_runs(path.runs, op, graph.problem().device(op));
  }
  path.waiting = start[last] + graph.duration(last) - path.forward - path.backward;
  return path;
}

}  // namespace pipesim
