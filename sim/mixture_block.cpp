#include <fmt/format.h>

#include "sim/error.hpp"
#include "sim/layer_dimensions.hpp"

namespace pipesim {

namespace {

/// The tokens of every rank, once for each of their experts, all ranks together.
Dimension copies_of_tokens(const LayerSizes& sizes) {
  const std::int64_t positions = sizes.seq / (sizes.sequence_parallel ? sizes.tp : 1);
  return {"n", sizes.batch * positions * sizes.top_k.value_or(1) * sizes.ep.value_or(1)};
}

/// Every rank sends rows of its own to every rank, equally many to each.
LayerCommunication exchange(std::string operation, PassDirection direction, std::string tensor,
                            std::string reason, const LayerSizes& sizes) {
  const std::int64_t ranks = sizes.ep.value_or(1);
  const Int128 rows = copies_of_tokens(sizes).size / ranks;
  LayerCommunication added =
      layer_communication(std::move(operation), direction, Collective::all_to_all,
                          std::move(tensor), rows * sizes.hidden, sizes.dtype, ranks);
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
  const auto balanced = [&](std::string_view what) {
    return fmt::format("{}; balanced: 1/{} of them stay", what, sizes.ep.value_or(1));
  };
  using enum PassDirection;
  builder.add(
      exchange("Dispatch", forward, "D", balanced("tokens go to their experts' ranks"), sizes));
  builder.add(exchange("Dispatch", backward, "dL/dD",
                       balanced("gradients go back to their tokens' ranks"), sizes));
  builder.add(
      exchange("Combine", forward, "R", balanced("outputs go back to their tokens' ranks"), sizes));
  builder.add(exchange("Combine", backward, "dL/dR",
                       balanced("gradients go to their experts' ranks"), sizes));
}

}  // namespace

LayerBlock mixture_block(const LayerSizes& sizes) {
  PIPESIM_CHECK(sizes.experts.has_value());
  const LayerDimensions of(sizes);
  const Dimension experts{"E", *sizes.experts};
  const Dimension rows = copies_of_tokens(sizes);
  const std::int64_t ranks = sizes.ep.value_or(1);
  const TensorPlacement by_token = split("n", ranks);
  const TensorPlacement by_expert = split("E", ranks);
  const std::string own = "an expert is whole on its rank";
  LayerBlockBuilder builder("MoE", sizes.dtype, ranks);
  if (sizes.heads) add_layer_norm(builder, sizes);
  add_router(builder, sizes);
  builder.add_operation("Dispatch", "", "");
  builder.add({"D", "input of Dispatch, by token", {rows, of.hidden}, by_token});
  builder.add({"D", "input of Linear1, by expert", {rows, of.hidden}, by_token});
  builder.add_operation("Linear1", own, own);
  builder.add({"W1", "weight of Linear1", {experts, of.hidden, of.ffn}, by_expert});
  builder.add({"Y", "output of Linear1", {rows, of.ffn}, by_token});
  builder.add_operation("Linear2", own, own);
  builder.add({"W2", "weight of Linear2", {experts, of.ffn, of.hidden}, by_expert});
  builder.add({"R", "output of Linear2, by expert", {rows, of.hidden}, by_token});
  builder.add_operation("Combine", "", "");
  builder.add({"R", "input of Combine, by token", {rows, of.hidden}, by_token});
  builder.add({"Z", "output of Combine", {of.batch, of.seq, of.hidden}, of.between_blocks()});
  add_exchanges(builder, sizes);
  return builder.build();
}

}  // namespace pipesim
