// Random problems over the whole timing model, each with a random program that can run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "tests/problems.hpp"

namespace pipesim::test {

struct Run {
  Problem problem;
  Program program;
};

inline Ticks draw_ticks(std::mt19937_64& random, std::int64_t highest) {
  return Ticks{draw(random, 0, highest)};
}

inline bool flip(std::mt19937_64& random) { return draw(random, 0, 1) == 1; }

/// The same order, given op by op.
inline Program op_by_op(const Program& program) {
  Program result;
  for (const LaneOrder& lane : program.lanes) {
    LaneOrder& listed = result.lanes.emplace_back();
    for (StepCursor at(lane); !at.done(); at.advance()) append(listed, at.step());
  }
  return result;
}

/// A loop of one to three stages a device, a V, or two flows.
inline Placement random_placement(std::mt19937_64& random, int devices) {
  switch (draw(random, 0, 4)) {
    case 0:
      return v_placement(devices);
    case 1:
      return bidirectional_placement(devices);
    default:
      return loop_placement(devices, static_cast<int>(draw(random, 1, 3)));
  }
}

inline Communication random_communication(std::mt19937_64& random, int devices) {
  const auto link = [&] {
    return Link{.latency = draw_ticks(random, 2), .occupancy = draw_ticks(random, 3)};
  };
  Communication communication;
  communication.mode = static_cast<TransferMode>(draw(random, 0, 3));
  communication.devices_per_node = static_cast<std::int32_t>(draw(random, 0, 2));
  communication.intra = link();
  communication.inter = link();
  if (flip(random)) {
    for (int i = 0; i < devices * devices; ++i) {
      communication.latencies.push_back(draw_ticks(random, 3));
    }
  }
  const bool may_share =
      communication.mode == TransferMode::free || communication.mode == TransferMode::async;
  if (may_share && flip(random)) communication.shared_link = draw_ticks(random, 3);
  return communication;
}

/// Costs by stage; those of the run by microbatch, a launch overhead and a straggler now and then.
inline void draw_costs(std::mt19937_64& random, Problem& problem) {
  const auto stages = static_cast<std::size_t>(problem.stages());
  for (std::size_t s = 0; s < stages; ++s) {
    StageCosts costs = stage_costs(draw_ticks(random, 4), draw_ticks(random, 6));
    costs.weight = draw_ticks(random, costs.backward.count);
    if (flip(random)) costs.fused = draw_ticks(random, 8);
    problem.costs.push_back(costs);
    problem.recompute.push_back(draw(random, 0, 3) == 0);
  }
  problem.costs.front().forward += Ticks{1};
  if (draw(random, 0, 2) == 0) {
    const std::size_t entries = 5 * stages * static_cast<std::size_t>(problem.microbatches);
    for (std::size_t i = 0; i < entries; ++i) problem.durations.push_back(draw_ticks(random, 5));
  }
  problem.launch_overhead = draw_ticks(random, 1);
  if (draw(random, 0, 2) == 0) {
    problem.stragglers.push_back({.device = Device{draw(random, 0, problem.devices - 1)},
                                  .numerator = draw(random, 1, 5),
                                  .denominator = draw(random, 1, 3),
                                  .from = draw_ticks(random, 20),
                                  .to = Ticks{draw(random, 20, 60)}});
  }
}

/// Every device may park with a random one, itself perhaps.
inline void draw_parking(std::mt19937_64& random, Problem& problem) {
  for (int device = 0; device < problem.devices; ++device) {
    problem.parking.keeper.emplace_back(draw(random, 0, problem.devices - 1));
  }
  for (int stage = 0; stage < problem.stages(); ++stage) {
    problem.parking.copy_time.push_back(draw_ticks(random, 3));
  }
}

/// The order in which a random device after another takes a random op, or two of them overlapped,
/// whose inputs are made: it can run however results cross.
class RandomProgram {
 public:
  RandomProgram(std::mt19937_64& random, const Problem& problem)
      : random_(random), problem_(problem) {
    for (int stage = 0; stage < problem.stages(); ++stage) {
      const bool is_split = flip(random);
      for (int microbatch = 0; microbatch < problem.microbatches; ++microbatch) {
        const auto add = [&](OpKind kind) {
          left_.push_back(
              {.kind = kind, .stage = Stage{stage}, .microbatch = Microbatch{microbatch}});
        };
        add(OpKind::forward);
        add(is_split ? OpKind::backward_input : OpKind::backward);
        if (is_split) add(OpKind::backward_weight);
        if (problem.recomputes(Stage{stage})) {
          add(OpKind::recompute);
        } else if (!problem.parking.keeper.empty() && flip(random)) {
          add(OpKind::evict);
          add(OpKind::load);
        }
      }
    }
  }

