#include "sim/chain_kernel.hpp"

#include <algorithm>
#include <cstring>

namespace pipesim {

namespace {

/// Whether a block of bytes is all 0.
[[gnu::always_inline]] inline bool is_clear(const std::uint8_t* block) {
  std::uint64_t words[kChainBlock / 8];
  std::memcpy(words, block, sizeof words);
  return (words[0] | words[1]) == 0;
}

/// Who takes an op; counts it off. Returns all that was done.
[[gnu::always_inline]] inline std::uint8_t choose(ChainArrays& arrays) {
  const std::uint8_t* const __restrict first = arrays.first.data();
  const std::uint8_t* const __restrict second = arrays.second.data();
  const std::uint8_t* const __restrict holds = arrays.holds.data();
  std::uint8_t* const __restrict left = arrays.left.data();
  std::uint8_t* const __restrict done = arrays.done.data();
  std::uint8_t all = 0;
  for (std::size_t b = 0; b < arrays.lanes; b += kChainBlock) {
    for (std::size_t i = b; i < b + kChainBlock; ++i) {
      const std::uint8_t op = (left[i] & 1) != 0 ? second[i] : first[i];
      const std::uint8_t missing = op & ~holds[i] & (kTakesFromAbove | kTakesFromBelow);
      const std::uint8_t taken = missing == 0 ? op : 0;
      const std::uint8_t now = left[i] - (taken != 0 ? 1 : 0);
      const std::uint8_t ends = taken != 0 && now == 0 ? kEndsSpan : 0;
      left[i] = now;
      done[i] = taken | ends;
      all |= taken | ends;
    }
  }
  return all;
}

/// What is in the channels then. Returns what some channel would hold twice.
[[gnu::always_inline]] inline std::uint8_t exchange(ChainArrays& arrays) {
  const std::uint8_t* const __restrict holds = arrays.holds.data();
  const std::uint8_t* const __restrict done = arrays.done.data();
  std::uint8_t* const __restrict next = arrays.holds_next.data();
  std::uint8_t twice = 0;
  for (std::size_t b = 0; b < arrays.lanes; b += kChainBlock) {
    for (std::size_t i = b; i < b + kChainBlock; ++i) {
      const std::uint8_t from_above = (done[i - 1] & kPutsBelow) != 0 ? kTakesFromAbove : 0;
      const std::uint8_t from_below = (done[i + 1] & kPutsAbove) != 0 ? kTakesFromBelow : 0;
      const std::uint8_t received = from_above | from_below;
      const std::uint8_t kept = holds[i] & ~done[i];
      twice |= kept & received;
      next[i] = kept | received;
    }
  }
  return twice;
}

void take_back(ChainArrays& arrays) {
  for (std::size_t i = 0; i < arrays.lanes; ++i) {
    arrays.left[i] = static_cast<std::uint8_t>(arrays.left[i] + (arrays.done[i] != 0 ? 1 : 0));
  }
}

/// The lanes' times.
template <bool kHasLatency>
[[gnu::always_inline]] inline void do_ops(ChainArrays& arrays, std::size_t b) {
  const std::uint8_t* const __restrict done = arrays.done.data() + b;
  const std::int64_t* const __restrict from_above = arrays.from_above.data() + b;
  const std::int64_t* const __restrict from_below = arrays.from_below.data() + b;
  const std::int64_t* const __restrict first = arrays.first_duration.data() + b;
  const std::int64_t* const __restrict second = arrays.second_duration.data() + b;
  const std::int64_t* const __restrict latency_above = arrays.latency_from_above.data() + b;
  const std::int64_t* const __restrict latency_below = arrays.latency_from_below.data() + b;
  std::int64_t* const __restrict time = arrays.time.data() + b;
  std::int64_t* const __restrict communication = arrays.communication.data() + b;
  for (std::size_t i = 0; i < kChainBlock; ++i) {
    const std::int64_t op = done[i];
    const std::int64_t above = from_above[i];
    const std::int64_t below = from_below[i];
    const std::int64_t free = time[i];
    const std::int64_t other = (op & kTakesFromBelow) != 0 ? below : free;
    const std::int64_t input = (op & kTakesFromAbove) != 0 ? above : other;
    const std::int64_t start = std::max(free, input);
    if (kHasLatency) {
      const std::int64_t from_here = latency_above[i];
      const std::int64_t from_there = latency_below[i];
      const std::int64_t latency = (op & kTakesFromAbove) != 0 ? from_here : from_there;
      communication[i] += op != 0 ? std::min(latency, start - free) : 0;
    }
    const std::int64_t one = first[i];
    const std::int64_t other_one = second[i];
    const std::int64_t end = start + ((op & kIsSecond) != 0 ? other_one : one);
    time[i] = op != 0 ? end : free;
  }
}

/// The channels' values.
template <bool kHasLatency>
[[gnu::always_inline]] inline void receive(ChainArrays& arrays, std::size_t b) {
  const std::uint8_t* const done = arrays.done.data() + b;
  const std::int64_t* const time = arrays.time.data() + b;
  const std::int64_t* const __restrict latency_above = arrays.latency_from_above.data() + b;
  const std::int64_t* const __restrict latency_below = arrays.latency_from_below.data() + b;
  std::int64_t* const __restrict from_above = arrays.from_above.data() + b;
  std::int64_t* const __restrict from_below = arrays.from_below.data() + b;
  const std::uint8_t* const done_above = done - 1;
  const std::uint8_t* const done_below = done + 1;
  const std::int64_t* const time_above = time - 1;
  const std::int64_t* const time_below = time + 1;
  for (std::size_t i = 0; i < kChainBlock; ++i) {
    const std::int64_t above = kHasLatency ? time_above[i] + latency_above[i] : time_above[i];
    const std::int64_t below = kHasLatency ? time_below[i] + latency_below[i] : time_below[i];
    const std::int64_t old_above = from_above[i];
    const std::int64_t old_below = from_below[i];
    from_above[i] = (done_above[i] & kPutsBelow) != 0 ? above : old_above;
    from_below[i] = (done_below[i] & kPutsAbove) != 0 ? below : old_below;
  }
}

template <bool kHasLatency>
[[gnu::always_inline]] inline ChainWave wave(ChainArrays& arrays) {
  const std::uint8_t all = choose(arrays);
  if (all == 0) return ChainWave::none;
  if (exchange(arrays) != 0) {
    take_back(arrays);
    return ChainWave::refused;
  }
  const std::uint8_t* const done = arrays.done.data();
  for (std::size_t b = 0; b < arrays.lanes; b += kChainBlock) {
    if (!is_clear(done + b)) do_ops<kHasLatency>(arrays, b);
  }
  for (std::size_t b = 0; b < arrays.lanes; b += kChainBlock) {
    if (!is_clear(done + b - 1) || !is_clear(done + b + 1)) receive<kHasLatency>(arrays, b);
  }
  std::swap(arrays.holds, arrays.holds_next);
  return (all & kEndsSpan) != 0 ? ChainWave::ends_span : ChainWave::taken;
}

template <bool kHasLatency>
ChainWave wave_portable(ChainArrays& arrays) {
  return wave<kHasLatency>(arrays);
}

#ifdef __x86_64__
template <bool kHasLatency>
[[gnu::target("avx2")]] ChainWave wave_avx2(ChainArrays& arrays) {
  return wave<kHasLatency>(arrays);
}

template <bool kHasLatency>
[[gnu::target("avx512f,avx512vl,avx512dq,avx512bw")]] ChainWave wave_avx512(ChainArrays& arrays) {
  return wave<kHasLatency>(arrays);
}
#endif

template <bool kHasLatency>
std::vector<ChainKernel> kernels_with() {
  std::vector<ChainKernel> kernels = {wave_portable<kHasLatency>};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) kernels.push_back(wave_avx2<kHasLatency>);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    kernels.push_back(wave_avx512<kHasLatency>);
  }
#endif
  return kernels;
}

}  // namespace

std::vector<ChainKernel> chain_kernels(bool has_latency) {
  return has_latency ? kernels_with<true>() : kernels_with<false>();
}

}  // namespace pipesim
