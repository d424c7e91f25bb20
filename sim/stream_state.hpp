// Internal: where a walk through a StreamProgram stands.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/stream_program.hpp"
#include "sim/stream_walk.hpp"

namespace pipesim {

/// The values in a channel, oldest first: times from which results are there.
class ChannelQueue {
 public:
  bool empty() const { return fill_ == 0; }
  std::uint32_t size() const { return fill_; }
  std::int64_t operator[](std::uint32_t place) const { return ring_[(head_ + place) & mask()]; }

  void push(std::int64_t value) {
    if (fill_ == ring_.size()) grow();
    ring_[(head_ + fill_++) & mask()] = value;
  }
  /// Requires that it is not empty.
  std::int64_t pop() {
    const std::int64_t value = ring_[head_ & mask()];
    ++head_;
    --fill_;
    return value;
  }

 private:
  std::uint32_t mask() const { return static_cast<std::uint32_t>(ring_.size() - 1); }
  void grow() {
    std::vector<std::int64_t> larger(std::bit_ceil(ring_.size() + 1));
    for (std::uint32_t i = 0; i < fill_; ++i) larger[i] = (*this)[i];
    ring_ = std::move(larger);
    head_ = 0;
  }

  std::vector<std::int64_t> ring_;  // a power of two, or empty
  std::uint32_t head_ = 0;
  std::uint32_t fill_ = 0;
};

struct ChannelState {
  ChannelQueue values;
  bool is_awaited = false;  ///< its consumer waits for the next value
};

struct LaneState {
  std::int64_t time = 0;         ///< from which the lane is free
  const StreamOp* op = nullptr;  ///< the next one; null: done
  const StreamOp* begin = nullptr;
  const StreamOp* end = nullptr;
  std::int64_t repetitions = 0;  ///< of [begin, end) that are not done
  std::int64_t entered = 0;      ///< how many loops over ops it has entered
  LaneTimes times;
  std::int64_t* starts = nullptr;  ///< where the next start goes; null: nowhere

  /// The blocks that it is in.
  struct Frame {
    const std::vector<StreamBlock>* blocks = nullptr;
    std::size_t at = 0;
    std::int64_t repetitions = 0;  ///< of all these blocks that are not done
  };
  std::vector<Frame> frames;
};

/// An op that a lane took.
struct Taken {
  std::int32_t lane = 0;
  const StreamOp* op = nullptr;
};

/// The ops of some waves one after another: what the lanes took at once.
struct Waves {
  std::vector<Taken> taken;
  std::vector<std::size_t> ends;  ///< of each wave, in taken
};

}  // namespace pipesim
