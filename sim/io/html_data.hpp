// The data of a page: what its script draws, as JSON.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/io/picture.hpp"
#include "sim/io/report.hpp"

namespace pipesim {

/// A run as a page draws it. Both are of the same run.
struct DrawnRun {
  const Report* report = nullptr;
  const Picture* picture = nullptr;
  bool is_on_front = false;  ///< of a comparison: none is both as fast and as small
};

/// What the controls of a page begin with.
struct PageState {
  bool critical = false;  ///< the critical path is marked
  bool memory = true;     ///< the memory of the devices is shown
};

/// One JSON document in which no "<" stands, so that it can stand in a script element. Its keys:
/// `unit` and `unitDigits` (a unit has 10^digits ticks), `from` and `to` of the axis on which all
/// runs stand, `palette`, `causes`, and `runs`, each with `devices` whose blocks, transfers beside,
/// idle parts and memory are columns of integers:
///
/// - `gap`, `length`: from the end of the one before (of memory: from the one before; from 0 at
///   first), and the duration, in multiples of the run's `tick`, which is a number of ticks. An
///   integer beyond 2^53, which JavaScript's numbers do not hold, is a string.
/// - `op`: an index of `ops`, whose entries hold letters, stage, chunk, look, shade and whether it
///   has a microbatch; of a pair also letters, stage, look and shade of the second op.
/// - `microbatch`, and `second`: those of the second ops of the pairs, in their order.
/// - `by`, `next`: a reference to what released it, or ended the gap: 0 is nothing, 2 * (i + 1)
///   block i, counted through all devices, those beside after the others of a device; 2 * i + 1
///   entry i of `undrawn`.
/// - `critical`: the indices of those on the critical path.
/// - `why`: an index of `whys`, whose entries hold an index of `causes` and a sentence.
/// - `change`: of memory, in multiples of memory.tick.
///
/// `idle` has the exact idle time of the whole run by device and cause, `idleSum` that of all
/// devices by cause. Requires runs that have a
/// time unit in common.
std::string page_data(std::span<const DrawnRun> runs, const PageState& state);

}  // namespace pipesim
