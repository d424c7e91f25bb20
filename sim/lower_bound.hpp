// How fast any schedule could be.
#pragma once

#include <vector>

#include "sim/problem.hpp"
#include "sim/task_graph.hpp"

namespace pipesim {

/// A time below which no order of the ops on the same placement, costs and kinds can finish: the
/// largest over the devices of head + work + tail. Head is the least time before any op of the
/// device can start, following data dependencies alone; tail the least time that must pass after
/// the end of any op of the device that may be its last. It counts latency, but neither
/// contention nor memory limits, and a straggler only where it is faster than the rest.
Ticks lower_bound(const TaskGraph& graph);

/// The same without a graph, where an op takes as long for every microbatch, transfers are no
/// tasks, no ops overlap, and all backwards are of one kind: `gradient` is backward, or
/// backward_input where they are split. `work` is what each device has to do.
Ticks lower_bound(const Problem& problem, const std::vector<Ticks>& work, OpKind gradient);

}  // namespace pipesim
