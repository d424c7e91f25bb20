#include "sim/io/trace_size.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr std::string_view kShortestSlice =
    R"(,
{"ph":"i","pid":0,"tid":0,"name":"F0","cat":"kernel","cname":"rail_load","ts":0,"s":"t","args":{"stage":0,"microbatch":0}})";

/// "2.3 GB".
std::string gigabytes(std::int64_t bytes) {
  constexpr std::int64_t kTenth = 100'000'000;
  const std::int64_t tenths = (bytes + kTenth / 2) / kTenth;
  return fmt::format("{}.{} GB", tenths / 10, tenths % 10);
}

}  // namespace

std::int64_t least_trace_bytes(const Problem& problem, const Program& program, TraceFiles files,
                               const TraceWindow& window) {
  if (window.from || window.to || !window.microbatches.empty()) return 0;
  std::int64_t steps = 0;
  for (std::size_t device = 0; device < program.lanes.size(); ++device) {
    if (!window.shows(Device{device})) continue;
    const std::int64_t here = step_count(program.lanes[device]) * problem.iterations.count;
    steps = files == TraceFiles::one ? steps + here : std::max(steps, here);
  }
  return steps * static_cast<std::int64_t>(kShortestSlice.size());
}

void refuse_trace_of(std::int64_t bytes, std::string_view how, TraceFiles files) {
  const bool is_one = files == TraceFiles::one;
  throw Error(
      Fault{.pointer = is_one ? "/output/trace" : "/output/trace_per_rank",
            .value = fmt::format("{}", bytes),
            .what = fmt::format("a trace of {} {} is too large for viewers", how, gigabytes(bytes)),
            .allowed = fmt::format("at most {}: --trace-window from=TIME,to=TIME writes a "
                                   "part",
                                   gigabytes(kMostTraceBytes))});
}

void require_trace_size(const Problem& problem, const Program& program, TraceFiles files,
                        const TraceWindow& window) {
  const std::int64_t least = least_trace_bytes(problem, program, files, window);
  if (least > kMostTraceBytes) refuse_trace_of(least, "at least", files);
}

}  // namespace pipesim
