// A run without a timeline: what a report says of it, in the memory of the program's definition
// and, where the run has a rhythm, in a time that does not grow with the number of microbatches.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/idle.hpp"
#include "sim/metrics.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/stream_walk.hpp"

namespace pipesim {

/// What follows from when the devices began and ended.
struct StreamedRun {
  Metrics metrics;
  std::vector<IdleTimes> idle;            ///< by device
  std::vector<std::int64_t> peak_memory;  ///< by device, in the unit of memory_rules()
};

/// Equal, to the tick, to what compute_metrics(), idle_parts() and peak_memory() say of the
/// timeline. Nothing where the run cannot be streamed: see stream_program(); where the lanes wait
/// for each other; and where a device holds more than its memory limit. Requires a problem that
/// validate_problem() and a program that validate_program() accepts. Throws Error if a time leaves
/// the range of Ticks.
std::optional<StreamedRun> stream_run(const Problem& problem, const Program& program,
                                      FastForward fast_forward = FastForward::jumps);

/// Whether the program runs to its end where communication takes nothing, or its lanes wait for
/// each other. Requires what stream_run() requires.
bool comes_to_its_end(const Problem& problem, const Program& program);

/// T_total alone, under the same conditions but the memory limit, which does not matter.
std::optional<Ticks> stream_total(const Problem& problem, const Program& program);

}  // namespace pipesim
