// The order of a schedule from a file: PyTorch's CSV, or a program as `pipesim program` prints it.
#pragma once

#include <span>

#include "sim/io/config.hpp"
#include "sim/parameters.hpp"

namespace pipesim {

/// Puts what config.order_file says into the schedule's parameter of type orders, and takes out
/// b_means, which says how to read it: what remains is the same as if the order had stood in the
/// config. A file whose first word is "device" is a program, any other is a CSV. Throws Error (bad
/// input) with every fault of the file, placed.
void read_order_file(std::span<const ScheduleSignature> schedules, RunConfig& config);

}  // namespace pipesim
