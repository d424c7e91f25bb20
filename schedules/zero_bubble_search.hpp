// The heuristic of Zero Bubble (Qi et al., 2401.10241, section 3.1, as its authors implement it):
// forwards warm every device up until its first input gradient can come; then a forward and an
// input gradient alternate, weight gradients fill the gaps and make room in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/list_schedule.hpp"
#include "sim/problem.hpp"

namespace pipesim {

/// What the heuristic leaves open.
struct ZeroBubbleChoices {
  bool warm_up_ends_early = true;  ///< no forward that still runs when the gradient comes
  bool may_skip_forward = true;    ///< so that an input gradient need not wait for it
  bool fills_short_gaps = true;    ///< also those that do not make the device the slowest
  /// What makes a device slow beside the time that it waits between its ops, which is all that
  /// counts for the authors: its work, and the time that it waits before its first op.
  bool counts_work = false;
  bool counts_first_wait = false;
};

/// One run of the heuristic; nothing if a device has no room for a forward that must come next.
/// Requires one stage a device and a budget for each; the problem must outlive the result.
std::optional<ListSchedule> zero_bubble_search(const Problem& problem,
                                               const std::vector<std::int64_t>& budgets,
                                               const ZeroBubbleChoices& choices);

}  // namespace pipesim
