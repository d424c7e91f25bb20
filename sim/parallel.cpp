#include "sim/parallel.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "sim/error.hpp"

namespace pipesim {

namespace {

/// An arena alone gets no more threads than there are processors.
std::optional<tbb::global_control> more_threads(int jobs) {
  PIPESIM_CHECK(jobs >= 1 && jobs <= kMostJobs);
  if (jobs <= processors()) return std::nullopt;
  return std::optional<tbb::global_control>(
      std::in_place, tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(jobs));
}

}  // namespace

int processors() { return tbb::info::default_concurrency(); }

void parallel_for(std::int64_t count, int jobs, const std::function<void(std::int64_t)>& body) {
  const std::optional<tbb::global_control> threads = more_threads(jobs);
  std::mutex mutex;
  std::exception_ptr failure;
  // Atomics order what is done before, in and after the calls as far as ThreadSanitizer can see,
  // which knows nothing of what happens inside libtbb.
  std::atomic<std::int64_t> failed;  // the lowest index of those that threw
  std::atomic<std::int64_t> ended = 0;
  failed = count;
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

void parallel_in_order(int jobs, const std::function<std::optional<Piece>()>& next,
                       const std::function<std::function<void()>(Piece)>& work) {
  constexpr std::size_t kPiecesOfAJob = 4;  // so that a slow one does not leave the others idle
  const std::optional<tbb::global_control> threads = more_threads(jobs);
  struct Job {
    Piece piece;
    std::function<void()> take{};
  };
  // A pipeline that ends with an exception leaks what lies between its filters, so none leaves one.
  std::atomic<bool> has_failed = false;
  std::exception_ptr failure;
  // As in parallel_for(): with it, and with pointers between the filters, ThreadSanitizer sees that
  // what one of them does comes before what the next one does.
  std::atomic<std::int64_t> steps = 0;
  const auto named = tbb::make_filter<void, Job*>(
      tbb::filter_mode::serial_in_order, [&](tbb::flow_control& control) {
        ++steps;
        const std::optional<Piece> piece = has_failed ? std::nullopt : next();
        auto job = piece ? std::make_unique<Job>(Job{.piece = *piece}) : nullptr;
        if (!piece) control.stop();
        ++steps;
        return job.release();
      });
  const auto worked = tbb::make_filter<Job*, Job*>(tbb::filter_mode::parallel, [&](Job* job) {
    ++steps;
    try {
      job->take = work(job->piece);
    } catch (...) {
      job->take = [thrown = std::current_exception()] { std::rethrow_exception(thrown); };
    }
    ++steps;
    return job;
  });
  const auto taken =
      tbb::make_filter<Job*, void>(tbb::filter_mode::serial_in_order, [&](Job* pointer) {
        ++steps;
        const std::unique_ptr<Job> job(pointer);
        try {
          if (!has_failed) job->take();
        } catch (...) {
          failure = std::current_exception();
          has_failed = true;
        }
        ++steps;
      });
  tbb::task_arena(jobs).execute([&] {
    tbb::parallel_pipeline(kPiecesOfAJob * static_cast<std::size_t>(jobs), named & worked & taken);
  });
  PIPESIM_CHECK(steps > 0);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace pipesim
