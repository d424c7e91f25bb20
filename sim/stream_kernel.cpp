#include "sim/stream_kernel.hpp"

#include <algorithm>

namespace pipesim {

namespace {

/// Restrict is what the caller promises: the arrays of a run do not overlap.
template <bool kHasInput, bool kHasOutput, bool kHasLatency, bool kKeepsStarts>
[[gnu::always_inline]] inline void run_ops(const KernelRun& run, const KernelArrays& arrays) {
  std::int64_t* const __restrict lane = arrays.values + run.lane;
  std::int64_t* const __restrict communication = arrays.communication + run.lane;
  const std::int64_t* const __restrict input = arrays.values + run.input;
  std::int64_t* const __restrict output = arrays.values + run.output;
  const std::int64_t* const __restrict duration = arrays.duration + run.op;
  const std::int64_t* const __restrict latency_in = arrays.latency_in + run.op;
  const std::int64_t* const __restrict latency_out = arrays.latency_out + run.op;
  std::int64_t* const __restrict starts = kKeepsStarts ? arrays.starts + run.op : nullptr;
  for (std::int64_t i = 0; i < run.count; ++i) {
    const std::int64_t free = lane[i];
    const std::int64_t start = kHasInput ? std::max(free, input[i]) : free;
    if (kHasInput && kHasLatency) communication[i] += std::min(latency_in[i], start - free);
    if (kKeepsStarts) starts[i] = start;
    const std::int64_t end = start + duration[i];
    lane[i] = end;
    if (kHasOutput) output[i] = kHasLatency ? end + latency_out[i] : end;
  }
}

template <bool kHasLatency, bool kKeepsStarts>
[[gnu::always_inline]] inline void run_all(const KernelRun* begin, const KernelRun* end,
                                           const KernelArrays& arrays) {
  for (const KernelRun* run = begin; run != end; ++run) {
    if (run->input >= 0) {
      if (run->output >= 0) {
        run_ops<true, true, kHasLatency, kKeepsStarts>(*run, arrays);
      } else {
        run_ops<true, false, kHasLatency, kKeepsStarts>(*run, arrays);
      }
    } else if (run->output >= 0) {
      run_ops<false, true, kHasLatency, kKeepsStarts>(*run, arrays);
    } else {
      run_ops<false, false, kHasLatency, kKeepsStarts>(*run, arrays);
    }
  }
}

template <bool kHasLatency, bool kKeepsStarts>
void run_portable(const KernelRun* begin, const KernelRun* end, const KernelArrays& arrays) {
  run_all<kHasLatency, kKeepsStarts>(begin, end, arrays);
}

// 64-bit maxima of several lanes at once came with AVX; the baseline of x86-64 compares one by one.
#ifdef __x86_64__
template <bool kHasLatency, bool kKeepsStarts>
[[gnu::target("avx2")]] void run_avx2(const KernelRun* begin, const KernelRun* end,
                                      const KernelArrays& arrays) {
  run_all<kHasLatency, kKeepsStarts>(begin, end, arrays);
}

template <bool kHasLatency, bool kKeepsStarts>
[[gnu::target("avx512f,avx512vl,avx512dq")]] void run_avx512(const KernelRun* begin,
                                                             const KernelRun* end,
                                                             const KernelArrays& arrays) {
  run_all<kHasLatency, kKeepsStarts>(begin, end, arrays);
}

#endif

template <bool kHasLatency, bool kKeepsStarts>
std::vector<Kernel> kernels_with() {
  std::vector<Kernel> kernels = {run_portable<kHasLatency, kKeepsStarts>};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) kernels.push_back(run_avx2<kHasLatency, kKeepsStarts>);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    kernels.push_back(run_avx512<kHasLatency, kKeepsStarts>);
  }
#endif
  return kernels;
}

}  // namespace

std::vector<Kernel> kernels(bool has_latency, bool keeps_starts) {
  if (keeps_starts) return has_latency ? kernels_with<true, true>() : kernels_with<false, true>();
  return has_latency ? kernels_with<true, false>() : kernels_with<false, false>();
}

}  // namespace pipesim
