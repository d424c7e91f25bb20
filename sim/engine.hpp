// The only loop that moves time.
#pragma once

#include <functional>

#include "sim/event_queue.hpp"
#include "sim/progress.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"

namespace pipesim {

struct SimulateOptions {
  /// Called with every event in the order in which they happen; may be empty.
  std::function<void(const Event&)> on_event{};
  Progress* progress = nullptr;  ///< is told of the tasks that are done; may be null
};

/// Runs the program: a discrete-event simulation in which a task starts as soon as its lane is
/// free, the tasks before it on the lane are done and its inputs are there. Span i of the result
/// is task i of the graph. Throws Error (run failed) that names a cycle if the program deadlocks,
/// and Error (bad input) if time leaves the range of Ticks.
Timeline simulate(const TaskGraph& graph, const SimulateOptions& options = {});

/// The whole core in one call: validates both, builds the graph and runs it.
Timeline simulate(const Problem& problem, const Program& program);

}  // namespace pipesim
