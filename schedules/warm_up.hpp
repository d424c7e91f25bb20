// The family of 1F1B: schedules that differ in how many forwards a device warms up with.
#pragma once

#include <algorithm>
#include <cstdint>

#include "schedules/streams.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// `warm_up` forwards, then a forward and a backward in turn, then the backwards that are left.
/// Requires 0 <= warm_up <= m.
inline LaneOrder warm_up_lane(Stage stage, std::int64_t warm_up, std::int64_t m) {
  return {repeat(warm_up, {forward(stage, 0)}),
          repeat(m - warm_up, {forward(stage, warm_up), backward(stage, 0)}),
          repeat(warm_up, {backward(stage, m - warm_up)})};
}

/// The same with the backward split: a weight gradient stands `delay` microbatches after its input
/// gradient, in the same turn (Zero Bubble, 2401.10241, section 2.2: ZB-H1 has delay i on device
/// i).
inline LaneOrder split_warm_up_lane(Stage stage, std::int64_t warm_up, std::int64_t delay,
                                    std::int64_t m) {
  return in_step({stream(forward(stage, 0), m), stream(backward_input(stage, 0), m, warm_up),
                  stream(backward_weight(stage, 0), m, warm_up + delay)});
}

/// The warm-up of 1F1B: as many forwards as there are devices after this one (PipeDream-Flush,
/// 2006.09503, section 2).
inline std::int64_t one_f_one_b_warm_up(const Problem& problem, Device device) {
  return std::min<std::int64_t>(problem.devices - 1 - device.value, problem.microbatches);
}

inline Program one_f_one_b(const Problem& problem) {
  Program program;
  for (std::int32_t device = 0; device < problem.devices; ++device) {
    program.lanes.push_back(warm_up_lane(
        Stage{device}, one_f_one_b_warm_up(problem, Device{device}), problem.microbatches));
  }
  return program;
}

}  // namespace pipesim
