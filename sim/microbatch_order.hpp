// In which order a lane takes the microbatches of a stage, told from its loops without unrolling
// them.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// first, first + stride, first + 2 * stride, ...: `count` of them, at least 1.
struct Progression {
  std::int64_t first = 0;
  std::int64_t stride = 1;
  std::int64_t count = 1;

  std::int64_t last() const { return first + stride * (count - 1); }
};

/// One progression after another.
using MicrobatchOrder = std::vector<Progression>;

/// The ops of one kind on one stage, for the microbatches of one flow.
struct OpClass {
  OpKind kind = OpKind::forward;
  Stage stage;
  Flow flow;

  friend constexpr auto operator<=>(const OpClass&, const OpClass&) = default;
};

using MicrobatchOrders = std::map<OpClass, MicrobatchOrder>;

/// The orders of one lane, the second of two overlapped ops after the first. The flow of a class is
/// that of its first microbatch; it holds for the whole order where that is known to stay within
/// the flow. Nothing where the loops do not come to a few thousand progressions, or leave the
/// range of int32.
std::optional<MicrobatchOrders> microbatch_orders(const Problem& problem, const LaneOrder& order);

/// Whether both name the same microbatches one after another, however they are cut.
bool same_order(const MicrobatchOrder& left, const MicrobatchOrder& right);

}  // namespace pipesim
