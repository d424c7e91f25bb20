#include "sim/stream_state.hpp"

namespace pipesim {

void enter_next_loop(LaneState& lane, const StreamProgram& program) {
  lane.op = nullptr;
  while (!lane.frames.empty()) {
    LaneState::Frame& frame = lane.frames.back();
    if (frame.at == frame.blocks->size()) {
      frame.at = 0;
      if (--frame.repetitions == 0) lane.frames.pop_back();
      continue;
    }
    const StreamBlock& block = (*frame.blocks)[frame.at++];
    if (!block.blocks.empty()) {
      lane.frames.push_back({.blocks = &block.blocks, .at = 0, .repetitions = block.count});
      continue;
    }
    lane.begin = program.ops.data() + block.first_op;
    lane.end = program.ops.data() + block.end_op;
    lane.op = lane.begin;
    lane.repetitions = block.count;
    ++lane.entered;
    return;
  }
}

}  // namespace pipesim
