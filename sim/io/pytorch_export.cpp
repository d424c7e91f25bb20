#include "sim/io/pytorch_export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <tuple>
#include <utility>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/io/pytorch_steps.hpp"
#include "sim/parameters.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "sim/transfer_order.hpp"

namespace pipesim {

namespace {

[[noreturn]] void refuse(std::string pointer, std::string what, std::string allowed) {
  throw Error(
      Fault{.pointer = std::move(pointer), .what = std::move(what), .allowed = std::move(allowed)});
}

void require_one_copy(const Placement& placement) {
  for (std::size_t stage = 0; stage < placement.device_of.front().size(); ++stage) {
    for (const auto& flow : placement.device_of) {
      const Device first = placement.device_of.front()[stage];
      if (flow[stage] == first) continue;
      refuse("/schedule",
             fmt::format("stage {} is on devices {} and {}", stage, first.value, flow[stage].value),
             "one rank for each stage: PyTorch's files have no second copy of a stage");
    }
  }
}

bool is_pytorch_kind(OpKind kind) {
  return kind == OpKind::forward || kind == OpKind::backward || kind == OpKind::backward_input ||
         kind == OpKind::backward_weight;
}

/// The steps of every device without recomputations, of which it counts.
StepOrders steps_of(const Program& program, std::int64_t& recomputations) {
  StepOrders orders;
  orders.reserve(program.lanes.size());
  for (const LaneOrder& lane : program.lanes) {
    auto& order = orders.emplace_back();
    for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
      const Step step = cursor.step();
      if (step.op.kind == OpKind::recompute) {
        ++recomputations;
        continue;
      }
      if (!is_pytorch_kind(step.op.kind)) {
        refuse("/schedule", fmt::format("PyTorch's files have no {}", token(step.op)),
               "F, B, I and W");
      }
      order.push_back(step);
    }
  }
  return orders;
}

/// The same stages and ops, of which each takes one tick and nothing else takes any.
Problem unit_problem(const Problem& problem) {
  constexpr std::size_t kKinds = 5;
  const Ticks unit{1};
  Problem result;
  result.devices = problem.devices;
  result.microbatches = problem.microbatches;
  result.placement = problem.placement;
  const StageCosts costs{.forward = unit, .backward = unit, .weight = unit, .fused = unit};
  result.costs.assign(problem.costs.size(), costs);
  result.durations.assign(
      kKinds * problem.costs.size() * static_cast<std::size_t>(problem.microbatches), unit);
  return result;
}

/// Every step at its first unit of time.
std::vector<std::vector<PytorchCell>> laid_out(const Timeline& timeline) {
  std::vector<std::vector<PytorchCell>> ranks(timeline.devices());
  for (std::size_t device = 0; device < ranks.size(); ++device) {
    auto& row = ranks[device];
    std::for_each(timeline.begin(device), timeline.end(device), [&](const Span& span) {
      row.resize(static_cast<std::size_t>(span.start.count));
      row.push_back(pytorch_cell({.op = span.op, .overlapped = span.overlapped}));
    });
  }
  return ranks;
}

/// One rank's steps, and what PyTorch puts between them that is neither op nor transfer.
class RankLowering {
 public:
  RankLowering(const std::vector<Step>& steps, std::int32_t microbatches)
      : steps_(steps), backwards_left_(microbatches) {
    for (std::size_t index = 0; index < steps.size(); ++index) {
      uses_[steps[index].op.stage].push_back(index);
      if (const auto& second = steps[index].overlapped) uses_[second->stage].push_back(index);
    }
  }

  std::vector<PytorchCell> cells() {
    for (std::size_t index = 0; index < steps_.size(); ++index) {
      const Step& step = steps_[index];
      gather(next_stages(index));
      cells_.push_back(pytorch_cell(step));
      count_backward(step.op);
      if (step.overlapped) count_backward(*step.overlapped);
    }
    gather({});
    return std::move(cells_);
  }

 private:
  /// The next three stages that a rank uses, in that order.
  std::vector<Stage> next_stages(std::size_t index) {
    constexpr std::size_t kGathered = 3;
    using Use = std::tuple<std::size_t, bool, Stage>;  // where, second of a pair, which
    std::vector<Use> uses;
    for (auto& [stage, indices] : uses_) {
      while (!indices.empty() && indices.front() < index) indices.pop_front();
      if (indices.empty()) continue;
      const std::size_t next = indices.front();
      uses.emplace_back(next, stage != steps_[next].op.stage, stage);
    }
    std::sort(uses.begin(), uses.end());
    std::vector<Stage> stages;
    for (const Use& use : uses) {
      if (stages.size() < kGathered) stages.push_back(std::get<Stage>(use));
    }
    return stages;
  }

