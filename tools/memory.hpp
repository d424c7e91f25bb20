// How large a run may be.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace pipesim {

/// Throws Error (bad input) if the run has more tasks than that.
void require_tasks(std::int64_t tasks, std::int64_t most);

/// Throws Error (bad input) with the estimate if a run of that many tasks does not fit in
/// `available` bytes.
void require_memory(std::int64_t tasks, std::int64_t available);

/// Throws Error (bad input) with the estimate if what is kept of that many stages, whether or not
/// of their tasks, does not fit in `available` bytes.
void require_stage_memory(std::int64_t stages, std::int64_t available);

/// How many of the jobs may each have a run of at most that many tasks at once, so that they fit in
/// `available` bytes together; at least one.
int jobs_that_fit(int jobs, std::int64_t tasks, std::int64_t available);

/// How many of the threads have room for their stacks, and for as much beside them, in `available`
/// bytes; at least one. A library that cannot start a thread may end the process.
int threads_that_fit(int threads, std::int64_t available);

/// Memory that several threads share: whoever needs more than is left waits for the others.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::int64_t bytes) : left_(bytes), all_(bytes) {}

  /// A part of it for a run of that many tasks, while it lives. What is more than all there is gets
  /// all of it: whether it fits at all is for require_memory().
  class Part {
   public:
    Part(MemoryBudget& budget, std::int64_t tasks);
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

   private:
    MemoryBudget& budget_;
    std::int64_t bytes_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t left_;
  std::int64_t all_;
};

}  // namespace pipesim
