// What holds of every run, whatever its problem and program.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/idle.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "sim/verify_timeline.hpp"

namespace pipesim::test {

/// The checker accepts the timeline, but for a memory limit that is really exceeded.
inline void check_verified(const TaskGraph& graph, const Program& program,
                           const Timeline& timeline) {
  const auto violation = verify_timeline(graph.problem(), program, timeline);
  const bool over_limit = violation && violation->rule == TimelineRule::memory;
  CHECK_MESSAGE((!violation || over_limit), (violation ? violation->detail : ""));
  if (over_limit) CHECK(find_over_limit(graph, timeline));
}

/// Every task starts where the longest path to it ends.
inline void check_longest_paths(const TaskGraph& graph, const Timeline& timeline) {
  const std::vector<Ticks> longest = longest_path_starts(graph);
  bool equal = true;
  for (TaskId task = 0; task < graph.size(); ++task) {
    equal = equal && timeline.spans[task].start == longest[task];
  }
  CHECK(equal);
}

/// Times add up to T_total on every device, and along the critical path; no bound is above it.
inline void check_times(const TaskGraph& graph, const Timeline& timeline, const Metrics& metrics) {
  CHECK(metrics.t_total == total_time(timeline));
  CHECK(metrics.lower_bound <= metrics.t_total);
  const auto idle = idle_parts(graph, timeline);
  for (std::size_t device = 0; device < idle.size(); ++device) {
    const DeviceMetrics& of = metrics.devices[device];
    CHECK(of.busy + of.idle == metrics.t_total);
    CHECK(of.idle_warm_up + of.idle_steady + of.idle_cooldown == of.idle);
    Int128 sum = 0;
    for (const Int128 time : idle_times(idle[device])) sum += time;
    CHECK((sum == of.idle.count));
  }
  const CriticalPath path = critical_path(graph, timeline);
  CHECK(path.forward + path.backward + path.waiting == metrics.t_total);
}

/// A device never holds less than what is always there, and at the end no more; of activations
/// that is nothing.
inline void check_memory(const TaskGraph& graph, const Timeline& timeline) {
  const std::vector<std::int64_t> resident = resident_memory(graph.problem());
  const auto profile = memory_profile(graph, timeline);
  for (std::size_t device = 0; device < profile.size(); ++device) {
    CHECK(resident[device] >= 0);
    CHECK(profile[device].back().amount == resident[device]);
    CHECK(std::all_of(profile[device].begin(), profile[device].end(),
                      [&](const MemoryPoint& point) { return point.amount >= resident[device]; }));
  }
  std::vector<std::int64_t> kept(graph.devices());
  bool is_negative = false;
  follow_activations(graph, timeline, [&](Device device, const MemoryChange& change) {
    kept[static_cast<std::size_t>(device.value)] = change.amount;
    is_negative = is_negative || change.amount < 0;
  });
  CHECK_FALSE(is_negative);
  CHECK(std::all_of(kept.begin(), kept.end(), [](std::int64_t amount) { return amount == 0; }));
}

/// All of it. Requires a graph that has the orders of its shared links.
inline void check_invariants(const TaskGraph& graph, const Program& program,
                             const Timeline& timeline, const Metrics& metrics) {
  check_verified(graph, program, timeline);
  check_longest_paths(graph, timeline);
  check_times(graph, timeline, metrics);
  check_memory(graph, timeline);
}

}  // namespace pipesim::test
