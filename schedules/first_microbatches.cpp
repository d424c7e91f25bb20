#include "schedules/first_microbatches.hpp"

#include <optional>

namespace pipesim {

Program first_microbatches(const Program& program, std::int64_t microbatches) {
  const auto stays = [&](const Op& op) { return op.microbatch.value < microbatches; };
  Program result;
  for (const LaneOrder& order : program.lanes) {
    LaneOrder& left = result.lanes.emplace_back();
    for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
      Step step = cursor.step();
      if (step.overlapped && !stays(*step.overlapped)) step.overlapped = std::nullopt;
      if (step.overlapped && !stays(step.op)) step = {.op = *step.overlapped};
      if (stays(step.op)) left.push_back({.what = step, .stride = 0});
    }
  }
  return result;
}

}  // namespace pipesim
