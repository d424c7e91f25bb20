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

Ticks lower_bound(const Problem& problem, const std::vector<Ticks>& work, OpKind gradient) {
  constexpr Ticks kNone{std::numeric_limits<std::int64_t>::max()};
  std::vector<Ticks> least_head(work.size(), kNone);
  std::vector<Ticks> least_tail(work.size(), kNone);
  for (int f = 0; f < problem.placement.flows(); ++f) {
    const Flow flow{f};
    const Microbatch first = problem.first_microbatch(flow);
    if (first >= Microbatch{problem.microbatches}) continue;
    const std::vector<Device>& device_of = problem.placement.device_of[static_cast<std::size_t>(f)];
    Ticks head;  // the first op of a stage is a forward
    Ticks tail;  // its last a backward, or a weight gradient, for which nothing waits
    for (std::size_t stage = 0; stage < device_of.size(); ++stage) {
      const auto device = static_cast<std::size_t>(device_of[stage].value);
      least_head[device] = std::min(least_head[device], head);
      least_tail[device] = std::min(least_tail[device], tail);
      if (stage + 1 == device_of.size()) break;
      const auto takes = [&](OpKind kind) {
        return problem.duration({.kind = kind, .stage = Stage{stage}, .microbatch = first},
                                std::nullopt);
      };
      const Link down = problem.link(device_of[stage], device_of[stage + 1]);
      const Link up = problem.link(device_of[stage + 1], device_of[stage]);
      head += takes(OpKind::forward) + down.latency + down.occupancy;
      if (gradient == OpKind::backward) tail += takes(gradient) + up.latency + up.occupancy;
    }
  }
  Ticks bound;
  for (std::size_t device = 0; device < work.size(); ++device) {
    bound = std::max(bound, least_head[device] + work[device] + least_tail[device]);
  }
  return bound;
}

}  // namespace pipesim
