// Why a device was idle.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"

namespace pipesim {

enum class IdleCause {
  fill,           ///< before the device's first op
  drain,          ///< after its last op
  dependency,     ///< another device had not yet made what the next op needs
  communication,  ///< a transfer was under way, or a stage's gradients were reduced
  head_of_line,   ///< what was needed was ready to be sent, but stood behind another transfer
  barrier,        ///< other devices had not finished the training step
  optimizer,      ///< the optimizer ran
  memory          ///< activations were moved out of its memory, or back
};

inline constexpr int kIdleCauses = 8;

/// "fill", "drain", "dependency", "communication", "head_of_line", "barrier", "optimizer" or
/// "memory".
std::string_view name(IdleCause cause);

/// A part of a gap between the ops of a device, with one cause. [begin, end) in ticks.
struct IdlePart {
  Ticks begin;
  Ticks end;
  IdleCause cause = IdleCause::dependency;
  std::optional<Device> on{};    ///< of a dependency, the device that was waited for
  TaskId next = kNoTask;         ///< the task that ended the gap; none for drain
  TaskId released_by = kNoTask;  ///< the task whose end released it; none for fill and drain
};

/// Every instant in [0, T_total) in which a device computes nothing, by device, in the order of
/// time: the parts of a device add up to its idle time. In a gap the time in which the transfer
/// that released the next op was under way is communication; the time in which that transfer
/// stood ready behind another one is head_of_line; the rest is a dependency on the device that
/// produced its data, or, where a blocking transfer waits for its peer, on the peer. Requires the
/// timeline of that graph.
std::vector<std::vector<IdlePart>> idle_parts(const TaskGraph& graph, const Timeline& timeline);

/// The idle time of each cause, in the order of IdleCause.
using IdleTimes = std::array<Int128, kIdleCauses>;
IdleTimes idle_times(const std::vector<IdlePart>& parts);

}  // namespace pipesim
