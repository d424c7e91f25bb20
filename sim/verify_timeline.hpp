// A checker of timelines that knows neither the engine nor the graph: it tells whether a timeline,
// ours or another simulator's, is a valid execution of a program.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/timeline.hpp"

namespace pipesim {

/// The rules, in the order in which they are checked.
enum class TimelineRule {
  completeness,  ///< every op of the problem once, and nothing else
  placement,     ///< every op on the lane of its device
  start,         ///< nothing starts before 0
  duration,      ///< end - start is the op's cost
  exclusivity,   ///< a lane does one thing at a time
  order,         ///< a lane keeps the program's order
  precedence,    ///< nothing starts before its inputs are there
  release        ///< a span said to be released by another starts when that one ends, and the
                 ///< other is one of its inputs or the op before it on its lane
};

/// "completeness", "placement", ...
std::string_view name(TimelineRule rule);

struct Violation {
  TimelineRule rule = TimelineRule::completeness;
  std::string detail;  ///< names the ops, devices and times (in ps)
};

/// The first violated rule and the first place that violates it, or nothing. Within a lane the
/// spans may stand in any order; ties of zero-length spans are resolved in the program's favour.
/// A device may wait longer than it must, and released_by may be left out: another simulator's
/// timeline may do both. Requires a program that validate_program() accepts, and lanes that cover
/// the spans.
std::optional<Violation> verify_timeline(const Problem& problem, const Program& program,
                                         const Timeline& timeline);

}  // namespace pipesim
