#include "sim/parallel.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>

#include "sim/error.hpp"

namespace pipesim {

int processors() { return tbb::info::default_concurrency(); }

void parallel_for(std::int64_t count, int jobs, const std::function<void(std::int64_t)>& body) {
  PIPESIM_CHECK(jobs >= 1 && jobs <= kMostJobs);
  std::mutex mutex;
  std::exception_ptr failure;
  // Atomics order what is done before, in and after the calls as far as ThreadSanitizer can see,
  // which knows nothing of what happens inside libtbb.
  std::atomic<std::int64_t> failed;  // the lowest index of those that threw
  std::atomic<std::int64_t> ended = 0;
  failed = count;
  // An arena alone gets no more threads than there are processors.
  std::optional<tbb::global_control> more_threads;
  if (jobs > processors()) {
    more_threads.emplace(tbb::global_control::max_allowed_parallelism,
                         static_cast<std::size_t>(jobs));
  }
  const auto call = [&](std::int64_t index) {
    try {
      if (index < failed) body(index);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (index < failed) {
        failed = index;
        failure = std::current_exception();
      }
    }
    ++ended;
  };
  tbb::task_arena(jobs).execute(
      [&] { tbb::parallel_for(std::int64_t{0}, count, call, tbb::simple_partitioner()); });
  PIPESIM_CHECK(ended == count);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace pipesim
