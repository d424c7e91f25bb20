// How much memory a run may take.
#pragma once

#include <cstdint>

namespace pipesim {

/// Bytes of memory that this machine can give to a new process without swapping.
std::int64_t available_memory();

/// Throws Error (bad input) with the estimate if a run of that many tasks does not fit in
/// `available` bytes.
void require_memory(std::int64_t tasks, std::int64_t available);

/// How many of the jobs may each have a run of at most that many tasks at once, so that they fit in
/// `available` bytes together; at least one.
int jobs_that_fit(int jobs, std::int64_t tasks, std::int64_t available);

}  // namespace pipesim
