#include "sim/lower_bound.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace pipesim {

namespace {

std::size_t data_degree(const NeighborList& neighbors) {
  return static_cast<std::size_t>(
      std::count_if(neighbors.begin(), neighbors.end(),
                    [](const Neighbor& neighbor) { return neighbor.kind == EdgeKind::data; }));
}

/// Every task after the tasks whose results it needs, whatever the lanes' order.
std::vector<TaskId> data_order(const TaskGraph& graph) {
  std::vector<std::size_t> waiting_for(graph.size());
  std::vector<TaskId> order;
  order.reserve(graph.size());
  for (TaskId task = 0; task < graph.size(); ++task) {
    waiting_for[task] = data_degree(graph.predecessors(task));
    if (waiting_for[task] == 0) order.push_back(task);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const Neighbor& next : graph.successors(order[i])) {
      if (next.kind == EdgeKind::data && --waiting_for[next.task] == 0) order.push_back(next.task);
    }
  }
  return order;
}

/// The least a task can take, whenever it starts: a straggler may also be faster than the rest.
Ticks least_duration(const TaskGraph& graph, TaskId task) {
  Ticks least = graph.nominal_duration(task);
  if (!is_compute(graph.op(task).kind)) return least;
  for (const Straggler& straggler : graph.problem().stragglers) {
    if (straggler.device != graph.device(task)) continue;
    if (straggler.numerator >= straggler.denominator) continue;
    const Int128 scaled = Int128{least.count} * straggler.numerator / straggler.denominator;
    least = Ticks{static_cast<std::int64_t>(scaled)};
  }
  return least;
}

}  // namespace

Ticks lower_bound(const TaskGraph& graph) {
  const std::vector<TaskId> order = data_order(graph);
  std::vector<Ticks> head(graph.size());
  for (const TaskId task : order) {
    for (const Neighbor& next : graph.successors(task)) {
      if (next.kind != EdgeKind::data) continue;
      head[next.task] =
          std::max(head[next.task], head[task] + least_duration(graph, task) + next.latency);
    }
  }
  std::vector<Ticks> tail(graph.size());
  for (auto task = order.rbegin(); task != order.rend(); ++task) {
    for (const Neighbor& next : graph.successors(*task)) {
      if (next.kind != EdgeKind::data) continue;
      tail[*task] =
          std::max(tail[*task], next.latency + least_duration(graph, next.task) + tail[next.task]);
    }
  }
  Ticks bound;
  for (std::size_t device = 0; device < graph.devices(); ++device) {
    Ticks least_head{std::numeric_limits<std::int64_t>::max()};
    Ticks least_tail = least_head;
    Ticks work;
    for (TaskId task = graph.lane_begin(device); task < graph.lane_begin(device + 1); ++task) {
      least_head = std::min(least_head, head[task]);
      least_tail = std::min(least_tail, tail[task]);
      work += least_duration(graph, task);
    }
    bound = std::max(bound, least_head + work + least_tail);
  }
  return bound;
}

}  // namespace pipesim
