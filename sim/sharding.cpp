#include "sim/sharding.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sim/error.hpp"

namespace pipesim {

namespace {

using Kind = TensorPlacement::Kind;

Int128 magnitude(Int128 value) { return value < 0 ? -value : value; }

Int128 greatest_common_divisor(Int128 left, Int128 right) {
  while (right != 0) left = std::exchange(right, left % right);
  return magnitude(left);
}

Ratio reduced(Int128 numerator, Int128 denominator) {
  const Int128 divisor = greatest_common_divisor(numerator, denominator);
  return {numerator / divisor, denominator / divisor};
}

}  // namespace

std::string_view name(ElementType type) {
  constexpr std::array<std::string_view, 3> kNames = {"fp32", "bf16", "fp8"};
  return kNames[static_cast<std::size_t>(type)];
}

std::int64_t element_bytes(ElementType type) {
  constexpr std::array<std::int64_t, 3> kBytes = {4, 2, 1};
  return kBytes[static_cast<std::size_t>(type)];
}

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
    const bool is_cut =
        tensor.placement.kind == Kind::split && tensor.placement.dimension == dimension.name;
    const std::int64_t parts = is_cut ? tensor.placement.parts : 1;
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

Int128 bytes_on_rank(const Tensor& tensor, ElementType type) {
  return elements_on_rank(tensor) * tensor.element_bytes.value_or(element_bytes(type));
}

std::string_view name(Collective collective) {
  constexpr std::array<std::string_view, 5> kNames = {"none", "all-reduce", "all-gather",
                                                      "reduce-scatter", "all-to-all"};
  return kNames[static_cast<std::size_t>(collective)];
}

Collective collective_between(const TensorPlacement& from, const TensorPlacement& to) {
  if (from == to || from.kind == Kind::whole) return Collective::none;
  PIPESIM_CHECK(to.kind != Kind::partial_sum);
  if (from.kind == Kind::partial_sum) {
    return to.kind == Kind::whole ? Collective::all_reduce : Collective::reduce_scatter;
  }
  return to.kind == Kind::whole ? Collective::all_gather : Collective::all_to_all;
}

Ratio ring_factor(Collective collective, std::int64_t ranks) {
  if (collective == Collective::none) return {0, 1};
  const int rounds = collective == Collective::all_reduce ? 2 : 1;
  return reduced(Int128{rounds} * (ranks - 1), ranks);
}

std::string_view name(PassDirection direction) {
  return direction == PassDirection::forward ? "forward" : "backward";
}

LayerCommunication layer_communication(std::string operation, PassDirection direction,
                                       Collective collective, std::string tensor, Int128 elements,
                                       ElementType type, std::int64_t ranks) {
  const Int128 bytes = elements * element_bytes(type);
  return {.operation = std::move(operation),
          .direction = direction,
          .collective = collective,
          .tensor = std::move(tensor),
          .ranks = ranks,
          .elements = elements,
          .bytes = bytes,
          .wire_bytes = product({bytes, 1}, ring_factor(collective, ranks))};
}

Ratio wire_bytes(const LayerBlock& block, PassDirection direction) {
  Ratio total{0, 1};
  for (const LayerCommunication& given : block.communications) {
    if (given.direction == direction && !given.once_per_step) total = sum(total, given.wire_bytes);
  }
  return total;
}

Ratio sum(const Ratio& left, const Ratio& right) {
  return reduced(left.numerator * right.denominator + right.numerator * left.denominator,
                 left.denominator * right.denominator);
}

Ratio product(const Ratio& left, const Ratio& right) {
  return reduced(left.numerator * right.numerator, left.denominator * right.denominator);
}

}  // namespace pipesim
