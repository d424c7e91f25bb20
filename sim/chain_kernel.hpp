// Internal: one wave of a chain of lanes, as operations on arrays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pipesim {

/// What an op does, as bits of a byte.
enum ChainTrait : std::uint8_t {
  kTakesFromAbove = 1,  ///< its input comes from the lane before
  kTakesFromBelow = 2,
  kPutsBelow = 4,  ///< its output goes to the lane after
  kPutsAbove = 8,
  kIsSecond = 16,   ///< the second of the two ops in turn
  kIsOp = 32,       ///< set in each, so that none is 0
  kEndsSpan = 128,  ///< was the last of a span: only in what was done
};

/// Arrays by lane, with room before and after that is never used.
template <class Value>
class ChainArray {
 public:
  void resize(std::size_t lanes) { values_.assign(lanes + 2 * kRoom, Value{}); }
  Value* data() { return values_.data() + kRoom; }
  Value& operator[](std::size_t lane) { return values_[lane + kRoom]; }
  const Value& operator[](std::size_t lane) const { return values_[lane + kRoom]; }

 private:
  static constexpr std::size_t kRoom = 16;
  std::vector<Value> values_;
};

/// Each lane takes two ops in turn, the first where an even number of ops is left of its span.
struct ChainArrays {
  std::size_t lanes = 0;  ///< a multiple of kChainBlock
  ChainArray<std::uint8_t> first;
  ChainArray<std::uint8_t> second;
  ChainArray<std::uint8_t> left;   ///< ops of the span
  ChainArray<std::uint8_t> holds;  ///< kTakesFromAbove, kTakesFromBelow: such an input is there
  ChainArray<std::uint8_t> holds_next;
  ChainArray<std::uint8_t> done;  ///< the op that was done in the last wave, 0 if none
  ChainArray<std::int64_t> first_duration;
  ChainArray<std::int64_t> second_duration;
  ChainArray<std::int64_t> time;
  ChainArray<std::int64_t> from_above;  ///< the input
  ChainArray<std::int64_t> from_below;
  ChainArray<std::int64_t> latency_from_above;
  ChainArray<std::int64_t> latency_from_below;
  ChainArray<std::int64_t> communication;
};

inline constexpr std::size_t kChainBlock = 16;

/// What came of a wave.
enum class ChainWave {
  none,      ///< no op could be taken
  refused,   ///< a channel would hold two values: nothing has been changed but `done`
  taken,     ///< ops were taken
  ends_span  ///< and were the last of the span of some lanes
};

using ChainKernel = ChainWave (*)(ChainArrays& arrays);

/// All that the processor can run, the fastest last; they do the same: every lane whose next op has
/// its input does it. Requires that nothing overflows.
std::vector<ChainKernel> chain_kernels(bool has_latency);

}  // namespace pipesim
