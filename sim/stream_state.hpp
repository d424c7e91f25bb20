// Internal: where a walk through a StreamProgram stands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sim/stream_program.hpp"

namespace pipesim {

/// The values in a channel, oldest first: times from which results are there. Two have room in
/// place, which is as many as most channels ever hold.
class ChannelQueue {
 public:
  bool empty() const { return fill_ == 0; }
  std::uint32_t size() const { return fill_; }
  std::int64_t operator[](std::uint32_t place) const { return ring()[at(place)]; }

  void push(std::int64_t value) {
    if (fill_ == capacity_) grow();
    ring()[at(fill_++)] = value;
  }
  /// Requires that it is not empty.
  std::int64_t pop() {
    const std::int64_t value = ring()[at(0)];
    ++head_;
    --fill_;
    return value;
  }

 private:
  std::uint32_t at(std::uint32_t place) const { return (head_ + place) & (capacity_ - 1); }
  std::int64_t* ring() { return large_ ? large_.get() : small_.data(); }
  const std::int64_t* ring() const { return large_ ? large_.get() : small_.data(); }
  void grow() {
    auto larger = std::make_unique<std::int64_t[]>(2 * std::size_t{capacity_});
    for (std::uint32_t i = 0; i < fill_; ++i) larger[i] = (*this)[i];
    large_ = std::move(larger);
    capacity_ *= 2;
    head_ = 0;
  }

  std::array<std::int64_t, 2> small_{};
  std::unique_ptr<std::int64_t[]> large_;
  std::uint32_t capacity_ = 2;  // a power of two
  std::uint32_t head_ = 0;
  std::uint32_t fill_ = 0;
};

/// What a walk needs of a channel for every op: one cache line.
struct ChannelState {
  explicit ChannelState(const StreamChannel& channel)
      : consumer(channel.consumer), latency(channel.latency), mark(channel.mark) {}

  ChannelQueue values;
  bool is_awaited = false;  ///< its consumer waits for the next value
  std::int32_t consumer;
  std::int64_t latency;
  std::uint64_t mark;
};

/// What it needs of a lane for every op stands first, in one cache line.
struct alignas(64) LaneState {
  std::int64_t time = 0;           ///< from which the lane is free
  const StreamOp* op = nullptr;    ///< the next one; null: done
  std::int64_t repetitions = 0;    ///< of [begin, end) that are not done
  std::int64_t* starts = nullptr;  ///< where its next single start goes; null: nowhere
  std::int64_t first_start = -1;   ///< as in LaneTimes
  std::int64_t first_gradient_start = -1;
  std::int64_t last_forward_end = -1;
  std::int64_t communication = 0;

  const StreamOp* begin = nullptr;  ///< of the loop's body
  const StreamOp* end = nullptr;
  std::int64_t entered = 0;  ///< how many loops over ops it has entered

  /// The blocks that it is in.
  struct Frame {
    const std::vector<StreamBlock>* blocks = nullptr;
    std::size_t at = 0;
    std::int64_t repetitions = 0;  ///< of all these blocks that are not done
  };
  std::vector<Frame> frames;
};

/// Goes on to the next loop over ops; op is null where there is none.
void enter_next_loop(LaneState& lane, const StreamProgram& program);

/// Goes on to the next op.
inline void go_on(LaneState& lane, const StreamProgram& program) {
  const std::uint32_t body = lane.op->body;
  if (body == 0) {
    ++lane.op;
  } else if (--lane.repetitions > 0) {
    lane.op -= body - 1;
  } else {
    enter_next_loop(lane, program);
  }
}

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
