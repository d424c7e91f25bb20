// Random problems with several stages on a device and communication between devices.
#pragma once

#include <algorithm>
#include <random>

#include "tests/problems.hpp"

namespace pipesim::test {

/// All forwards stage by stage, then all backwards: valid wherever the stages are.
inline Program breadth_first(const Problem& problem) {
  Program program;
  program.lanes.resize(static_cast<std::size_t>(problem.devices));
  const auto lane = [&](int stage) -> LaneOrder& {
    return program
        .lanes[static_cast<std::size_t>(problem.device(Stage{stage}, Microbatch{0}).value)];
  };
  for (int stage = 0; stage < problem.stages(); ++stage) {
    lane(stage).push_back(repeat(problem.microbatches, {forward(Stage{stage}, 0)}));
  }
  for (int stage = problem.stages() - 1; stage >= 0; --stage) {
    lane(stage).push_back(repeat(problem.microbatches, {backward(Stage{stage}, 0)}));
  }
  return program;
}

inline Problem random_cluster(std::mt19937_64& random, TransferMode mode, bool shared) {
  const int p = static_cast<int>(draw(random, 2, 4));
  const int v = static_cast<int>(draw(random, 1, 3));
  Problem problem;
  problem.devices = p;
  problem.microbatches = static_cast<int>(draw(random, 1, 5));
  problem.placement = loop_placement(p, v);
  std::shuffle(problem.placement.device_of[0].begin(), problem.placement.device_of[0].end(),
               random);
  for (int stage = 0; stage < problem.stages(); ++stage) {
    problem.costs.push_back(stage_costs(Ticks{draw(random, 0, 4)}, Ticks{draw(random, 1, 5)}));
  }
  problem.communication.mode = mode;
  problem.communication.devices_per_node = static_cast<int>(draw(random, 1, 3));
  problem.communication.intra = {Ticks{draw(random, 0, 2)}, Ticks{draw(random, 0, 3)}};
  problem.communication.inter = {Ticks{draw(random, 0, 3)}, Ticks{draw(random, 0, 4)}};
  if (shared) problem.communication.shared_link = Ticks{draw(random, 0, 6)};
  return problem;
}

}  // namespace pipesim::test
