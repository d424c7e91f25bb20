// The timeline as a Chrome trace (Trace Event Format), for chrome://tracing and Perfetto.
#pragma once

#include <cstdint>
#include <span>

#include "sim/io/output_file.hpp"
#include "sim/io/trace_size.hpp"
#include "sim/io/trace_window.hpp"
#include "sim/progress.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"

namespace pipesim {

/// Writes one process per device (pid = device, "device 0"), whose thread 0 ("compute") has a
/// slice per op ("F3") or overlapped pair ("F3+B1"), an instant where it takes no time, and idle
/// time left empty. Where transfers are tasks each is a slice on the sender's and on the receiver's
/// thread of trace_tracks.hpp, from its start to its end: a latency after that is no slice. Threads
/// other than 0 are named where they have a slice. An arrow leads from each forward to the next
/// stage's forward ("activation") and from each backward to the previous stage's backward
/// ("gradient"), through both slices of the transfer between them; there is none at ops too short
/// for a viewer to find, and it passes by transfers that are. A counter has the live activations of
/// each device, sampled at time 0 and at every change: "microbatches", or "chunks" where the device
/// has several stages of one flow; another has its memory, where that is counted in bytes. Gradient
/// reductions and optimizers are slices on the compute thread, reductions beside it on a thread of
/// their own; barriers take no time and are not drawn.
///
/// ts and dur are microseconds with up to six decimals, exact to the tick; only where a viewer's
/// arithmetic in doubles would let a slice reach into the next one, its dur is shorter by the few
/// ticks that the arithmetic adds.
///
/// Of a window's devices it writes what the window shows: whole slices, arrows of which both ends
/// are there, counters from its begin on, of all microbatches, and names of what there is.
///
/// Streams: the memory it takes does not grow with the trace, but for 4 bytes a transfer where
/// transfers may overlap. Span i must be task i of the graph. Returns how many slices and instants
/// there are. Reports every task of the graph to `phase`. Throws Error (bad input) when the file
/// exceeds kMostTraceBytes.
std::int64_t write_trace(const TaskGraph& graph, const Timeline& timeline, OutputFile& file,
                         const TraceWindow& window = {}, const Phase& phase = {});

/// From that many slices on viewers take minutes to load a trace.
inline constexpr std::int64_t kSlowlyLoadedSlices = 200'000;

/// Writes a file a device, as the PyTorch profiler writes one a rank: file d has what write_trace
/// writes for device d, without arrows, whose ends would stand in two files, and what Holistic
/// Trace Analysis asks of a profile: `distributedInfo` with `rank` and `world_size`, slices of the
/// category "kernel" whose args have `device` and `stream` (pid and tid), and "nccl:" before the
/// names of transfers, parking and gradient reductions. Requires a file for each device
/// that the window shows. Reports and throws as write_trace.
void write_rank_traces(const TaskGraph& graph, const Timeline& timeline,
                       std::span<OutputFile* const> files, const TraceWindow& window = {},
                       const Phase& phase = {});

}  // namespace pipesim
