#include "sim/lower_bound.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "sim/dependencies.hpp"

namespace pipesim {

namespace {

/// The ops of one microbatch of one flow, every op after the ops it needs.
std::vector<Op> chain(const Problem& problem) {
  std::vector<Op> ops;
  ops.reserve(2 * static_cast<std::size_t>(problem.stages()));
  for (int stage = 0; stage < problem.stages(); ++stage) {
    ops.push_back({.kind = OpKind::forward, .flow = {}, .stage = Stage{stage}, .microbatch = {}});
  }
  for (int stage = problem.stages() - 1; stage >= 0; --stage) {
    ops.push_back({.kind = OpKind::backward, .flow = {}, .stage = Stage{stage}, .microbatch = {}});
  }
  return ops;
}

/// Where an op of chain() stands in it.
std::size_t position(const Problem& problem, const Op& op) {
  const int stage = op.stage.value;
  return static_cast<std::size_t>(op.kind == OpKind::forward ? stage
                                                             : 2 * problem.stages() - 1 - stage);
}

}  // namespace

Ticks lower_bound(const Problem& problem) {
  const std::vector<Op> ops = chain(problem);
  std::vector<Ticks> head(ops.size());
  std::vector<Ticks> tail(ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    for (const Dependency& needed : data_predecessors(problem, ops[i])) {
      const Ticks end = head[position(problem, needed.op)] + problem.duration(needed.op);
      head[i] = std::max(head[i], end + needed.latency);
    }
  }
  for (std::size_t i = ops.size(); i-- > 0;) {
    for (const Dependency& fed : data_successors(problem, ops[i])) {
      const Ticks rest = problem.duration(fed.op) + tail[position(problem, fed.op)];
      tail[i] = std::max(tail[i], fed.latency + rest);
    }
  }

  constexpr Ticks kNever{std::numeric_limits<std::int64_t>::max()};
  const auto devices = static_cast<std::size_t>(problem.devices);
  std::vector<Ticks> least_head(devices, kNever);
  std::vector<Ticks> least_tail(devices, kNever);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const auto device = static_cast<std::size_t>(problem.device(ops[i]).value);
    least_head[device] = std::min(least_head[device], head[i]);
    least_tail[device] = std::min(least_tail[device], tail[i]);
  }
  const std::vector<Ticks> work = work_per_device(problem);
  Ticks bound;
  for (std::size_t device = 0; device < devices; ++device) {
    bound = std::max(bound, least_head[device] + work[device] + least_tail[device]);
  }
  return bound;
}

}  // namespace pipesim
