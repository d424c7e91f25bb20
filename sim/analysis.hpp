// Why a run takes as long as it does.
#pragma once

#include <functional>
#include <vector>

#include "sim/error.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// The tasks of one cycle, each waiting for the next and the last for the first; empty if there is
/// none. A cycle is a deadlock. Uses BGL's depth-first search.
std::vector<TaskId> find_cycle(const TaskGraph& graph);

/// Of the tasks that could not start, a shortest cycle among those that wait for nothing else:
/// everything else only stands behind it. Of several the one with the lowest task. Uses BGL's
/// strong components. Requires that every stuck task waits for another one.
std::vector<TaskId> blocking_cycle(const TaskGraph& graph,
                                   const std::function<bool(TaskId)>& is_stuck);

/// The Error (run failed) that says in plain words who waits for whom around a cycle.
Error deadlock_error(const TaskGraph& graph, const std::vector<TaskId>& cycle);

/// Every task after those it waits for, by BGL's topological sort. Requires a graph without a
/// cycle.
std::vector<TaskId> topological_order(const TaskGraph& graph);

/// The start of every task as the longest path to it, found by BGL's topological sort: what the
/// engine must find too, without an event queue. Requires a graph without a cycle.
std::vector<Ticks> longest_path_starts(const TaskGraph& graph);

/// Consecutive compute tasks of a critical path on one stage.
struct CriticalRun {
  Stage stage;
  Device device;
  Op first;
  Op last;
  std::int64_t ops = 0;
};

/// A chain of tasks, each released by the one before it, that begins at time 0 and ends at
/// T_total: shorten none of them and nothing gets faster.
struct CriticalPath {
  std::vector<TaskId> tasks;  ///< in the order of execution
  std::vector<CriticalRun> runs;
  Ticks forward;   ///< time spent in forwards, overlapped pairs and recomputations
  Ticks backward;  ///< time spent in backwards, full or split
  Ticks waiting;   ///< the rest of T_total: transfers and their latency
};

/// Of several critical paths the one that ends in the lowest task and, going back, stays on its
/// lane where it can. Requires the timeline of that graph.
CriticalPath critical_path(const TaskGraph& graph, const Timeline& timeline);

}  // namespace pipesim
