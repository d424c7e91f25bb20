#include "sim/layer_dimensions.hpp"

namespace pipesim {

LayerDimensions::LayerDimensions(const LayerSizes& sizes)
    : batch{"B", sizes.batch},
      seq{"S", sizes.seq},
      hidden{"d", sizes.hidden},
      ffn{"f", sizes.inner()},
      between_blocks_(sizes.sequence_parallel && sizes.tp > 1 ? split("S", sizes.tp) : whole()) {}

LayerCommunication sum_over_positions(std::string operation, std::string tensor, Int128 elements,
                                      const LayerSizes& sizes) {
  LayerCommunication added =
      layer_communication(std::move(operation), PassDirection::backward, Collective::all_reduce,
                          std::move(tensor), elements, sizes.dtype, sizes.tp);
  added.once_per_step = true;
  added.reason = "sum over S, a rank has its slice of the terms; once per step";
  return added;
}

void add_layer_norm(LayerBlockBuilder& builder, const LayerSizes& sizes) {
  const LayerDimensions of(sizes);
  builder.add_operation("LayerNorm", "each position is normalised by itself",
                        "every rank has every position and computes the same gradients");
  builder.add({"gamma,beta", "weights of LayerNorm", {{"2", 2}, of.hidden}, whole()});
  if (!sizes.sequence_parallel) return;
  builder.add(sum_over_positions("LayerNorm", "dL/dgamma,beta", Int128{2} * sizes.hidden, sizes));
}

}  // namespace pipesim
