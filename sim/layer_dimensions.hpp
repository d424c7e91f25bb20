// What the blocks of a layer share.
#pragma once

#include "sim/tensor_parallel.hpp"

namespace pipesim {

/// The named dimensions of a layer.
struct LayerDimensions {
  explicit LayerDimensions(const LayerSizes& sizes);

  /// How activations lie between blocks.
  TensorPlacement between_blocks() const { return between_blocks_; }

  Dimension batch;   ///< B
  Dimension seq;     ///< S
  Dimension hidden;  ///< d
  Dimension ffn;     ///< f

 private:
  TensorPlacement between_blocks_;
};

/// The LayerNorm in front of a block: scale and shift are whole on every rank, so their gradients
/// need a sum where the ranks see different positions.
void add_layer_norm(LayerBlockBuilder& builder, const LayerSizes& sizes);

/// The sum of the gradients of weights that are whole on ranks which see different positions.
LayerCommunication sum_over_positions(std::string operation, std::string tensor, Int128 elements,
                                      const LayerSizes& sizes);

}  // namespace pipesim
