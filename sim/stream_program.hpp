// Internal: a program as the streaming engine walks it: loops over small ops that know nothing of
// their microbatch, since everything that crosses between devices arrives in the order in which it
// is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

inline constexpr std::int32_t kNoChannel = -1;

/// An op of a lane.
struct StreamOp {
  std::int64_t duration = 0;
  std::int32_t input = kNoChannel;   ///< where it takes the time from which its input is there
  std::int32_t output = kNoChannel;  ///< where it puts the time from which its result is there
  std::uint64_t mark = 0;            ///< a number that tells its place in the program from others
  std::uint32_t body = 0;            ///< of the last op of a body, how many ops it has; else 0
  bool is_forward = false;
  bool is_gradient = false;
};

/// `count` repetitions, at least one, of ops or of other blocks.
struct StreamBlock {
  std::int64_t count = 1;
  std::uint32_t first_op = 0;  ///< ops [first_op, end_op); none: the blocks
  std::uint32_t end_op = 0;
  std::vector<StreamBlock> blocks;
};

/// What one stage passes to the next, or gradients to the one before: first in, first out.
struct StreamChannel {
  std::int32_t producer = 0;  ///< the lane that puts
  std::int32_t consumer = 0;  ///< the lane that takes
  std::int64_t latency = 0;   ///< from the end of the op that puts
  std::uint64_t mark = 0;     ///< as of an op
};

/// Numbers the ops of one kind, flow and stage.
struct OpClasses {
  std::uint32_t stages = 1;
  std::uint32_t places = 1;      ///< stages of all flows
  std::int32_t second_flow = 0;  ///< its first microbatch; all there are: one flow

  std::uint32_t index(const Op& op) const {
    return static_cast<std::uint32_t>(op.kind) * places +
           (op.microbatch.value < second_flow ? 0 : stages) +
           static_cast<std::uint32_t>(op.stage.value);
  }
};

struct StreamProgram {
  std::vector<StreamOp> ops;
  std::vector<std::vector<StreamBlock>> lanes;  ///< by device
  /// A program that is given op by op, as it is; ops has one op of each class. Otherwise null.
  const Program* listed = nullptr;
  OpClasses classes;
  std::vector<StreamChannel> channels;
  OpKind gradient = OpKind::backward;  ///< of every backward: full, or split in its two gradients
};

/// The number of ops that a lane takes.
std::int64_t op_count(const StreamProgram& program, std::size_t lane);

/// Whether programs of the problem may be written so: an op takes as long for every microbatch,
/// transfers are no tasks, nothing is parked, and there is one training step.
bool may_stream(const Problem& problem);

/// The program as loops over such ops, or nothing where it cannot be written so: where the
/// problem does not allow it, ops overlap, some backwards are split and others not, or a device
/// takes the microbatches of a stage in another order than its neighbours. Requires a problem that
/// validate_problem() and a program that validate_program() accepts; the program must outlive the
/// result.
std::optional<StreamProgram> stream_program(const Problem& problem, const Program& program);

}  // namespace pipesim
