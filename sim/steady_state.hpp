// How fast a schedule goes on once it is in its rhythm: the time by which one more microbatch makes
// a step longer, and what sets it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// A schedule with its parameters: the order for a problem, whatever its number of microbatches.
/// Returns a program that validate_program() accepts, or throws Error if there is none.
using BuildProgram = std::function<Program(const Problem&)>;

/// One task of a repetition of the rhythm.
struct RhythmTask {
  Step step;      ///< as in the first repetition; of a transfer, the send
  Device device;  ///< that computes, or sends
};

/// The asymptotic slope of T_total in the number of microbatches: for large m, T(m + k) - T(m) =
/// k * ticks_per_microbatch for every k that is a multiple of some number.
struct SteadyState {
  std::optional<Ratio> ticks_per_microbatch;  ///< none: see `text`
  /// The cycle that sets it: each task waits for the one before it, the first for the last of an
  /// earlier repetition. Of several that set it, one device's own work.
  std::vector<RhythmTask> cycle;
  /// The microbatches (slices, where they are cut) by which one time around the cycle advances.
  std::int64_t microbatches_in_flight = 0;
  /// "stage 2's own work", "the round trip over stages 1..3 with 2 microbatches in flight"; where
  /// there is no steady state, the reason, a clause.
  std::string text;
};

/// The steady state of one step, from the maximum cycle ratio of the graph of one repetition
/// (Baccelli et al., Synchronization and Linearity, 1992, section 2.5). There is one where the
/// order of every device, compared with that for more microbatches, has one loop that grows with
/// them, the same number of microbatches a repetition on every device. `build` is asked for m and
/// 2m; where the loops do not yet show, for up to four times as many and for a few times the
/// number of stages. None where a duration is not the same for
/// every microbatch (stragglers, costs by microbatch), and for shared links, single_stream and
/// rendezvous, where the order of transfers is no loop. Requires a problem that validate_problem()
/// accepts.
SteadyState steady_state(const Problem& problem, const BuildProgram& build);

/// (T(2m) - T(m)) / m of one step by simulation, not reduced. Costs by microbatch repeat
/// themselves. Throws Error as build and simulate() do.
Ratio measured_slope(const Problem& problem, const BuildProgram& build);

}  // namespace pipesim
