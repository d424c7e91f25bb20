#include "tools/memory.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "sim/error.hpp"
#include "sim/task_graph.hpp"

namespace pipesim {

std::int64_t available_memory() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key;
  std::int64_t kibibytes = 0;
  while (meminfo >> key >> kibibytes) {
    if (key == "MemAvailable:") return kibibytes * 1024;
    meminfo.ignore(256, '\n');
  }
  return std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

void require_memory(std::int64_t tasks, std::int64_t available) {
  const std::int64_t most = available / kBytesPerTask;
  if (tasks <= most) return;
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  throw Error(Fault{.pointer = "/m",
                    .what = fmt::format("{} tasks need some {:.1f} GiB of memory", tasks,
                                        static_cast<double>(tasks) * kBytesPerTask / kGibibyte),
                    .allowed = fmt::format("at most {} tasks fit in the {:.1f} GiB that are free",
                                           most, static_cast<double>(available) / kGibibyte)});
}

}  // namespace pipesim
