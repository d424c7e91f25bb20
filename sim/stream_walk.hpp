// Internal: walks the loops of all lanes together and keeps only what is still needed.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/stream_program.hpp"
#include "sim/stream_starts.hpp"

namespace pipesim {

/// When a lane did what, in ticks; -1: never.
struct LaneTimes {
  std::int64_t first_start = -1;
  std::int64_t first_gradient_start = -1;
  std::int64_t last_forward_end = -1;
  std::int64_t last_end = -1;
  /// Of the time between its ops, that in which a message was under way that the next op waited
  /// for.
  std::int64_t communication = 0;

  friend bool operator==(const LaneTimes&, const LaneTimes&) = default;
};

/// What the walk may do besides taking op after op.
enum class FastForward {
  none,   ///< nothing: the reference
  loops,  ///< runs repetitions of the rhythm as a list of operations on arrays
  jumps   ///< and leaps over repetitions that only shift in time
};

/// By lane; empty where the lanes wait for each other (a deadlock). Throws Error if a time
/// leaves the range of Ticks.
std::vector<LaneTimes> stream_times(const StreamProgram& program, FastForward fast_forward);

/// Writes the start of every op; false where the lanes wait for each other. The memory that
/// `starts` already has is used again, which takes two thirds of the time that new memory takes.
/// Throws Error if a time leaves the range of Ticks.
bool stream_starts(const StreamProgram& program, FastForward fast_forward, StreamStarts& starts);

}  // namespace pipesim
