// Linear layers whose weight is split over ranks, and what stands between two of them. A part of a
// layer is a chain of tensors: each is computed in one placement and taken in another, and the
// difference is the communication. The backward runs the same chain in the conjugate placements,
// as the conjugate operators f and g of Megatron-LM (arXiv 1909.08053, section 3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/sharding.hpp"

namespace pipesim {

/// Along which dimension of W in Y = X W the weight is split.
enum class WeightSplit : std::uint8_t {
  column,  ///< the output dimension: takes X whole, gives a slice of Y
  row      ///< the input dimension: takes a slice of X, gives a term of the sum Y
};

/// Y[..., out] = X[..., in] W[in, out], the weight split over `ranks`.
struct ShardedLinear {
  std::string name;
  std::string weight;
  WeightSplit split = WeightSplit::column;
  Dimension in{};
  Dimension out{};
  std::int64_t ranks = 1;
};

/// One end of the way of a tensor: how it is computed or taken there.
struct TensorEnd {
  std::string operation{};      ///< "" where the block begins or ends
  TensorPlacement placement{};  ///< of the tensor
  TensorPlacement gradient{};   ///< of its gradient, in the backward of the same operation
  std::string summed_over{};    ///< the dimension of the sum where one of them is a partial sum
};

TensorEnd input_of(const ShardedLinear& linear);
TensorEnd output_of(const ShardedLinear& linear);
/// Between blocks a tensor and its gradient lie alike.
TensorEnd between_blocks(const TensorPlacement& placement);

/// A tensor on its way from where it is computed to where it is taken. Between the two an
/// element-wise function may give it another name.
struct TensorWay {
  std::string computed;  ///< its name before the function
  std::string taken;     ///< and after it
  std::vector<Dimension> dimensions{};
  TensorEnd from{};
  TensorEnd to{};
  std::string function{};  ///< that is not linear, so that partial sums cannot pass it; "" if none
};

/// Collects the tensors and the communication of a block.
class LayerBlockBuilder {
 public:
  LayerBlockBuilder(std::string name, Dtype dtype, std::int64_t ranks);

  void add(Tensor tensor) { block_.tensors.push_back(std::move(tensor)); }
  void add(LayerCommunication communication);
  /// An operation with the reasons why it needs no communication, for where it needs none. The
  /// operations appear in the order in which they are added.
  void add_operation(std::string operation, std::string no_forward, std::string no_backward);
  /// A linear layer that computes `output` from `input`, with its weight.
  void add_operation(const ShardedLinear& linear, const std::string& input,
                     const std::string& output);
  void add_forward(const TensorWay& way);
  void add_backward(const TensorWay& way);
  void add_weight_gradient(const ShardedLinear& linear);

  /// The communication by operation and direction, with a line wherever there is none.
  LayerBlock build() const;

 private:
  struct Operation {
    std::string name;
    std::string no_forward;
    std::string no_backward;
  };

  void add_tensor(std::string name, std::string role, const std::vector<Dimension>& dimensions,
                  const TensorPlacement& placement);
  void add_way(const TensorWay& way, PassDirection direction);

  LayerBlock block_;
  Dtype dtype_;
  std::int64_t ranks_;
  std::vector<Operation> operations_{};
};

}  // namespace pipesim
