// The vocabulary of the simulator: strong indices, integer time and the operations of a pipeline.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pipesim {

/// Wide enough for a sum of int64 values over every device: p * T_total exceeds 64 bits.
__extension__ using Int128 = __int128;

/// An index that does not convert to an index of another kind. Zero-based.
template <class Tag>
struct Index {
  std::int32_t value = 0;

  constexpr Index() = default;
  template <std::integral Integer>
  explicit constexpr Index(Integer index) : value(static_cast<std::int32_t>(index)) {}
  friend constexpr auto operator<=>(Index, Index) = default;
};

/// A worker that executes operations one at a time: 0..p-1.
using Device = Index<struct DeviceTag>;
/// A virtual stage, a contiguous part of the model: 0..S-1 in the order of the forward pass.
using Stage = Index<struct StageTag>;
/// A microbatch of one training step: 0..m-1.
using Microbatch = Index<struct MicrobatchTag>;
/// A direction in which microbatches cross the stages; a unidirectional schedule has flow 0 only.
using Flow = Index<struct FlowTag>;

[[noreturn]] void throw_time_overflow();

/// A time or a duration in ticks of one picosecond. Arithmetic that leaves the range of int64
/// (106.75 days) throws Error instead of wrapping.
struct Ticks {
  std::int64_t count = 0;

  constexpr Ticks() = default;
  explicit constexpr Ticks(std::int64_t ticks) : count(ticks) {}

  friend constexpr auto operator<=>(Ticks, Ticks) = default;
  friend constexpr Ticks operator+(Ticks left, Ticks right) {
    Ticks sum;
    if (__builtin_add_overflow(left.count, right.count, &sum.count)) throw_time_overflow();
    return sum;
  }
  friend constexpr Ticks operator-(Ticks left, Ticks right) {
    Ticks difference;
    if (__builtin_sub_overflow(left.count, right.count, &difference.count)) throw_time_overflow();
    return difference;
  }
  friend constexpr Ticks operator*(Ticks duration, std::int64_t times) {
    Ticks product;
    if (__builtin_mul_overflow(duration.count, times, &product.count)) throw_time_overflow();
    return product;
  }
  constexpr Ticks& operator+=(Ticks other) { return *this = *this + other; }
  constexpr Ticks& operator-=(Ticks other) { return *this = *this - other; }
};

/// What an operation does. The letters are PyTorch's.
enum class OpKind : std::uint8_t {
  forward,          ///< F: activations of one microbatch through one stage
  backward,         ///< B: the full backward, gradients of the input and of the weights
  backward_input,   ///< I: the gradient of the stage's input only
  backward_weight,  ///< W: the gradient of the stage's weights only, after its I
  recompute,        ///< R: the forward once more, because its activations were not kept
  send_forward,     ///< SEND_F: activations to the device of the next stage
  send_backward,    ///< SEND_B: gradients to the device of the stage before
  evict,            ///< EVICT: activations to the device that keeps them meanwhile (BPipe)
  load,             ///< LOAD: the same activations back again
  grad_sync,        ///< SYNC: the reduction of a stage's gradients at the end of a step
  optimizer,        ///< OPT: a device's optimizer after a step; named by a stage of the device
  barrier,          ///< BARRIER: this device and all before it have come as far
  release           ///< RELEASE: all devices have
};

/// The kinds that a device computes.
constexpr bool is_compute(OpKind kind) { return kind <= OpKind::recompute; }

/// The kinds that move activations out of a device's memory and back.
constexpr bool is_parking(OpKind kind) { return kind == OpKind::evict || kind == OpKind::load; }

/// The kinds that a program orders; the others follow from them.
constexpr bool is_ordered(OpKind kind) { return is_compute(kind) || is_parking(kind); }

constexpr bool is_send(OpKind kind) {
  return kind == OpKind::send_forward || kind == OpKind::send_backward;
}

/// "F", "B", "I", "W", "R", "SEND_F", "SEND_B", "EVICT", "LOAD", "SYNC", "OPT", "BARRIER" or
/// "RELEASE".
std::string_view letters(OpKind kind);

/// The kind with those letters, or nothing.
std::optional<OpKind> op_kind(std::string_view letters);

/// What an op is for its neighbours: a full backward and an input gradient pass the same result
/// on, so a stage and a microbatch have at most one op in each role.
enum class Role : std::uint8_t { forward, gradient, weight, recompute, evict, load };

inline constexpr int kRoles = 6;

/// Requires a kind that a program orders.
constexpr Role role(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return Role::forward;
    case OpKind::backward_weight:
      return Role::weight;
    case OpKind::recompute:
      return Role::recompute;
    case OpKind::evict:
      return Role::evict;
    case OpKind::load:
      return Role::load;
    default:
      return Role::gradient;
  }
}

/// One operation of a training step: a microbatch at a stage. The microbatch tells the flow; where
/// microbatches are cut into slices they are numbered through: j * slices + q is slice q of
/// microbatch j.
struct Op {
  OpKind kind = OpKind::forward;
  Stage stage;
  Microbatch microbatch;

  friend constexpr auto operator<=>(const Op&, const Op&) = default;
};

/// The token of an op, stage first as in PyTorch's schedules: "2F0" is stage 2, forward of
/// microbatch 0; a send carries the sender's stage.
std::string token(const Op& op);

/// The op of a token, or nothing if it is none. Stages and microbatches are whole numbers without
/// a sign; nothing may follow.
std::optional<Op> parse_token(std::string_view token);

/// The name of an op where the stage is already known: "F0".
std::string short_name(const Op& op);

}  // namespace pipesim
