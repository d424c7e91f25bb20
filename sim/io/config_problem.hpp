// The parts of make_problem(): sections of a RunConfig on a known placement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/io/config.hpp"

namespace pipesim {

/// What a section needs to know of the placement: flow 0's, of which the others are copies.
class StageMap {
 public:
  /// Throws Error (bad input) for a device beyond p.
  StageMap(std::int32_t devices, const Placement& placement);

  std::int32_t devices() const { return devices_; }
  std::size_t stages() const { return device_of_.size(); }
  Device device(std::size_t stage) const { return device_of_[stage]; }
  /// The stages on a stage's device.
  std::int64_t stages_beside(std::size_t stage) const;
  const std::vector<std::int64_t>& stages_on() const { return stages_on_; }

  /// By stage: one value, or one of each device, is split over its stages, the remainder to the
  /// first ones. Throws Error (bad input) at the pointer if the list has another length.
  std::vector<std::int64_t> spread(const BytesSpec& given, const std::string& pointer) const;
  std::vector<Ticks> spread(const TimeSpec& given, const std::string& pointer) const;

 private:
  std::int32_t devices_;
  std::vector<Device> device_of_;
  std::vector<std::int64_t> stages_on_;  // by device
};

/// Costs of a config without a costs file.
std::vector<StageCosts> make_costs(const RunConfig& config, const StageMap& map);
/// Fills costs and, where a row names a microbatch, durations from a costs file.
void apply_cost_table(const RunConfig& config, const StageMap& map, Problem& problem);
/// Durations of every microbatch, each scaled.
void apply_microbatch_scale(const RunConfig& config, Problem& problem);
/// The microbatches of one step; several steps without a flush between them are one.
std::size_t microbatches_of(const Problem& problem);
/// One stage's costs for one microbatch as they stand in the problem.
StageCosts costs_of(const Problem& problem, std::size_t stage, std::size_t microbatch);
/// Makes room for durations by microbatch, and writes one stage's for one microbatch into it.
void make_room_for_durations(Problem& problem);
void set_durations(Problem& problem, std::size_t stage, std::size_t microbatch,
                   const StageCosts& costs);
/// Cuts every microbatch into slices with these relative costs, the remaining ticks to the first
/// ones; activations and messages in equal parts, rounded up to a byte.
void apply_slices(const Integers& relative_costs, Problem& problem);
/// Bytes of one of so many equal slices, rounded up.
std::int64_t share_of_slice(std::int64_t bytes, std::int64_t slices);
/// What the transfer of a message of that many bytes takes.
Communication make_communication(const RunConfig& config, std::int64_t message);
/// Fills memory and memory_limit. Requires problem.recompute.
void apply_memory(const RunConfig& config, const StageMap& map, Problem& problem);

}  // namespace pipesim