  Program draw_program() {
    Program program;
    program.lanes.resize(static_cast<std::size_t>(problem_.devices));
    while (!left_.empty()) {
      const std::vector<Op> ready = ready_ops();
      const Op first = ready[static_cast<std::size_t>(
          draw(random_, 0, static_cast<std::int64_t>(ready.size()) - 1))];
      Item next = item(first.kind, first.stage, first.microbatch.value);
      take(first);
      for (const Op& second : ready) {
        if (first.kind != OpKind::forward || role(second.kind) != Role::gradient ||
            problem_.device(first) != problem_.device(second) || !flip(random_)) {
          continue;
        }
        next = overlapped(next, item(second.kind, second.stage, second.microbatch.value));
        take(second);
        break;
      }
      program.lanes[static_cast<std::size_t>(problem_.device(first).value)].push_back(next);
    }
    return program;
  }

 private:
  using Made = std::pair<Role, Op>;

  bool is_made(Role role, Op op, int stage) const {
    op.kind = OpKind::forward;
    op.stage = Stage{stage};
    return made_.contains({role, op});
  }
  void take(const Op& op) {
    Op key = op;
    key.kind = OpKind::forward;
    made_.insert({role(op.kind), key});
    left_.erase(std::find(left_.begin(), left_.end(), op));
  }
  // Of the slice before or after the op's, if it has one.
  bool is_made_of_slice(Role role, Op op, int apart) const {
    const int slice = op.microbatch.value % problem_.slices + apart;
    if (slice < 0 || slice >= problem_.slices) return true;
    op.microbatch.value += apart;
    return is_made(role, op, op.stage.value);
  }
  bool is_ready(const Op& op) const {
    const int stage = op.stage.value;
    switch (role(op.kind)) {
      case Role::forward:
        return (stage == 0 || is_made(Role::forward, op, stage - 1)) &&
               is_made_of_slice(Role::forward, op, -1);
      case Role::recompute:
      case Role::evict:
        return is_made(Role::forward, op, stage);
      case Role::load:
        return is_made(Role::evict, op, stage);
      case Role::weight:
        return is_made(Role::gradient, op, stage);
      case Role::gradient:
        break;
    }
    if (is_left(OpKind::load, op) || !is_made_of_slice(Role::gradient, op, 1)) return false;
    return is_made(problem_.recomputes(op.stage) ? Role::recompute : Role::forward, op, stage) &&
           (stage + 1 == problem_.stages() || is_made(Role::gradient, op, stage + 1));
  }
  bool is_left(OpKind kind, Op op) const {
    op.kind = kind;
    return std::find(left_.begin(), left_.end(), op) != left_.end();
  }
  std::vector<Op> ready_ops() const {
    std::vector<Op> ready;
    for (const Op& op : left_) {
      if (is_ready(op)) ready.push_back(op);
    }
    return ready;
  }

  std::mt19937_64& random_;
  const Problem& problem_;
  std::vector<Op> left_;
  std::set<Made> made_;
};

/// p in 1..4, m in 1..4, one or two training steps.
inline Run random_run(std::mt19937_64& random) {
  Problem problem;
  problem.devices = static_cast<std::int32_t>(draw(random, 1, 4));
  problem.microbatches = static_cast<std::int32_t>(draw(random, 1, 4));
  problem.iterations.count = static_cast<std::int32_t>(draw(random, 1, 2));
  problem.placement = random_placement(random, problem.devices);
  problem.communication = random_communication(random, problem.devices);
  if (problem.placement.flows() == 1 && flip(random)) {
    problem.slices = static_cast<std::int32_t>(draw(random, 1, 3));
    problem.microbatches *= problem.slices;
  }
  draw_costs(random, problem);
  if (draw(random, 0, 2) == 0) draw_parking(random, problem);
  Program program = RandomProgram(random, problem).draw_program();
  return {.problem = std::move(problem), .program = std::move(program)};
}

/// The same with a microbatch or more in every flow, with reductions, optimizers and perhaps a
/// barrier at the end of each step.
inline Run random_run_with_step_ends(std::mt19937_64& random) {
  Run run = random_run(random);
  while (run.problem.microbatches < run.problem.placement.flows()) run = random_run(random);
  Iterations& iterations = run.problem.iterations;
  for (int stage = 0; stage < run.problem.stages(); ++stage) {
    iterations.grad_sync.push_back(draw_ticks(random, 4));
  }
  for (int device = 0; device < run.problem.devices; ++device) {
    iterations.optimizer.push_back(draw_ticks(random, 4));
  }
  iterations.overlap_grad_sync = flip(random);
  iterations.barrier = flip(random);
  return run;
}

}  // namespace pipesim::test
