// Independent work on several threads.
#pragma once

#include <cstdint>
#include <functional>

namespace pipesim {

inline constexpr int kMostJobs = 1024;

/// The processors on which this process may run; at least 1.
int processors();

/// Calls body(0), ..., body(count - 1), at most `jobs` of them at once; with one job in that order.
/// Rethrows what the call with the lowest index threw, of those that threw: all before it have been
/// run to their end, those after it perhaps not at all. A thread that waits here runs nothing but
/// these calls. Requires jobs in [1, kMostJobs].
void parallel_for(std::int64_t count, int jobs, const std::function<void(std::int64_t)>& body);

}  // namespace pipesim
