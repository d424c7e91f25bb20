#include "sim/validate_loops.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "sim/microbatch_order.hpp"

namespace pipesim {

namespace {

/// Microbatches, half-open.
using Interval = std::pair<std::int64_t, std::int64_t>;
using Intervals = std::vector<Interval>;

/// Where a stage and a flow have ops of a kind.
using Coverage = std::map<OpClass, Intervals>;

/// In order, those that touch as one; those that overlap stay apart.
Intervals joined(Intervals intervals) {
  std::sort(intervals.begin(), intervals.end());
  Intervals result;
  for (const Interval& next : intervals) {
    if (!result.empty() && next.first == result.back().second) {
      result.back().second = next.second;
    } else {
      result.push_back(next);
    }
  }
  return result;
}

Interval flow_interval(const Problem& problem, Flow flow) {
  const bool is_last = flow.value + 1 == problem.placement.flows();
  return {problem.first_microbatch(flow).value,
          is_last ? problem.microbatches : problem.first_microbatch(Flow{1}).value};
}

bool can_exist(const Problem& problem, const OpClass& of, Device device) {
  if (of.stage < Stage{} || of.stage >= Stage{problem.stages()}) return false;
  if (problem.placement.device_of[static_cast<std::size_t>(of.flow.value)]
                                 [static_cast<std::size_t>(of.stage.value)] != device) {
    return false;
  }
  if (of.kind == OpKind::recompute) return problem.recomputes(of.stage);
  const bool is_split = of.kind == OpKind::backward_input || of.kind == OpKind::backward_weight;
  return is_compute(of.kind) &&
         (!is_split || problem.costs[static_cast<std::size_t>(of.stage.value)].weight);
}

bool add_coverage(const Problem& problem, Device device, const MicrobatchOrders& orders,
                  Coverage& coverage) {
  for (const auto& [of, order] : orders) {
    if (!can_exist(problem, of, device)) return false;
    for (const Progression& part : order) {
      if (part.count > 1 && part.stride != 1 && part.stride != -1) return false;
      const auto [low, high] = std::minmax({part.first, part.last()});
      coverage[of].emplace_back(low, high + 1);
    }
  }
  return true;
}

/// Whether the pair may overlap in every repetition: its two ops advance together.
bool is_possible(const Step& step) {
  if (!step.overlapped) return true;
  const Op& gradient = *step.overlapped;
  return step.op.kind == OpKind::forward && role(gradient.kind) == Role::gradient &&
         (gradient.stage != step.op.stage || gradient.microbatch != step.op.microbatch);
}

bool pairs_are_possible(const std::vector<Item>& items) {
  return std::all_of(items.begin(), items.end(), [](const Item& item) {
    if (const Loop* loop = std::get_if<Loop>(&item.what)) return pairs_are_possible(loop->body);
    const Step* step = std::get_if<Step>(&item.what);
    return step == nullptr || is_possible(*step);
  });
}

bool is_complete(const Problem& problem, const Coverage& coverage, Stage stage, Flow flow) {
  const auto of = [&](OpKind kind) {
    const auto found = coverage.find({kind, stage, flow});
    return found == coverage.end() ? Intervals{} : found->second;
  };
  const Interval all = flow_interval(problem, flow);
  const Intervals whole = all.first < all.second ? Intervals{all} : Intervals{};
  Intervals gradients = of(OpKind::backward);
  const Intervals inputs = of(OpKind::backward_input);
  gradients.insert(gradients.end(), inputs.begin(), inputs.end());
  return joined(of(OpKind::forward)) == whole && joined(gradients) == whole &&
         joined(of(OpKind::backward_weight)) == joined(inputs) &&
         (!problem.recomputes(stage) || joined(of(OpKind::recompute)) == whole);
}

}  // namespace

bool is_valid_by_its_loops(const Problem& problem, const Program& program) {
  if (program.lanes.size() != static_cast<std::size_t>(problem.devices)) return false;
  Coverage coverage;
  for (std::size_t device = 0; device < program.lanes.size(); ++device) {
    const auto orders = microbatch_orders(problem, program.lanes[device]);
    if (!orders || !pairs_are_possible(program.lanes[device]) ||
        !add_coverage(problem, Device{device}, *orders, coverage)) {
      return false;
    }
  }
  for (int flow = 0; flow < problem.placement.flows(); ++flow) {
    for (int stage = 0; stage < problem.stages(); ++stage) {
      if (!is_complete(problem, coverage, Stage{stage}, Flow{flow})) return false;
    }
  }
  return true;
}

}  // namespace pipesim
