#include "sim/tensor_parallel.hpp"

#include <fmt/format.h>

#include "sim/layer_dimensions.hpp"

namespace pipesim {

std::string name(const Pairing& pairing) {
  const auto text = [](WeightSplit split) {
    return split == WeightSplit::column ? "column" : "row";
  };
  return fmt::format("{}/{}", text(pairing.first), text(pairing.second));
}

LayerBlock ffn_block(const LayerSizes& sizes, const Pairing& pairing) {
  const LayerDimensions of(sizes);
  LayerBlockBuilder builder("FFN " + name(pairing), sizes.dtype, sizes.tp);
  const ShardedLinear first{"Linear1", "W1", pairing.first, of.hidden, of.ffn, sizes.tp};
  const ShardedLinear second{"Linear2", "W2", pairing.second, of.ffn, of.hidden, sizes.tp};
  const TensorEnd outside = between_blocks(of.between_blocks());
  const TensorWay in{"X", "X", {of.batch, of.seq, of.hidden}, outside, input_of(first)};
  const TensorWay middle{"Y",   "A", {of.batch, of.seq, of.ffn}, output_of(first), input_of(second),
                         "GeLU"};
  const TensorWay out{"Z", "Z", {of.batch, of.seq, of.hidden}, output_of(second), outside};
  if (sizes.heads) add_layer_norm(builder, sizes);
  builder.add_forward(in);
  builder.add_operation(first, "X", "Y");
  builder.add_forward(middle);
  builder.add_operation(second, "A", "Z");
  builder.add_forward(out);
  builder.add_backward(out);
  builder.add_weight_gradient(second);
  builder.add_backward(middle);
  builder.add_weight_gradient(first);
  builder.add_backward(in);
  return builder.build();
}

std::vector<LayerBlock> layer_blocks(const LayerSizes& sizes, std::span<const Pairing> pairings) {
  check(sizes, pairings);
  std::vector<LayerBlock> blocks;
  if (sizes.vocab) blocks.push_back(embedding_block(sizes));
  if (sizes.heads) blocks.push_back(attention_block(sizes));
  if (sizes.experts) {
    blocks.push_back(mixture_block(sizes));
  } else {
    for (const Pairing& pairing : pairings) blocks.push_back(ffn_block(sizes, pairing));
  }
  if (sizes.vocab) blocks.push_back(loss_block(sizes));
  return blocks;
}

}  // namespace pipesim
