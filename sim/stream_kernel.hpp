// Internal: one operation of max-plus algebra over arrays, for what several lanes do at once.
#pragma once

#include <cstdint>
#include <vector>

namespace pipesim {

/// `count` ops of as many lanes: lane, input, output and op all advance by one. All are indices:
/// of values (lane, input, output), of communication (lane), of the ops' times (op).
struct KernelRun {
  std::int64_t count = 0;
  std::int64_t lane = 0;
  std::int64_t input = -1;   ///< -1: no input
  std::int64_t output = -1;  ///< -1: no output
  std::int64_t op = 0;
};

/// The arrays. `values` holds the time from which a lane is free, or a result is there.
struct KernelArrays {
  std::int64_t* values = nullptr;
  std::int64_t* communication = nullptr;
  const std::int64_t* duration = nullptr;
  const std::int64_t* latency_in = nullptr;
  const std::int64_t* latency_out = nullptr;
  std::int64_t* starts = nullptr;  ///< by op: where its start goes
};

using Kernel = void (*)(const KernelRun* begin, const KernelRun* end, const KernelArrays& arrays);

/// All that the processor can run, the fastest last; they do the same. For each op: start =
/// max(lane, input), communication += min(latency of the input, start - lane), lane = start +
/// duration, output = lane + latency; and, if it keeps starts, starts[op] = start. The runs come
/// one after another; within one no output is an input, and nothing overflows. Without latencies
/// communication and latencies are left alone.
std::vector<Kernel> kernels(bool has_latency, bool keeps_starts);

}  // namespace pipesim
