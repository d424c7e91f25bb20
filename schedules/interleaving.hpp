// What the schedules have in common that give every device v stages, its chunks, in a loop, and
// let groups of microbatches take turns on them (Narayanan et al., 2104.04473, section 2.2).
#pragma once

#include <cstdint>

#include "schedules/schedule.hpp"
#include "schedules/streams.hpp"
#include "sim/parameters.hpp"
#include "sim/problem.hpp"

namespace pipesim {

/// The parameter v of a schedule.
ParameterSpec chunks_parameter();

/// The parameter v; 2 if it was not given.
int chunks(const Parameters& parameters);

/// The parameters with v filled in.
Plan plan_chunks(const Problem& problem, const Parameters& parameters);

/// Chunk c of device i is stage c * p + i. Throws Error (bad input) if there are more than 2^20
/// stages.
Placement place_chunks(int devices, const Parameters& parameters);

/// The ops of a kind on a device, one a slot from `delay` on: the first `group` microbatches on
/// one chunk after the other, then the next `group`, the last group being what is left. Forwards
/// begin with the first chunk, gradients with the last. Requires place_chunks() and a group of 1
/// to m.
Stream interleaved(OpKind kind, Device device, const Problem& problem, std::int64_t group,
                   std::int64_t delay);

}  // namespace pipesim
