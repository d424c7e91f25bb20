#include <fmt/format.h>

#include "sim/error.hpp"
#include "sim/layer_dimensions.hpp"

namespace pipesim {

namespace {

/// The tokens of all expert-parallel groups of ranks, once for each of their experts.
Dimension copies_of_tokens(const LayerSizes& sizes) {
  return {"n", sizes.batch * sizes.seq * sizes.top_k.value_or(1) * sizes.ep.value_or(1)};
}

/// A collective on the rows that a rank has before it or after it, whichever are more.
LayerCommunication exchange(std::string operation, PassDirection direction, Collective collective,
                            std::string tensor, std::string reason, const LayerSizes& sizes) {
  const std::int64_t ep = sizes.ep.value_or(1);
  const bool is_over_ep = collective == Collective::all_to_all;
  const Int128 rows = copies_of_tokens(sizes).size / ep / (is_over_ep ? sizes.tp : 1);
  LayerCommunication added =
      layer_communication(std::move(operation), direction, collective, std::move(tensor),
                          rows * sizes.hidden, sizes.dtype, is_over_ep ? ep : sizes.tp);
  added.reason = std::move(reason);
  return added;
}

void add_router(LayerBlockBuilder& builder, const LayerSizes& sizes) {
  const LayerDimensions of(sizes);
  const Dimension experts{"E", sizes.experts.value_or(1)};
  builder.add_operation("Router", "each token is scored by itself, by weights whole on every rank",
                        "its weights are whole on every rank, like those of a LayerNorm");
  builder.add({"X", "input of Router", {of.batch, of.seq, of.hidden}, of.between_blocks()});
  builder.add({"Wr", "weight of Router", {of.hidden, experts}, whole()});
  builder.add({"scores", "output of Router", {of.batch, of.seq, experts}, of.between_blocks()});
  if (!sizes.sequence_parallel || sizes.tp == 1) return;
  builder.add(sum_over_positions("Router", "dL/dWr", Int128{sizes.hidden} * experts.size, sizes));
}

void add_exchanges(LayerBlockBuilder& builder, const LayerSizes& sizes) {
  const auto add = [&](std::string operation, PassDirection direction, Collective collective,
                       std::string tensor, std::string reason) {
    builder.add(exchange(std::move(operation), direction, collective, std::move(tensor),
                         std::move(reason), sizes));
  };
  const auto balanced = [&](std::string_view what) {
    return fmt::format("{}; balanced: 1/{} of them stay", what, sizes.ep.value_or(1));
  };
  using enum PassDirection;
  using enum Collective;
  add("Dispatch", forward, all_to_all, "D", balanced("tokens go to their experts' ranks"));
  add("Linear1", forward, all_gather, "D",
      "a rank received its positions' tokens; its W1 takes those of all positions");
  add("Linear2", forward, reduce_scatter, "R",
      "sum over f, a rank has its slice of the terms; Combine takes only its own positions");
  add("Combine", forward, all_to_all, "R", balanced("outputs go back to their tokens' ranks"));
  add("Combine", backward, all_to_all, "dL/dR", balanced("gradients go to their experts' ranks"));
  add("Linear2", backward, all_gather, "dL/dR",
      "a rank received its positions' gradients; its W2 takes those of all positions");
  add("Linear1", backward, reduce_scatter, "dL/dD",
      "sum over f, a rank has its slice of the terms; Dispatch takes only its own positions");
  add("Dispatch", backward, all_to_all, "dL/dD",
      balanced("gradients go back to their tokens' ranks"));
}

}  // namespace

LayerBlock mixture_block(const LayerSizes& sizes) {
  PIPESIM_CHECK(sizes.experts.has_value());
  const LayerDimensions of(sizes);
  const Dimension experts{"E", *sizes.experts};
  const Dimension rows = copies_of_tokens(sizes);
  const std::int64_t ep = sizes.ep.value_or(1);
  const TensorPlacement by_token = split("n", ep);
  const TensorPlacement by_expert = split("E", ep);
  const auto over_tp = [&](std::string dimension) {
    return sizes.tp == 1 ? whole() : split(std::move(dimension), sizes.tp);
  };
  const TensorPlacement term = sizes.tp == 1 ? whole() : partial_sum();
  const auto add = [&](LayerBlockBuilder& builder, std::string name, std::string role,
                       std::vector<Dimension> dimensions, const TensorPlacement& placement,
                       const TensorPlacement& within) {
    builder.add({.name = std::move(name),
                 .role = std::move(role),
                 .dimensions = std::move(dimensions),
                 .placement = placement,
                 .over_tp = within});
  };
  const std::string own = "an expert is whole on its rank";
  const std::string here = "a rank has every expert";
  LayerBlockBuilder builder("MoE", sizes.dtype, ep * sizes.tp);
  if (sizes.heads) add_layer_norm(builder, sizes);
  add_router(builder, sizes);
  builder.add_operation("Dispatch", here, here);
  add(builder, "D", "input of Dispatch, by token", {rows, of.hidden}, by_token, over_tp("n"));
  add(builder, "D", "output of Dispatch, by expert", {rows, of.hidden}, by_token, over_tp("n"));
  if (sizes.tp > 1) add(builder, "D", "input of Linear1", {rows, of.hidden}, by_token, whole());
  builder.add_operation("Linear1", own, own);
  add(builder, "W1", "weight of Linear1", {experts, of.hidden, of.ffn}, by_expert, over_tp("f"));
  add(builder, "Y", "output of Linear1", {rows, of.ffn}, by_token, over_tp("f"));
  builder.add_operation("Linear2", own, own);
  add(builder, "W2", "weight of Linear2", {experts, of.ffn, of.hidden}, by_expert, over_tp("f"));
  add(builder, "R", "output of Linear2, by expert", {rows, of.hidden}, by_token, term);
  builder.add_operation("Combine", here, here);
  add(builder, "R", "input of Combine, by token", {rows, of.hidden}, by_token, over_tp("n"));
  builder.add({"Z", "output of Combine", {of.batch, of.seq, of.hidden}, of.between_blocks()});
  add(builder, "dL/dR", "gradient of output of Linear2", {rows, of.hidden}, by_token, whole());
  add(builder, "dL/dW2", "gradient of W2", {experts, of.ffn, of.hidden}, by_expert, over_tp("f"));
  add(builder, "dL/dY", "gradient of output of Linear1", {rows, of.ffn}, by_token, over_tp("f"));
  add(builder, "dL/dW1", "gradient of W1", {experts, of.hidden, of.ffn}, by_expert, over_tp("f"));
  add(builder, "dL/dD", "gradient of input of Linear1", {rows, of.hidden}, by_token, term);
  add_exchanges(builder, sizes);
  return builder.build();
}

}  // namespace pipesim
