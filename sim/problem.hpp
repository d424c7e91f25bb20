// What is to be run: devices, stages and where they live, microbatches, costs, limits. A problem
// says nothing about order; that is a schedule's decision.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/types.hpp"

namespace pipesim {

/// Where each virtual stage lives. In DESIGN terms the placement of every flow.
struct Placement {
  /// device_of[flow][stage]; every flow has the same number of stages.
  std::vector<std::vector<Device>> device_of;

  int flows() const { return static_cast<int>(device_of.size()); }
  int stages() const { return static_cast<int>(device_of.front().size()); }
};

/// One flow of p stages, stage s on device s.
Placement one_stage_per_device(int devices);

/// The time one microbatch takes on one stage.
struct StageCosts {
  Ticks forward;
  Ticks backward;  ///< input and weight gradient together

  friend bool operator==(const StageCosts&, const StageCosts&) = default;
};

/// A pipeline-parallel training step. Invariants are established by validate_problem().
struct Problem {
  std::int32_t devices = 0;       ///< p
  std::int32_t microbatches = 0;  ///< m, whole microbatches of one step over all flows
  Placement placement;
  std::vector<StageCosts> costs;  ///< by stage
  /// The most microbatches whose activations a device may hold at once; none: no limit.
  std::optional<std::int64_t> memory_limit;

  int stages() const { return placement.stages(); }
  Device device(const Op& op) const;
  Ticks duration(const Op& op) const;
};

/// Throws Error (bad input) unless p and m are at least 1, every stage has costs of at least 0
/// and a device in 0..p-1, every device has a stage, and some device has work to do (T_ideal is
/// not 0).
void validate_problem(const Problem& problem);

/// The work of each device for the whole step: the sum of its ops' durations. Order-independent.
/// Throws Error if a device's work leaves the range of Ticks.
std::vector<Ticks> work_per_device(const Problem& problem);

/// The number of ops of the problem on all devices: 2 * m * S.
std::int64_t op_count(const Problem& problem);

}  // namespace pipesim
