// A program as a schedule file of torch.distributed.pipelining.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/io/pytorch_csv.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// PyTorch's two formats, as its _load_csv names them.
enum class PytorchFormat : std::uint8_t {
  /// Ops only. A cell is a step of time in which every action takes one: an op stands at the first
  /// step after those of all its inputs, as PipelineScheduleMulti requires, which receives a
  /// result in the step in which it is computed.
  compute_only,
  /// Every action in order, as PyTorch lowers the same ops itself: receives at the moment of their
  /// sends (sim/transfer_order.hpp), UNSHARD and RESHARD so that the next three stages of a rank
  /// are gathered (_add_unshard_reshard), REDUCE_GRAD after a stage's last backward.
  compute_comms
};

struct PytorchExport {
  PytorchFile file;
  std::vector<std::string> notes;  ///< what is not in it, a sentence each
};

/// Requires a program that validate_program() accepts. Recomputations are left out: PyTorch
/// recomputes inside the backward. Throws Error (bad input) for what the format cannot carry: a
/// stage on two devices, steps without a flush between them, ops of another kind; and Error (run
/// failed) if the program deadlocks.
PytorchExport export_pytorch(const Problem& problem, const Program& program, PytorchFormat format);

}  // namespace pipesim
