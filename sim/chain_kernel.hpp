// Internal: one wave of a chain of lanes, as operations on arrays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pipesim {

// What an op does, as bits of a byte.
inline constexpr std::uint8_t kTakesFromAbove = 1;  ///< its input comes from the lane before
inline constexpr std::uint8_t kTakesFromBelow = 2;
inline constexpr std::uint8_t kPutsBelow = 4;  ///< its output goes to the lane after
inline constexpr std::uint8_t kPutsAbove = 8;
inline constexpr std::uint8_t kIsSecond = 16;   ///< the second of the two ops in turn
inline constexpr std::uint8_t kIsOp = 32;       ///< set in each, so that none is 0
inline constexpr std::uint8_t kEndsSpan = 128;  ///< was the last of a span: only in what was done

/// Arrays by lane, with a block before and after that stays 0. Each lane takes two ops in turn, the
/// first where an even number of ops is left of its span.
struct ChainArrays {
  std::size_t begin = 0;  ///< the lanes that a wave looks at, half-open
  std::size_t end = 0;    ///< both multiples of kChainBlock
  std::uint8_t* first = nullptr;
  std::uint8_t* second = nullptr;
  std::uint8_t* left = nullptr;        ///< ops of the span
  std::uint8_t* holds = nullptr;       ///< kTakesFromAbove, kTakesFromBelow: such an input is there
  std::uint8_t* holds_next = nullptr;  ///< the same after the wave
  std::uint8_t* done = nullptr;        ///< the op that was done in the wave, 0 if none
  std::int64_t* first_duration = nullptr;
  std::int64_t* second_duration = nullptr;
  std::int64_t* time = nullptr;        ///< from which the lane is free
  std::int64_t* from_above = nullptr;  ///< the time from which that input is there
  std::int64_t* from_below = nullptr;
  std::int64_t* latency_from_above = nullptr;
  std::int64_t* latency_from_below = nullptr;
  std::int64_t* communication = nullptr;
};

inline constexpr std::size_t kChainBlock = 16;

/// What came of a wave.
enum class ChainWave {
  none,      ///< no op could be taken
  refused,   ///< a channel would hold two values: only `done` and `holds_next` have been changed
  taken,     ///< ops were taken
  ends_span  ///< and were the last of the span of some lanes
};

using ChainKernel = ChainWave (*)(const ChainArrays& arrays);

/// All that the processor can run, the fastest last; they do the same: every lane whose next op has
/// its input does it. Requires that nothing overflows, and that those who do are among the lanes
/// that are looked at, and so are their neighbours.
std::vector<ChainKernel> chain_kernels(bool has_latency);

}  // namespace pipesim
