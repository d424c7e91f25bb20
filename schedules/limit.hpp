// The parameter `limit` of schedules that plan within a memory limit.
#pragma once

#include <cstdint>
#include <optional>

#include "schedules/schedule.hpp"

namespace pipesim {

inline constexpr auto kLimit = "limit";

/// The microbatches that the parameter allows, "1p" and "2p" counted out, or nothing.
std::optional<std::int64_t> limit_of(const Problem& problem, const Parameters& parameters);

/// Throws Error if the parameter and memory.limit both count microbatches and differ.
void check_limit(const Problem& problem, const Parameters& parameters);

/// The parameters with the limit from memory.limit, if that is a whole number of microbatches that
/// makes a difference, and a note.
Plan plan_limit(const Problem& problem, const Parameters& parameters);

}  // namespace pipesim
