// What a schedule file of torch.distributed.pipelining means: the order of the steps of each rank.
#pragma once

#include "sim/io/pytorch_csv.hpp"
#include "sim/parameters.hpp"

namespace pipesim {

/// The ops of every rank in their order. Idle cells are layout; UNSHARD, RESHARD and REDUCE_GRAD
/// take no time here. Communication follows from the ops: it is not part of the result, but it
/// must be what they need. A result for another rank is sent after it is computed and received
/// before it is used, and two ranks send and receive in one order. A file with communication has
/// no idle cells.
/// Throws Error (bad input) with the row, the column and the cell of every fault.
StepOrders step_orders(const PytorchFile& file);

/// The cell of a step. Requires a step of F, B, I or W, or a pair of them.
PytorchCell pytorch_cell(const Step& step);

}  // namespace pipesim
