// What DualPipe and DualPipeV have in common: eight steps, in which a device that microbatches
// cross in two directions overlaps the forwards of one with the backwards of the other
// (DeepSeek-V3, 2412.19437, section 3.2.1, and github.com/deepseek-ai/DualPipe).
#pragma once

#include <cstdint>

#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// One of the two directions on a device.
struct CrossingDirection {
  Stage stage;
  std::int64_t first_microbatch = 0;
};

struct DualPipeDevice {
  CrossingDirection near;         ///< the one that enters the pipeline at this device's end
  CrossingDirection remote;       ///< the other
  std::int64_t from_end = 0;      ///< devices between this one and that end
  std::int64_t from_middle = 0;   ///< devices between this one and where the directions meet
  std::int64_t microbatches = 0;  ///< of each direction
};

/// The device's order. Requires microbatches >= 2 (from_end + from_middle + 1).
LaneOrder dual_pipe_steps(const DualPipeDevice& device);

}  // namespace pipesim
