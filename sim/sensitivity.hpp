// What a change of a stage's times would change.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"

namespace pipesim {

/// The derivative of T_total: how often the ops that take that time are on a critical path. Where
/// critical paths tie, a longer time and a shorter one count differently.
struct Derivative {
  std::int64_t if_longer = 0;   ///< T_total grows by this much per tick more
  std::int64_t if_shorter = 0;  ///< T_total shrinks by this much per tick less
};

struct StageSensitivity {
  /// How much later the least free of the stage's ops could start without changing T_total, the
  /// orders of all lanes given.
  Ticks slack;
  Derivative forward;   ///< with respect to t_f; overlapped pairs count unless they cost t_fb,
                        ///< recomputations if they take what a forward does
  Derivative backward;  ///< with respect to t_b: full backwards and input gradients
};

/// Why a stage has no single t_f and t_b on which T_total could depend in this problem, a clause;
/// "" if it has.
std::string why_no_sensitivity(const Problem& problem);

/// Whether a recomputation takes what a forward does, or a time of its own (t_r).
enum class RecomputeTime { as_forward, its_own };

/// By stage. Exact for static orders: a graph in which a shared link decides at run time must be
/// given its orders first (TaskGraph::with_shared_link_orders). Requires the timeline of that graph
/// and a problem for which why_no_sensitivity() is "".
std::vector<StageSensitivity> stage_sensitivities(const TaskGraph& graph, const Timeline& timeline,
                                                  RecomputeTime recompute);

}  // namespace pipesim
