#include "sim/analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/depth_first_search.hpp>
#include <boost/graph/graph_concepts.hpp>
#include <boost/graph/strong_components.hpp>
#include <boost/graph/topological_sort.hpp>
#include <boost/range/iterator_range.hpp>
#include <optional>

#include "sim/task_graph_boost.hpp"
#include "sim/transfer_order.hpp"

namespace pipesim {

BOOST_CONCEPT_ASSERT((boost::VertexListGraphConcept<TaskGraph>));
BOOST_CONCEPT_ASSERT((boost::IncidenceGraphConcept<TaskGraph>));
BOOST_CONCEPT_ASSERT((boost::BidirectionalGraphConcept<TaskGraph>));

namespace {

/// Remembers the edge that closed a cycle, and the tree by which it was reached.
class CycleVisitor : public boost::default_dfs_visitor {
 public:
  CycleVisitor(std::vector<TaskId>& parent, std::optional<TaskEdge>& back)
      : parent_(&parent), back_(&back) {}

  void tree_edge(const TaskEdge& edge, const TaskGraph&) { (*parent_)[edge.target] = edge.source; }
  void back_edge(const TaskEdge& edge, const TaskGraph&) {
    if (!*back_) *back_ = edge;
  }

 private:
  std::vector<TaskId>* parent_;
  std::optional<TaskEdge>* back_;
};

std::string described(const TaskGraph& graph, TaskId task) {
  const Device device = graph.device(task);
  if (!graph.is_transfer(task)) {
    return fmt::format("{} on device {}", token(graph.step(task)), device.value);
  }
  return fmt::format("{} from device {} to device {}", token(graph.op(task)), device.value,
                     receiver(graph.problem(), graph.op(task)).value);
}

EdgeKind why(const TaskGraph& graph, TaskId waiting, TaskId awaited) {
  EdgeKind kind = EdgeKind::order;
  for (const Neighbor& before : graph.predecessors(waiting)) {
    if (before.task == awaited) kind = before.kind;
  }
  return kind;
}

}  // namespace

std::vector<TaskId> find_cycle(const TaskGraph& graph) {
  std::vector<TaskId> parent(graph.size(), kNoTask);
  std::vector<boost::default_color_type> color(graph.size());
  std::optional<TaskEdge> back;
  boost::depth_first_search(graph,
                            boost::visitor(CycleVisitor(parent, back))
                                .color_map(boost::make_iterator_property_map(
                                    color.begin(), boost::typed_identity_property_map<TaskId>())));
  if (!back) return {};
  // back goes from the deepest task to one above it; each waits for its parent in the tree.
  std::vector<TaskId> cycle;
  for (TaskId id = back->source; id != back->target; id = parent[id]) cycle.push_back(id);
  cycle.push_back(back->target);
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

namespace {

/// By component, whether a task of it waits for a stuck task of another.
std::vector<bool> waiting_components(const TaskGraph& graph,
                                     const std::function<bool(TaskId)>& is_stuck,
                                     const std::vector<TaskId>& component_of,
                                     std::size_t components) {
  std::vector<bool> waits(components);
  for (TaskId task = 0; task < graph.size(); ++task) {
    for (const Neighbor& before : graph.predecessors(task)) {
      const bool elsewhere = component_of[before.task] != component_of[task];
      if (elsewhere && is_stuck(before.task)) waits[component_of[task]] = true;
    }
  }
  return waits;
}

/// A shortest cycle through a task within its component, each task waiting for the next.
std::vector<TaskId> shortest_cycle(const TaskGraph& graph, const std::vector<TaskId>& component_of,
                                   TaskId first) {
  std::vector<TaskId> reached_from(graph.size(), kNoTask);
  std::vector<TaskId> reached = {first};
  for (std::size_t i = 0; i < reached.size() && reached_from[first] == kNoTask; ++i) {
    for (const Neighbor& before : graph.predecessors(reached[i])) {
      if (component_of[before.task] != component_of[first]) continue;
      if (reached_from[before.task] != kNoTask) continue;
      reached_from[before.task] = reached[i];
      reached.push_back(before.task);
    }
  }
  std::vector<TaskId> cycle = {first};
  for (TaskId task = reached_from[first]; task != first; task = reached_from[task]) {
    cycle.push_back(task);
  }
  // It was followed backwards, from the awaited to who waits.
  std::reverse(cycle.begin() + 1, cycle.end());
  return cycle;
}

}  // namespace

std::vector<TaskId> blocking_cycle(const TaskGraph& graph,
                                   const std::function<bool(TaskId)>& is_stuck) {
  std::vector<TaskId> component_of(graph.size());
  const std::size_t components = boost::strong_components(
      graph, boost::make_iterator_property_map(component_of.begin(),
                                               boost::typed_identity_property_map<TaskId>()));
  const std::vector<bool> waits = waiting_components(graph, is_stuck, component_of, components);
  for (TaskId task = 0; task < graph.size(); ++task) {
    if (is_stuck(task) && !waits[component_of[task]]) {
      return shortest_cycle(graph, component_of, task);
    }
  }
  return {};
}

Error deadlock_error(const TaskGraph& graph, const std::vector<TaskId>& cycle) {
  constexpr std::size_t kShown = 12;
  std::string text = "deadlock: these ops wait for each other";
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    if (i == kShown && cycle.size() > kShown + 1) {
      text += fmt::format("\n  ... and {} more", cycle.size() - kShown);
      break;
    }
    const TaskId waiting = cycle[i];
    const TaskId awaited = cycle[(i + 1) % cycle.size()];
    const bool is_order = why(graph, waiting, awaited) == EdgeKind::order;
    text += fmt::format(
        "\n  {} waits for {}, {}", described(graph, waiting), described(graph, awaited),
        is_order ? "which stands before it on a lane that both need" : "whose result it needs");
  }
  return Error(Fault{.pointer = "/schedule", .what = std::move(text)}, ErrorKind::run_failed);
}

std::vector<TaskId> topological_order(const TaskGraph& graph) {
  std::vector<TaskId> order;
  order.reserve(graph.size());
  std::vector<boost::default_color_type> color(graph.size());
  boost::topological_sort(graph, std::back_inserter(order),
                          boost::color_map(boost::make_iterator_property_map(
                              color.begin(), boost::typed_identity_property_map<TaskId>())));
  std::reverse(order.begin(), order.end());
  return order;
}

std::vector<Ticks> longest_path_starts(const TaskGraph& graph) {
  std::vector<Ticks> start(graph.size());
  for (const TaskId task : topological_order(graph)) {
    for (const TaskEdge& edge : boost::make_iterator_range(in_edges(task, graph))) {
      const Ticks end = start[edge.source] + graph.duration(edge.source, start[edge.source]);
      start[task] = std::max(start[task], end + latency(edge, graph));
    }
  }
  return start;
}

namespace {

TaskId last_task(const Timeline& timeline) {
  const auto last =
      std::max_element(timeline.spans.begin(), timeline.spans.end(),
                       [](const Span& left, const Span& right) { return left.end < right.end; });
  return static_cast<TaskId>(last - timeline.spans.begin());
}

/// A predecessor whose result or lane let the task start when it did, the one on its lane first;
/// kNoTask for a task without predecessors.
TaskId binding_predecessor(const TaskGraph& graph, const Timeline& timeline, TaskId task) {
  for (const Neighbor& before : graph.predecessors(task)) {
    if (timeline.spans[before.task].end + before.latency == timeline.spans[task].start) {
      return before.task;
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

CriticalPath critical_path(const TaskGraph& graph, const Timeline& timeline) {
  CriticalPath path;
  const TaskId last = last_task(timeline);
  for (TaskId task = last; task != kNoTask; task = binding_predecessor(graph, timeline, task)) {
    path.tasks.push_back(task);
  }
  std::reverse(path.tasks.begin(), path.tasks.end());
  for (const TaskId task : path.tasks) {
    const Span& span = timeline.spans[task];
    if (!is_compute(span.op.kind)) continue;
    const bool is_forward =
        role(span.op.kind) == Role::forward || role(span.op.kind) == Role::recompute;
    (is_forward ? path.forward : path.backward) += span.end - span.start;
    add_to_runs(path.runs, span.op, graph.device(task));
  }
  path.waiting = timeline.spans[last].end - path.forward - path.backward;
  return path;
}

}  // namespace pipesim
