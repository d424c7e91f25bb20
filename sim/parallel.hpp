// Independent work on several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace pipesim {

inline constexpr int kMostJobs = 1024;

/// The processors on which this process may run; at least 1.
int processors();

/// Calls body(0), ..., body(count - 1), at most `jobs` of them at once; with one job in that order.
/// Rethrows what the call with the lowest index threw, of those that threw: all before it have been
/// run to their end, those after it perhaps not at all. A thread that waits here runs nothing but
/// these calls. Requires jobs in [1, kMostJobs].
void parallel_for(std::int64_t count, int jobs, const std::function<void(std::int64_t)>& body);

/// A piece of numbered work, half-open.
struct Piece {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Works on each piece, at most `jobs` of them at once, and calls what that returned in the order
/// of the pieces, one at a time; what lies between the two is bounded. next() is called by one
/// thread at a time, must not throw, and names the pieces until it has none. What the others throw
/// ends the work at that piece, and is rethrown for the first piece that threw. Requires jobs in
/// [1, kMostJobs].
void parallel_in_order(int jobs, const std::function<std::optional<Piece>()>& next,
                       const std::function<std::function<void()>(Piece)>& work);

}  // namespace pipesim
