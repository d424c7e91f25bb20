// What the anchors run: a pipeline of one stage a device, in the order of GPipe or of 1F1B. They
// share this description and nothing of pipesim.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

enum class Order { gpipe, one_f_one_b };

/// Times are integer ticks. Requires at least as many microbatches as stages.
struct Workload {
  Order order = Order::one_f_one_b;
  std::int64_t stages = 0;
  std::int64_t microbatches = 0;
  std::vector<std::int64_t> forward;   ///< by stage
  std::vector<std::int64_t> backward;  ///< by stage
  std::int64_t latency = 0;            ///< from an op's end until its result is at the next stage

  std::int64_t ops_of_stage() const { return 2 * microbatches; }
  std::int64_t ops() const { return stages * ops_of_stage(); }
  /// The forwards of a stage before it alternates forward and backward.
  std::int64_t warm_up(std::int64_t stage) const {
    return order == Order::gpipe ? microbatches : stages - 1 - stage;
  }
};

/// An op of a stage.
struct StageOp {
  bool is_forward = true;
  std::int64_t microbatch = 0;
};

/// The op at a place of the stage's order, [0, ops_of_stage()).
inline StageOp op_at(const Workload& workload, std::int64_t stage, std::int64_t place) {
  const std::int64_t warm_up = workload.warm_up(stage);
  if (place < warm_up) return {.is_forward = true, .microbatch = place};
  if (place >= 2 * workload.microbatches - warm_up) {
    return {.is_forward = false, .microbatch = place - workload.microbatches};
  }
  const std::int64_t pair = (place - warm_up) / 2;
  const bool is_forward = (place - warm_up) % 2 == 0;
  return {.is_forward = is_forward, .microbatch = is_forward ? warm_up + pair : pair};
}

/// The place of an op in its stage's order.
inline std::int64_t place_of(const Workload& workload, std::int64_t stage, const StageOp& op) {
  const std::int64_t warm_up = workload.warm_up(stage);
  if (op.is_forward) {
    return op.microbatch < warm_up ? op.microbatch : warm_up + 2 * (op.microbatch - warm_up);
  }
  return op.microbatch < workload.microbatches - warm_up ? warm_up + 2 * op.microbatch + 1
                                                         : workload.microbatches + op.microbatch;
}

/// T_total of starts that stand stage after stage, each in its order: every stage ends with a
/// backward.
inline std::int64_t total_of(const Workload& workload, const std::vector<std::int64_t>& starts) {
  std::int64_t total = 0;
  for (std::int64_t stage = 0; stage < workload.stages; ++stage) {
    const std::int64_t last = (stage + 1) * workload.ops_of_stage() - 1;
    total = std::max(total, starts[static_cast<std::size_t>(last)] +
                                workload.backward[static_cast<std::size_t>(stage)]);
  }
  return total;
}

}  // namespace bench
