#include "sim/sharded_linear.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pipesim {

namespace {

using Kind = TensorPlacement::Kind;

Int128 elements_of(const std::vector<Dimension>& dimensions) {
  return elements(Tensor{.name = "", .dimensions = dimensions});
}

TensorPlacement placement_of_weight(const ShardedLinear& linear) {
  return split(linear.split == WeightSplit::column ? linear.out.name : linear.in.name,
               linear.ranks);
}

/// A tensor that passes from one operation to the next, in either direction.
struct Passage {
  std::string computed;
  std::string taken;
  TensorPlacement from;
  TensorPlacement to;
  std::string computed_by;
  std::string taken_by;
  std::string taken_for;  // the same, or the block beside
  std::string summed_over;
  std::string function;
};

std::string or_block(const std::string& operation, std::string_view block) {
  return operation.empty() ? std::string(block) : operation;
}

Passage passage(const TensorWay& way, PassDirection direction) {
  if (direction == PassDirection::forward) {
    return {way.computed,
            way.taken,
            way.from.placement,
            way.to.placement,
            way.from.operation,
            way.to.operation,
            or_block(way.to.operation, "the next block"),
            way.from.summed_over,
            way.function};
  }
  // The backward of the function multiplies by its derivative, so sums may pass it.
  return {"dL/d" + way.taken,
          "dL/d" + way.computed,
          way.to.gradient,
          way.from.gradient,
          way.to.operation,
          way.from.operation,
          or_block(way.from.operation, "the block before"),
          way.to.summed_over,
          ""};
}

std::string reason(const Passage& way) {
  const std::string slice = fmt::format("a slice of {}", way.to.dimension);
  if (way.from.kind == Kind::split) {
    return fmt::format("a rank has its slice of {}; {} takes {}", way.from.dimension, way.taken_for,
                       way.to.kind == Kind::whole ? "all of it" : slice);
  }
  std::string text = fmt::format("sum over {}, a rank has its slice of the terms", way.summed_over);
  if (!way.function.empty()) text += fmt::format("; due before {}, not linear", way.function);
  if (way.to.kind == Kind::split) {
    text += fmt::format("; {} takes only {}", way.taken_for, slice);
  }
  return text;
}

}  // namespace

TensorEnd input_of(const ShardedLinear& linear) {
  if (linear.ranks == 1) return {linear.name, whole(), whole()};
  const TensorPlacement placement =
      linear.split == WeightSplit::column ? whole() : split(linear.in.name, linear.ranks);
  return {linear.name, placement, conjugate(placement), linear.out.name};
}

TensorEnd output_of(const ShardedLinear& linear) {
  if (linear.ranks == 1) return {linear.name, whole(), whole()};
  const TensorPlacement placement =
      linear.split == WeightSplit::column ? split(linear.out.name, linear.ranks) : partial_sum();
  return {linear.name, placement, conjugate(placement), linear.in.name};
}

TensorEnd between_blocks(const TensorPlacement& placement) { return {"", placement, placement}; }

LayerBlockBuilder::LayerBlockBuilder(std::string name, Dtype dtype, std::int64_t ranks)
    : block_{.name = std::move(name)}, dtype_(dtype), ranks_(ranks) {}

void LayerBlockBuilder::add(LayerCommunication communication) {
  if (communication.ranks > 1) block_.communications.push_back(std::move(communication));
}

void LayerBlockBuilder::add_operation(std::string operation, std::string no_forward,
                                      std::string no_backward) {
  operations_.push_back({std::move(operation), std::move(no_forward), std::move(no_backward)});
}

void LayerBlockBuilder::add_operation(const ShardedLinear& linear, const std::string& input,
                                      const std::string& output) {
  add_operation(
      linear.name,
      fmt::format("{} is whole; a rank's {} gives its slice of {}", input, linear.weight, output),
      fmt::format("dL/d{} is whole; a rank's {} gives its slice of dL/d{}", output, linear.weight,
                  input));
  add_tensor(linear.weight, "weight of " + linear.name, {linear.in, linear.out},
             placement_of_weight(linear));
}

