// What viewers make of the times of a trace: they read them as doubles of microseconds.
#pragma once

#include <optional>

#include "sim/timeline.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// The duration to write for a slice of a track whose first slice begins at `first`: its own, or
/// less by the few ticks that a viewer's rounding adds, so that it is over when the next may start.
Ticks viewed_duration(const Span& span, Ticks first);

/// Where an arrow touches a slice, by the letter of its event's phase.
enum class ArrowEnd : char { leaves = 's', passes = 't', enters = 'f' };

/// When an arrow touches a slice that it leaves or enters: a quarter of it inside, for at its very
/// ends viewers take a neighbour for it. Nothing if the slice, as viewers see it, is too short to
/// have an inside.
std::optional<Ticks> arrow_time(ArrowEnd end, const Span& span, Ticks first);

}  // namespace pipesim
