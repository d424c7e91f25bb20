#include "sim/error.hpp"
#include "sim/layer_dimensions.hpp"

namespace pipesim {

namespace {

Dimension vocabulary(const LayerSizes& sizes) { return {"V", sizes.vocab.value_or(1)}; }

/// A number for every position, summed or maximised over the ranks' slices of the vocabulary.
LayerCommunication over_vocabulary(std::string tensor, std::string reason,
                                   const LayerSizes& sizes) {
  LayerCommunication added = layer_communication(
      "CrossEntropy", PassDirection::forward, Collective::all_reduce, std::move(tensor),
      Int128{sizes.batch} * sizes.seq, Dtype::fp32, sizes.tp);
  added.reason = std::move(reason);
  return added;
}

}  // namespace

LayerBlock embedding_block(const LayerSizes& sizes) {
  PIPESIM_CHECK(sizes.vocab.has_value());
  const LayerDimensions of(sizes);
  LayerBlockBuilder builder("embedding", sizes.dtype, sizes.tp);
  // A look-up is a product with one-hot rows: each rank adds zeros for the words it lacks.
  const ShardedLinear table{"Embedding",       "E",       WeightSplit::row,
                            vocabulary(sizes), of.hidden, sizes.tp};
  const TensorWay out{"X",
                      "X",
                      {of.batch, of.seq, of.hidden},
                      output_of(table),
                      between_blocks(of.between_blocks())};
  builder.add({"tokens", "input of Embedding", {of.batch, of.seq}, whole(), Bytes(8)});
  builder.add_operation("Embedding", "", "dL/dX is whole; a rank adds up the rows of its words");
  builder.add({"E", "weight of Embedding", {table.in, table.out}, split("V", sizes.tp)});
  builder.add_forward(out);
  builder.add_backward(out);
  builder.add_weight_gradient(table);
  return builder.build();
}

LayerBlock loss_block(const LayerSizes& sizes) {
  PIPESIM_CHECK(sizes.vocab.has_value());
  const LayerDimensions of(sizes);
  LayerBlockBuilder builder("loss", sizes.dtype, sizes.tp);
  const ShardedLinear logits{"Logits",          "U",     WeightSplit::column, of.hidden,
                             vocabulary(sizes), sizes.tp};
  const std::vector<Dimension> by_word = {of.batch, of.seq, logits.out};
  const TensorWay in{"X",
                     "X",
                     {of.batch, of.seq, of.hidden},
                     between_blocks(of.between_blocks()),
                     input_of(logits)};
  add_layer_norm(builder, sizes);
  builder.add_forward(in);
  builder.add_operation(logits, "X", "the logits");
  builder.add({"logits", "output of Logits", by_word, split("V", sizes.tp)});
  builder.add_operation("CrossEntropy", "",
                        "softmax minus one-hot: a rank has all it needs for its slice of V");
  builder.add(
      over_vocabulary("max of logits", "the greatest over V, so that exp cannot overflow", sizes));
  builder.add(over_vocabulary("logit of target", "one rank has it, the others add 0", sizes));
  builder.add(
      over_vocabulary("sum of exp", "sum over V, a rank has its slice of the terms", sizes));
  builder.add({"loss", "output of CrossEntropy, in fp32", {of.batch, of.seq}, whole(), Bytes(4)});
  builder.add({"dL/dlogits", "gradient of output of Logits", by_word, split("V", sizes.tp)});
  builder.add_weight_gradient(logits);
  builder.add_backward(in);
  return builder.build();
}

}  // namespace pipesim
