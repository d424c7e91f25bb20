// What DualPipe and DualPipeV have in common (DeepSeek-V3, 2412.19437, section 3.2.1, and
// github.com/deepseek-ai/DualPipe). A device that microbatches cross in two directions overlaps the
// forwards of one with the backwards of the other. Let F, B, I and W be the ops of the near
// direction, f, b, i and w those of the remote one, (F;b) an overlapped pair, h and r the numbers
// of devices to the end and to the middle, n the microbatches of a direction. The eight steps:
//   1  2r times F
//   2  h+1 times F f
//   3  r times i w f
//   4  n-h-1-2r times (F;b) (f;B); in the middle, r = 0, the first pair is apart: F b
//   5  r times b (f;B)
//   6  h+1 times b B, of these 2h+2 backwards the last h+1 as i or I, their w or W waiting
//   7  r times the w or W that waits longest, and I, its W waiting
//   8  h+1 times the w or W that waits longest
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
