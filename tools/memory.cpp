#include "tools/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/error.hpp"
#include "sim/memory.hpp"
#include "sim/task_graph.hpp"

namespace pipesim {

void require_tasks(std::int64_t tasks, std::int64_t most) {
  if (tasks <= most) return;
  throw Error(Fault{.pointer = "/m",
                    .what = fmt::format("the run has {} tasks", tasks),
                    .allowed = fmt::format("at most the {} of --max-tasks: fewer microbatches, "
                                           "devices or steps",
                                           most)});
}

void require_memory(std::int64_t tasks, std::int64_t available) {
  const std::int64_t most = available / kBytesPerTask;
  if (tasks <= most) return;
  const auto needed = static_cast<std::int64_t>(
      std::min<Int128>(Int128{tasks} * kBytesPerTask, std::numeric_limits<std::int64_t>::max()));
  throw Error(
      Fault{.pointer = "/m",
            .what = fmt::format("{} tasks need some {} of memory", tasks, format_bytes(needed)),
            .allowed = fmt::format("at most {} tasks, which fit in the {} that are free: fewer "
                                   "microbatches, devices or steps, for a run is simulated whole, "
                                   "whatever part of it is drawn; --metrics-only keeps no tasks of "
                                   "most schedules",
                                   most, format_bytes(available))});
}

void require_stage_memory(std::int64_t stages, std::int64_t available) {
  constexpr std::int64_t kBytesPerStage = 1100;  // of costs, loops and metrics; measured
  const std::int64_t most = available / kBytesPerStage;
  if (stages <= most) return;
  throw Error(
      Fault{.pointer = "/p",
            .what = fmt::format("{} stages need some {} of memory, whatever is kept of their tasks",
                                stages, format_bytes(stages * kBytesPerStage)),
            .allowed = fmt::format("at most {} stages, which fit in the {} that are free", most,
                                   format_bytes(available))});
}

int jobs_that_fit(int jobs, std::int64_t tasks, std::int64_t available) {
  const std::int64_t most = available / kBytesPerTask / std::max<std::int64_t>(1, tasks);
  return static_cast<int>(std::clamp<std::int64_t>(most, 1, jobs));
}

int threads_that_fit(int threads, std::int64_t available) {
  constexpr std::int64_t kBytesPerThread = std::int64_t{16} << 20;
  return static_cast<int>(std::clamp<std::int64_t>(available / kBytesPerThread, 1, threads));
}

MemoryBudget::Part::Part(MemoryBudget& budget, std::int64_t tasks)
    : budget_(budget),
      bytes_(tasks > budget.all_ / kBytesPerTask ? budget.all_ : tasks * kBytesPerTask) {
  std::unique_lock lock(budget_.mutex_);
  budget_.changed_.wait(lock, [this] { return budget_.left_ >= bytes_; });
  budget_.left_ -= bytes_;
}

MemoryBudget::Part::~Part() {
  const std::lock_guard lock(budget_.mutex_);
  budget_.left_ += bytes_;
  budget_.changed_.notify_all();
}

}  // namespace pipesim