  void gather(const std::vector<Stage>& wanted) {
    const auto is_in = [](const std::vector<Stage>& stages, Stage stage) {
      return std::find(stages.begin(), stages.end(), stage) != stages.end();
    };
    for (const Stage stage : gathered_) {
      if (!is_in(wanted, stage)) add(PytorchActionKind::reshard, stage);
    }
    std::erase_if(gathered_, [&](Stage stage) { return !is_in(wanted, stage); });
    for (const Stage stage : wanted) {
      if (is_in(gathered_, stage)) continue;
      add(PytorchActionKind::unshard, stage);
      gathered_.insert(std::upper_bound(gathered_.begin(), gathered_.end(), stage), stage);
    }
  }

  void count_backward(const Op& op) {
    if (op.kind != OpKind::backward && op.kind != OpKind::backward_weight) return;
    const auto left = backwards_left_by_stage_.try_emplace(op.stage, backwards_left_).first;
    if (--left->second == 0) add(PytorchActionKind::reduce_grad, op.stage);
  }

  void add(PytorchActionKind kind, Stage stage) {
    cells_.push_back({.action = PytorchAction{.kind = kind, .stage = stage}});
  }

  const std::vector<Step>& steps_;
  std::int32_t backwards_left_;
  std::map<Stage, std::deque<std::size_t>> uses_;  // where each stage is used from here on
  std::map<Stage, std::int32_t> backwards_left_by_stage_;
  std::vector<Stage> gathered_;  // in the order of the stages
  std::vector<PytorchCell> cells_;
};

/// The turns of the eager rule: a step, or what takes a turn without being one.
std::vector<Action> turns_of(const std::vector<PytorchCell>& cells,
                             const std::vector<Step>& steps) {
  std::vector<Action> turns;
  turns.reserve(cells.size());
  std::size_t next = 0;
  for (const PytorchCell& cell : cells) {
    const bool is_step = cell.action && computes(cell.action->kind);
    turns.push_back({.kind = is_step ? Action::Kind::compute : Action::Kind::other,
                     .step = is_step ? steps[next++] : Step{},
                     .send = {}});
  }
  return turns;
}

PytorchCell communication_cell(const Action& action) {
  const Op& send = action.send;
  const bool is_forward = send.kind == OpKind::send_forward;
  PytorchAction cell{
      .kind = is_forward ? PytorchActionKind::send_forward : PytorchActionKind::send_backward,
      .stage = send.stage,
      .microbatch = send.microbatch};
  if (action.kind == Action::Kind::receive) {
    cell.kind =
        is_forward ? PytorchActionKind::receive_forward : PytorchActionKind::receive_backward;
    cell.stage = Stage{send.stage.value + (is_forward ? 1 : -1)};
  }
  return {.action = cell};
}

/// Every action in order, communication where the eager rule posts it.
std::vector<std::vector<PytorchCell>> lowered(const Problem& problem, const StepOrders& orders) {
  std::vector<std::vector<PytorchCell>> cells;
  std::vector<std::vector<Action>> turns;
  for (const std::vector<Step>& steps : orders) {
    cells.push_back(RankLowering(steps, problem.microbatches).cells());
    turns.push_back(turns_of(cells.back(), steps));
  }
  std::vector<std::vector<PytorchCell>> ranks;
  for (const std::vector<Action>& actions : post_eagerly(problem, turns)) {
    // Steps and the like come back as they were given, in their order.
    auto given = cells[ranks.size()].cbegin();
    auto& row = ranks.emplace_back();
    for (const Action& action : actions) {
      const bool is_transfer =
          action.kind == Action::Kind::send || action.kind == Action::Kind::receive;
      row.push_back(is_transfer ? communication_cell(action) : *given++);
    }
  }
  return ranks;
}

}  // namespace

PytorchExport export_pytorch(const Problem& problem, const Program& program, PytorchFormat format) {
  require_one_copy(problem.placement);
  if (problem.slices > 1) {
    refuse("/schedule", fmt::format("PyTorch's files have no slices, here {}", problem.slices),
           "whole microbatches");
  }
  if (problem.iterations.joined > 1) {
    refuse("/iterations/flush", "steps without a flush between them",
           "true: PyTorch flushes at the end of each step");
  }
  std::int64_t recomputations = 0;
  const StepOrders orders = steps_of(program, recomputations);
  const Problem unit = unit_problem(problem);
  // Also where the layout is not asked for: it finds the deadlocks.
  const Timeline timeline = simulate(TaskGraph(unit, unrolled(orders)));
  PytorchExport result;
  result.file.ranks =
      format == PytorchFormat::compute_only ? laid_out(timeline) : lowered(unit, orders);
  if (recomputations > 0) {
    result.notes.push_back(
        fmt::format("{} recomputations are not in the file: PyTorch recomputes inside the backward",
                    recomputations));
  }
  return result;
}

}  // namespace pipesim
