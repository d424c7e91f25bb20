// What a lane does in all, whatever the time at which it does it: told from its loops without
// unrolling them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/memory_rules.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// An amount that steps take and release, from 0.
struct RunningAmount {
  Int128 change = 0;  ///< after all steps
  Int128 peak = 0;    ///< the most in between, at least 0
};

/// Of some steps and of others after them.
RunningAmount then(const RunningAmount& first, const RunningAmount& next);
/// Of the steps `count` times, at least once.
RunningAmount repeated(const RunningAmount& once, std::int64_t count);

/// Some steps of a lane, one after another.
struct LaneSummary {
  Ticks busy;
  /// The work before the first backward or input gradient, and up to the end of the last forward;
  /// none where there is no such op.
  std::optional<Ticks> busy_before_gradient{};
  std::optional<Ticks> busy_through_forward{};
  RunningAmount activations;  ///< by activation_rules()
  RunningAmount memory;       ///< by the rules given
};

/// By device, of its whole lane. Requires a program that validate_program() accepts and a problem
/// in which an op takes as long for every microbatch. Throws Error if a time leaves the range of
/// Ticks.
std::vector<LaneSummary> summarize(const Problem& problem, const Memory& rules,
                                   const Program& program);

}  // namespace pipesim
