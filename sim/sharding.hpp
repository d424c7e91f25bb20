// Tensors that lie over several ranks, and the collectives that change how they lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/collective.hpp"
#include "sim/dtype.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// A named dimension of a tensor, such as S, the positions of a sequence.
struct Dimension {
  std::string name;
  std::int64_t size = 1;

  friend bool operator==(const Dimension&, const Dimension&) = default;
};

/// What each rank of a group has of a tensor.
struct TensorPlacement {
  enum class Kind : std::uint8_t {
    whole,       ///< every rank has all of it
    split,       ///< cut along a dimension into equal parts; rank r has part r / copies
    partial_sum  ///< every rank has one term of its full shape; the tensor is their sum
  };

  Kind kind = Kind::whole;
  std::string dimension{};  ///< of a split
  std::int64_t parts = 1;   ///< of a split
  std::int64_t copies = 1;  ///< of each part, on as many ranks

  friend bool operator==(const TensorPlacement&, const TensorPlacement&) = default;
};

TensorPlacement whole();
TensorPlacement split(std::string dimension, std::int64_t parts, std::int64_t copies = 1);
TensorPlacement partial_sum();

/// How the gradient of a tensor comes out of the backward of an operation that takes the tensor so,
/// and how the gradient must lie for the backward of one that computes the tensor so: whole and
/// partial sum change places, a split stays.
TensorPlacement conjugate(const TensorPlacement& placement);

struct Tensor {
  std::string name;
  std::string role{};  ///< "input of Linear1"
  std::vector<Dimension> dimensions{};
  TensorPlacement placement{};
  /// If it is not that of the layer's dtype: 8 for indices of words, 4 for a loss in fp32.
  std::optional<Bytes> element_size{};
  /// Where `placement` is over the expert-parallel ranks: how each part lies over the
  /// tensor-parallel ones.
  TensorPlacement over_tp{};
};

/// Requires that the parts of a split divide its dimension, those of both splits if there are two.
std::vector<std::int64_t> shape_on_rank(const Tensor& tensor);
Int128 elements(const Tensor& tensor);
Int128 elements_on_rank(const Tensor& tensor);
Bytes bytes_on_rank(const Tensor& tensor, Dtype dtype);

/// What brings a tensor from one placement to another over the same ranks. What is whole needs
/// none to be split: each rank takes its part. Nothing brings a tensor to a partial sum; then and
/// from one split to a different number of parts it is undefined.
Collective collective_between(const TensorPlacement& from, const TensorPlacement& to);

enum class PassDirection : std::uint8_t { forward, backward };

/// "forward" or "backward".
std::string_view name(PassDirection direction);

/// One collective, or none, of an operation in one direction.
struct LayerCommunication {
  std::string operation;
  PassDirection direction = PassDirection::forward;
  Collective collective = Collective::none;
  std::string tensor{};    ///< "" if there is none
  std::int64_t ranks = 1;  ///< of the group
  Int128 elements = 0;     ///< of a rank's buffer: the larger of what goes in and what comes out
  Bytes bytes{};           ///< of that buffer
  Ratio wire_bytes{0, 1};  ///< that each rank sends: bytes * ring_factor
  bool once_per_step = false;  ///< and not for every microbatch
  std::string reason{};
};

/// The collective on a tensor of so many elements, as `elements` of LayerCommunication counts.
LayerCommunication layer_communication(std::string operation, PassDirection direction,
                                       Collective collective, std::string tensor, Int128 elements,
                                       Dtype dtype, std::int64_t ranks);

/// A part of a layer: its tensors in the order of forward and backward, and what is communicated.
struct LayerBlock {
  std::string name;
  std::vector<Tensor> tensors{};
  std::vector<LayerCommunication> communications{};
};

/// What a rank sends in one direction for one microbatch.
Ratio wire_bytes(const LayerBlock& block, PassDirection direction);

}  // namespace pipesim