void LayerBlockBuilder::add_weight_gradient(const ShardedLinear& linear) {
  add_tensor("dL/d" + linear.weight, "gradient of " + linear.weight, {linear.in, linear.out},
             placement_of_weight(linear));
}

void LayerBlockBuilder::add_tensor(std::string name, std::string role,
                                   const std::vector<Dimension>& dimensions,
                                   const TensorPlacement& placement) {
  add({std::move(name), std::move(role), dimensions, placement});
}

void LayerBlockBuilder::add_forward(const TensorWay& way) { add_way(way, PassDirection::forward); }

void LayerBlockBuilder::add_backward(const TensorWay& way) {
  add_way(way, PassDirection::backward);
  const bool gathered =
      collective_between(way.from.placement, way.to.placement) == Collective::all_gather;
  if (!way.from.operation.empty() || !gathered) return;
  // arXiv 2205.05198, section 4.2.2: a rank keeps its slice only and gathers a second time.
  LayerCommunication again =
      layer_communication(way.to.operation, PassDirection::backward, Collective::all_gather,
                          way.taken, elements_of(way.dimensions), dtype_, ranks_);
  again.reason = fmt::format("for the gradient of the weight: only a slice of {} was kept",
                             way.from.placement.dimension);
  add(std::move(again));
}

void LayerBlockBuilder::add_way(const TensorWay& given, PassDirection direction) {
  const Passage way = passage(given, direction);
  const bool is_forward = direction == PassDirection::forward;
  const auto role = [&](const std::string& operation, bool computed) {
    if (operation.empty()) return std::string("between blocks");
    // The backward of an operation takes the gradient of its output.
    const bool is_output = computed == is_forward;
    return fmt::format("{}{} of {}", is_forward ? "" : "gradient of ",
                       is_output ? "output" : "input", operation);
  };
  const bool is_the_same = way.computed == way.taken && way.from == way.to;
  if (!is_the_same || !way.computed_by.empty()) {
    add_tensor(way.computed, role(way.computed_by, true), given.dimensions, way.from);
  }
  if (!is_the_same || way.computed_by.empty()) {
    const std::string value =
        way.function.empty() ? "" : fmt::format("{}({}), ", way.function, way.computed);
    add_tensor(way.taken, value + role(way.taken_by, false), given.dimensions, way.to);
  }
  const Collective collective = collective_between(way.from, way.to);
  if (collective == Collective::none) return;
  const bool is_reduction = way.from.kind == Kind::partial_sum;
  const bool by_computing = is_reduction || way.taken_by.empty();
  const Int128 parts = collective == Collective::all_to_all ? ranks_ : 1;
  LayerCommunication added =
      layer_communication(by_computing ? way.computed_by : way.taken_by, direction, collective,
                          is_reduction ? way.computed : way.taken,
                          elements_of(given.dimensions) / parts, dtype_, ranks_);
  added.reason = reason(way);
  add(std::move(added));
}

LayerBlock LayerBlockBuilder::build() const {
  LayerBlock block{.name = block_.name, .tensors = block_.tensors};
  for (const Operation& operation : operations_) {
    for (const PassDirection direction : {PassDirection::forward, PassDirection::backward}) {
      const std::size_t before = block.communications.size();
      for (const LayerCommunication& given : block_.communications) {
        if (given.operation == operation.name && given.direction == direction) {
          block.communications.push_back(given);
        }
      }
      if (block.communications.size() > before) continue;
      const std::string& reason =
          direction == PassDirection::forward ? operation.no_forward : operation.no_backward;
      block.communications.push_back({.operation = operation.name,
                                      .direction = direction,
                                      .ranks = ranks_,
                                      .reason = ranks_ > 1 ? reason : "one rank has everything"});
    }
  }
  return block;
}

}  // namespace pipesim
