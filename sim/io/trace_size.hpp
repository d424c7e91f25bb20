// How large a trace may be.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/io/trace_window.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// Whether a trace is one file, or one for each device.
enum class TraceFiles { one, each_device };

/// The most bytes of a file, before it is compressed: more do not fit into a viewer.
inline constexpr std::int64_t kMostTraceBytes = 2'000'000'000;

/// Less than the largest file of the trace will have, as far as that is known before the run: the
/// shortest slice for each step that is shown. 0 where the window has times or microbatches.
std::int64_t least_trace_bytes(const Problem& problem, const Program& program, TraceFiles files,
                               const TraceWindow& window);

/// Throws Error (bad input) that says how large the file would be: "about", "at least".
[[noreturn]] void refuse_trace_of(std::int64_t bytes, std::string_view how, TraceFiles files);

/// Throws it if least_trace_bytes() are too many.
void require_trace_size(const Problem& problem, const Program& program, TraceFiles files,
                        const TraceWindow& window);

}  // namespace pipesim
