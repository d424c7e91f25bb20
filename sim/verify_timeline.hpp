// A checker of timelines that knows neither the engine nor the graph: it tells whether a timeline,
// ours or another simulator's, is a valid execution of a program.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/timeline.hpp"

namespace pipesim {

/// The rules, in the order in which they are checked.
enum class TimelineRule {
  completeness,  ///< every op of the program once, every transfer once, and nothing else
  placement,     ///< every op on the lane of its device, the rest after all of them
  start,         ///< nothing starts before 0
  duration,      ///< end - start is what the step or transfer takes if it starts then
  exclusivity,   ///< a lane does one thing at a time; see below
  order,         ///< a compute lane keeps the program's order and its pairs, training step by step
  precedence,    ///< nothing starts before its inputs are there
  step_end,      ///< reductions, optimizers and the next step wait for what ends the training step
  release,       ///< a span said to be released by another starts when that one ends (or arrives),
                 ///< and the other is one of its inputs or before it on one of its lanes
  memory         ///< no device holds more than problem.memory.limit
};

/// "completeness", "placement", ...
std::string_view name(TimelineRule rule);

struct Violation {
  TimelineRule rule = TimelineRule::completeness;
  std::string detail;  ///< names the ops, devices and times (in ps)
};

/// The first violated rule and the first place that violates it, or nothing. Lanes are the compute
/// lane of every device and, by problem.communication: `async` the link of each ordered pair of
/// devices; `single_stream` the one stream of each device, for what it sends and receives;
/// `rendezvous` none of its own, transfers stand on the compute lanes of both devices; with a
/// shared link the link of each node, for what leaves the node. The order of transfers on a lane
/// is free.
///
/// Within a lane the spans may stand in any order; ties of zero-length spans are resolved in the
/// timeline's favour. A device may wait longer than it must, and released_by may be left out:
/// another simulator's timeline may do both. It may also have no transfers at all although the
/// mode makes them tasks: then their lanes are not checked, an input from another device is there
/// no earlier than one transfer after its op's end, and an op may be released by it at any time
/// after that. Gradient reductions, optimizers and barriers may be missing too; those that are
/// there are checked. Of memory, what lasts for no time does not count, nor do the messages of a
/// timeline without transfers.
///
/// Requires a valid problem and a program that validate_program() accepts, and lanes that cover
/// the spans. What a timeline leaves out is in not_checked().
std::optional<Violation> verify_timeline(const Problem& problem, const Program& program,
                                         const Timeline& timeline);

/// What verify_timeline() could not check because the timeline has no such tasks, a clause each.
std::vector<std::string> not_checked(const Problem& problem, const Timeline& timeline);

}  // namespace pipesim
