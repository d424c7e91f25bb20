#include "tools/memory.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "sim/error.hpp"
#include "sim/task_graph.hpp"

namespace pipesim {

namespace {

std::int64_t free_on_machine() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key;
  std::int64_t kibibytes = 0;
  while (meminfo >> key >> kibibytes) {
    if (key == "MemAvailable:") return kibibytes * 1024;
    meminfo.ignore(256, '\n');
  }
  return std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

/// What a container may take, or all there is.
std::int64_t limit_of_container() {
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::int64_t bytes = 0;
    if (std::ifstream(path) >> bytes && bytes > 0) limit = std::min(limit, bytes);
  }
  return limit;
}

}  // namespace

std::int64_t available_memory() { return std::min(free_on_machine(), limit_of_container()); }

void require_memory(std::int64_t tasks, std::int64_t available) {
  const std::int64_t most = available / kBytesPerTask;
  if (tasks <= most) return;
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  throw Error(Fault{.pointer = "/m",
                    .what = fmt::format("{} tasks need some {:.1f} GiB of memory", tasks,
                                        static_cast<double>(tasks) * kBytesPerTask / kGibibyte),
                    .allowed = fmt::format(
                        "at most {} tasks, which fit in the {:.1f} GiB that are free: fewer "
                        "microbatches, devices or steps, for a run is simulated whole, whatever "
                        "part of it is drawn; --metrics-only keeps no tasks of most schedules",
                        most, static_cast<double>(available) / kGibibyte)});
}

int jobs_that_fit(int jobs, std::int64_t tasks, std::int64_t available) {
  const std::int64_t most = available / kBytesPerTask / std::max<std::int64_t>(1, tasks);
  return static_cast<int>(std::clamp<std::int64_t>(most, 1, jobs));
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
