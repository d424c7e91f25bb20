// A transformer layer under tensor, sequence and expert parallelism: the shape of every tensor on
// every rank, and what forward and backward communicate. Between blocks activations and their
// gradients are whole on every tensor-parallel rank, or with sequence parallelism split along S.
// Linear layers have no bias.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/sharded_linear.hpp"
#include "sim/sharding.hpp"

namespace pipesim {

/// How the two linear layers of an FFN are split.
struct Pairing {
  WeightSplit first = WeightSplit::column;
  WeightSplit second = WeightSplit::row;

  friend bool operator==(const Pairing&, const Pairing&) = default;
};

inline constexpr Pairing kColumnRow{WeightSplit::column, WeightSplit::row};
inline constexpr std::array kPairings = {kColumnRow, Pairing{WeightSplit::row, WeightSplit::row},
                                         Pairing{WeightSplit::column, WeightSplit::column},
                                         Pairing{WeightSplit::row, WeightSplit::column}};

/// "column/row".
std::string name(const Pairing& pairing);

/// The sizes of a layer and of the groups of ranks that share it. No size exceeds kLargestSize, and
/// tp, ep and experts do not exceed kMostRanks, so no product of theirs leaves 128 bits.
struct LayerSizes {
  std::int64_t batch = 1;   ///< B: sequences of a microbatch
  std::int64_t seq = 1;     ///< S: positions of a sequence
  std::int64_t hidden = 1;  ///< d
  std::int64_t tp = 1;      ///< tensor-parallel ranks
  Dtype dtype = Dtype::fp32;
  std::optional<std::int64_t> ffn{};       ///< f, inside the FFN; 4d if none
  std::optional<std::int64_t> heads{};     ///< a; with them there is an attention block
  std::optional<std::int64_t> kv_heads{};  ///< of keys and values; as many as heads if none
  std::optional<std::int64_t> vocab{};     ///< V; with it there are embedding and loss
  std::optional<std::int64_t> experts{};   ///< E; with them a mixture replaces the FFN
  std::optional<std::int64_t> top_k{};     ///< experts of a token; 1 if none
  std::optional<std::int64_t> ep{};        ///< expert-parallel ranks; 1 if none
  bool sequence_parallel = false;

  std::int64_t inner() const { return ffn.value_or(4 * hidden); }
};

inline constexpr std::int64_t kLargestSize = std::int64_t{1} << 24;
inline constexpr std::int64_t kMostRanks = std::int64_t{1} << 16;

/// Throws Error (bad input) with every division that leaves a remainder and every size that has no
/// meaning beside the others, each at the JSON pointer of its key.
void check(const LayerSizes& sizes, std::span<const Pairing> pairings);

// The blocks. Each requires sizes that pass check().

/// X -> Linear1 -> GeLU -> Linear2 -> Z. Each pairing with the least communication that leaves Z
/// and dL/dX as they lie between blocks.
LayerBlock ffn_block(const LayerSizes& sizes, const Pairing& pairing);

/// Heads split over the ranks (arXiv 1909.08053, section 3); fewer keys and values than ranks are
/// on several ranks each. Requires heads.
LayerBlock attention_block(const LayerSizes& sizes);

/// The rows of the table split over the ranks (arXiv 1909.08053, section 3). Requires vocab.
LayerBlock embedding_block(const LayerSizes& sizes);

/// Logits split along the vocabulary, and a cross-entropy in fp32 that never gathers them (arXiv
/// 1909.08053, section 3). Requires vocab.
LayerBlock loss_block(const LayerSizes& sizes);

/// Experts spread over the expert-parallel groups, each with a microbatch of its own; every token
/// goes to top_k of them and comes back (arXiv 2006.16668, section 3). Tensor-parallel ranks share
/// each expert, W1 by columns and W2 by rows, and gather what they received (Megatron-Core,
/// token_dispatcher.py: all-to-all over ep, all-gather over tp, reduce-scatter, all-to-all).
/// Routing is balanced: every rank sends as much to every rank. Requires experts.
LayerBlock mixture_block(const LayerSizes& sizes);

/// All blocks that the sizes ask for, in the order of the forward; an FFN for each pairing unless
/// there are experts. Throws as check().
std::vector<LayerBlock> layer_blocks(const LayerSizes& sizes, std::span<const Pairing> pairings);

}  // namespace pipesim
