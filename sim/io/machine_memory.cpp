#include "sim/io/machine_memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "sim/error.hpp"
#include "sim/memory.hpp"

namespace pipesim {

namespace {

namespace fs = std::filesystem;

// Sanitizers map terabytes for themselves, which the system would count.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSystemCountsOurs = false;
#else
constexpr bool kSystemCountsOurs = true;
#endif

/// By limit_memory().
std::optional<std::int64_t> given_limit;

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

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

/// Of a group of processes and of those that it is part of: a container, a Slurm job.
std::int64_t limit_of_groups() {
  std::int64_t limit = kUnlimited;
  const auto read = [&](const fs::path& file) {
    std::int64_t bytes = 0;
    if (std::ifstream(file) >> bytes && bytes > 0) limit = std::min(limit, bytes);
  };
  std::ifstream groups("/proc/self/cgroup");  // "0::/a/b" (v2), "5:memory:/a/b" (v1)
  for (std::string line; std::getline(groups, line);) {
    const std::size_t second_colon = line.find(':', line.find(':') + 1);
    if (second_colon == std::string::npos) continue;
    const bool is_v2 = line.starts_with("0::");
    if (!is_v2 && line.find(":memory:") == std::string::npos) continue;
    const fs::path root = is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char* const name = is_v2 ? "memory.max" : "memory.limit_in_bytes";
    fs::path group = fs::path(line.substr(second_colon + 1)).relative_path();
    while (!group.empty()) {
      read(root / group / name);
      group = group.parent_path();
    }
    read(root / name);
  }
  return limit;
}

std::optional<std::int64_t> limit_of(decltype(RLIMIT_DATA) resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur >= rlim_t{kUnlimited}) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(limit.rlim_cur);
}

}  // namespace

std::int64_t available_memory() {
  if (given_limit) return *given_limit;
  if (const auto of_data = limit_of(RLIMIT_DATA)) return *of_data;
  return std::min({free_on_machine(), limit_of_groups(), limit_of(RLIMIT_AS).value_or(kUnlimited)});
}

void limit_memory(std::int64_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_DATA, &limit);
  const auto wanted = static_cast<rlim_t>(bytes);
  if (wanted > limit.rlim_max) {
    throw Error(
        Fault{.place = "command line: --max-memory",
              .what = fmt::format("{} is more than this process may have", format_bytes(bytes)),
              .allowed = fmt::format("at most the {} of ulimit -H -d",
                                     format_bytes(static_cast<std::int64_t>(limit.rlim_max)))});
  }
  given_limit = bytes;
  if (!kSystemCountsOurs) return;
  limit.rlim_cur = wanted;
  PIPESIM_CHECK(::setrlimit(RLIMIT_DATA, &limit) == 0);
}

}  // namespace pipesim
