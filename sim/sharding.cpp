#include "sim/sharding.hpp"

#include <utility>

#include "sim/error.hpp"

namespace pipesim {

namespace {

using Kind = TensorPlacement::Kind;

std::int64_t parts_of(const Dimension& dimension, const TensorPlacement& placement) {
  const bool is_cut = placement.kind == Kind::split && placement.dimension == dimension.name;
  return is_cut ? placement.parts : 1;
}

}  // namespace

TensorPlacement whole() { return {}; }

TensorPlacement split(std::string dimension, std::int64_t parts, std::int64_t copies) {
  return {.kind = Kind::split, .dimension = std::move(dimension), .parts = parts, .copies = copies};
}

TensorPlacement partial_sum() { return {.kind = Kind::partial_sum}; }

TensorPlacement conjugate(const TensorPlacement& placement) {
  switch (placement.kind) {
    case Kind::whole:
      return partial_sum();
    case Kind::partial_sum:
      return whole();
    case Kind::split:
      break;
  }
  return placement;
}

std::vector<std::int64_t> shape_on_rank(const Tensor& tensor) {
  std::vector<std::int64_t> shape;
  for (const Dimension& dimension : tensor.dimensions) {
    const std::int64_t parts =
        parts_of(dimension, tensor.placement) * parts_of(dimension, tensor.over_tp);
    PIPESIM_CHECK(dimension.size % parts == 0);
    shape.push_back(dimension.size / parts);
  }
  return shape;
}

Int128 elements(const Tensor& tensor) {
  Int128 product = 1;
  for (const Dimension& dimension : tensor.dimensions) product *= dimension.size;
  return product;
}

Int128 elements_on_rank(const Tensor& tensor) {
  Int128 product = 1;
  for (const std::int64_t size : shape_on_rank(tensor)) product *= size;
  return product;
}

Bytes bytes_on_rank(const Tensor& tensor, Dtype dtype) {
  return tensor.element_size.value_or(size(dtype)) * elements_on_rank(tensor);
}

Collective collective_between(const TensorPlacement& from, const TensorPlacement& to) {
  if (from == to || from.kind == Kind::whole) return Collective::none;
  PIPESIM_CHECK(to.kind != Kind::partial_sum);
  if (from.kind == Kind::partial_sum) {
    return to.kind == Kind::whole ? Collective::all_reduce : Collective::reduce_scatter;
  }
  return to.kind == Kind::whole ? Collective::all_gather : Collective::all_to_all;
}

std::string_view name(PassDirection direction) {
  return direction == PassDirection::forward ? "forward" : "backward";
}

LayerCommunication layer_communication(std::string operation, PassDirection direction,
                                       Collective collective, std::string tensor, Int128 elements,
                                       Dtype dtype, std::int64_t ranks) {
  const Bytes bytes = size(dtype) * elements;
  return {.operation = std::move(operation),
          .direction = direction,
          .collective = collective,
          .tensor = std::move(tensor),
          .ranks = ranks,
          .elements = elements,
          .bytes = bytes,
          .wire_bytes = product({bytes.count, 1}, ring_factor(collective, ranks))};
}

Ratio wire_bytes(const LayerBlock& block, PassDirection direction) {
  Ratio total{0, 1};
  for (const LayerCommunication& given : block.communications) {
    if (given.direction == direction && !given.once_per_step) total = sum(total, given.wire_bytes);
  }
  return total;
}

}  // namespace pipesim
