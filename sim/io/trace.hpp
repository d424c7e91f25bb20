// The timeline as a Chrome trace (Trace Event Format), for chrome://tracing and Perfetto.
#pragma once

#include "sim/io/output_file.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"

namespace pipesim {

/// Writes one process per device (pid = device, "device 0"), whose thread 0 ("compute") has a
/// slice per op, idle time left empty; an arrow from each forward to the next stage's forward
/// ("activation") and from each backward to the previous stage's backward ("gradient"), except at
/// ops too short for a viewer to find; a counter of the live activations of each device, sampled
/// at time 0 and at every change.
///
/// ts and dur are microseconds with up to six decimals, exact to the tick; only where a viewer's
/// arithmetic in doubles would let a slice reach into the next one, its dur is shorter by the few
/// ticks that the arithmetic adds.
///
/// Streams: the memory it takes does not grow with the trace. Span i must be task i of the graph.
void write_trace(const TaskGraph& graph, const Timeline& timeline, OutputFile& file);

}  // namespace pipesim
