// How fast any schedule could be.
#pragma once

#include "sim/task_graph.hpp"

namespace pipesim {

/// A time below which no order of the ops on the same placement, costs and kinds can finish: the
/// largest over the devices of head + work + tail. Head is the least time before any op of the
/// device can start, following data dependencies alone; tail the least time that must pass after
/// the end of any op of the device that may be its last. It counts latency, but neither
/// contention nor memory limits, and a straggler only where it is faster than the rest.
Ticks lower_bound(const TaskGraph& graph);

}  // namespace pipesim
