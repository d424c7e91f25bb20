// Which part of a run a trace shows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/view_text.hpp"
#include "sim/problem.hpp"
#include "sim/timeline.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// What is not given is not narrowed: an empty window is the whole run.
struct TraceWindow {
  std::optional<Ticks> from{};             ///< none: 0
  std::optional<Ticks> to{};               ///< none: T_total; half-open
  std::vector<IndexRange> microbatches{};  ///< whole ones, of all steps; empty: all
  std::vector<IndexRange> devices{};       ///< empty: all

  bool shows(Device device) const;
  /// Whether a span that is executed on a device shown is in the window: it overlaps [from, to), or
  /// takes no time and is at an instant of it; and is of one of the microbatches, of a pair one of
  /// the two. Where there are microbatches, what is of none (a gradient reduction, an optimizer) is
  /// not.
  bool shows(const Span& span, std::int32_t slices) const;

  friend bool operator==(const TraceWindow&, const TraceWindow&) = default;
};

/// Takes a fault, with `what`, `allowed` and `nearest` only.
using WindowFaults = std::function<void(Fault)>;

/// Reads "from=1s,to=2s,microbatches=0-15,devices=0,2-3": each part may be absent, none may be
/// twice. A time is a number in `unit` or has its own; microbatches and devices are lists of
/// numbers and of ranges with both ends. Every fault is told.
TraceWindow parse_trace_window(std::string_view text, TimeUnit unit, const WindowFaults& faults);

/// Throws Error (bad input, at /output/trace_window) unless the problem has its devices and
/// microbatches.
void require_window(const TraceWindow& window, const Problem& problem);
/// The same unless it begins before T_total and does not end behind it.
void require_window(const TraceWindow& window, Ticks t_total, TimeUnit unit);

}  // namespace pipesim
