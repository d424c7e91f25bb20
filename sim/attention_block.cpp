#include <fmt/format.h>

#include <algorithm>

#include "sim/error.hpp"
#include "sim/layer_dimensions.hpp"

namespace pipesim {

namespace {

/// Queries of all heads, and keys or values of all heads that they share.
struct Heads {
  explicit Heads(const LayerSizes& sizes)
      : heads(sizes.heads.value_or(1)),
        kv_heads(sizes.kv_heads.value_or(heads)),
        head_size(sizes.hidden / heads),
        kv_parts(std::min(kv_heads, sizes.tp)),
        kv_copies(sizes.tp / kv_parts) {}

  Dimension queries() const { return {"a*h", heads * head_size}; }
  Dimension keys() const { return {"g*h", kv_heads * head_size}; }

  TensorPlacement placement_of_keys() const { return split("g*h", kv_parts, kv_copies); }

  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_size;
  std::int64_t kv_parts;
  std::int64_t kv_copies;  // of every key and value head
};

void add_keys_and_values(LayerBlockBuilder& builder, const LayerSizes& sizes, const Heads& heads) {
  const LayerDimensions of(sizes);
  const TensorPlacement placement = heads.placement_of_keys();
  for (const std::string which : {"k", "v"}) {
    builder.add({"W" + which, "weight of QKV", {of.hidden, heads.keys()}, placement});
  }
  builder.add({"Q", "output of QKV", {of.batch, of.seq, heads.queries()}, split("a*h", sizes.tp)});
  for (const std::string which : {"K", "V"}) {
    builder.add({which, "output of QKV", {of.batch, of.seq, heads.keys()}, placement});
  }
  if (heads.kv_copies == 1) return;
  LayerCommunication added =
      layer_communication("QKV", PassDirection::backward, Collective::all_reduce, "dL/dWk,dL/dWv",
                          Int128{2} * sizes.hidden * heads.head_size, sizes.dtype, heads.kv_copies);
  added.once_per_step = true;
  added.reason =
      fmt::format("{} ranks share a key head, a rank has the terms of its queries; once per step",
                  heads.kv_copies);
  builder.add(std::move(added));
}

}  // namespace

LayerBlock attention_block(const LayerSizes& sizes) {
  PIPESIM_CHECK(sizes.heads.has_value());
  const LayerDimensions of(sizes);
  const Heads heads(sizes);
  LayerBlockBuilder builder("attention", sizes.dtype, sizes.tp);
  const ShardedLinear queries{"QKV",           "Wq",    WeightSplit::column, of.hidden,
                              heads.queries(), sizes.tp};
  const ShardedLinear projection{"Linear",        "Wo",      WeightSplit::row,
                                 heads.queries(), of.hidden, sizes.tp};
  const TensorEnd outside = between_blocks(of.between_blocks());
  const TensorWay in{"X", "X", {of.batch, of.seq, of.hidden}, outside, input_of(queries)};
  const TensorWay out{"O", "O", {of.batch, of.seq, of.hidden}, output_of(projection), outside};
  const std::vector<Dimension> contexts = {of.batch, of.seq, heads.queries()};
  add_layer_norm(builder, sizes);
  builder.add_forward(in);
  builder.add_operation(queries, "X", "Q, K and V");
  add_keys_and_values(builder, sizes, heads);
  builder.add_operation("softmax(QK)V", "a head needs no other head", "a head needs no other head");
  builder.add({"scores",
               "in softmax(QK)V",
               {of.batch, {"a", heads.heads}, of.seq, {"S'", sizes.seq}},
               split("a", sizes.tp)});
  builder.add({"C", "input of Linear", contexts, split("a*h", sizes.tp)});
  builder.add_operation(projection, "C", "O");
  builder.add_forward(out);
  builder.add_backward(out);
  builder.add_weight_gradient(projection);
  builder.add({"dL/dC", "gradient of input of Linear", contexts, split("a*h", sizes.tp)});
  builder.add_weight_gradient(queries);
  for (const std::string which : {"k", "v"}) {
    builder.add({"dL/dW" + which,
                 "gradient of W" + which + (heads.kv_copies > 1 ? ", summed once per step" : ""),
                 {of.hidden, heads.keys()},
                 heads.placement_of_keys()});
  }
  builder.add_backward(in);
  return builder.build();
}

}  // namespace pipesim
