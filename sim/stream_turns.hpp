// Internal: walks all lanes together op by op, without looking for a rhythm.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/stream_program.hpp"
#include "sim/stream_walk.hpp"

namespace pipesim {

/// As stream_times().
std::vector<LaneTimes> times_in_turns(const StreamProgram& program);

/// As stream_starts(). Requires starts of the right sizes.
bool starts_in_turns(const StreamProgram& program, StreamStarts& starts);

}  // namespace pipesim
