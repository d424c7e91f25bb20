// What a transformer costs one device of a machine: floating-point operations, parameters, bytes
// and times of one microbatch, by part of the model. Closed formulas over exact integers; a time is
// rounded once, where operations or bytes become ticks.
//
// Sources: operations Narayanan et al. (arXiv 2104.04473, section 4.3 and appendix) and their split
// into F, B and W Zero Bubble (2401.10241, table 1); activations Korthikanti et al. (2205.05198,
// section 4, table 2).
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/amounts.hpp"
#include "sim/dtype.hpp"
#include "sim/hardware.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// What a layer computes again in its backward instead of keeping it (2205.05198, section 5).
enum class LayerRecompute : std::uint8_t {
  none,
  selective,  ///< the attention's scores, softmax, dropout and sum over values
  full        ///< everything: only the layer's input is kept
};

/// "none", "selective" or "full".
std::string_view name(LayerRecompute recompute);

/// Between the linears of the feed-forward part: gelu has one in front of it, swiglu two, a gate
/// and what passes it (arXiv 2002.05202).
enum class Activation : std::uint8_t { gelu, swiglu };
/// A layernorm has scale and shift, an rmsnorm (arXiv 1910.07467) a scale.
enum class Normalization : std::uint8_t { layernorm, rmsnorm };
/// Learned positions are a table of parameters, rotary ones (arXiv 2104.09864) have none.
enum class Positions : std::uint8_t { learned, rotary };
/// Whether linears have a bias.
enum class LinearBias : std::uint8_t { none, added };
/// Whether input and output embedding are one matrix or two.
enum class Embeddings : std::uint8_t { untied, tied };

/// "gelu" or "swiglu".
std::string_view name(Activation activation);
/// "layernorm" or "rmsnorm".
std::string_view name(Normalization normalization);
/// "learned" or "rotary".
std::string_view name(Positions positions);

/// A decoder of equal layers, by default as GPT-3, and what one microbatch of it is. Everything is
/// at least 1 and heads divides hidden.
struct Transformer {
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  ///< heads of keys and values; fewer than heads: grouped queries
  std::int64_t ffn = 0;       ///< width between the two linears of the feed-forward part
  std::int64_t vocab = 0;
  std::int64_t seq = 0;
  std::int64_t microbatch = 0;  ///< sequences
  std::int64_t experts = 1;     ///< feed-forward parts of a layer; 1: no mixture
  std::int64_t top_k = 1;       ///< of them, those that compute a token
  Activation activation = Activation::gelu;
  Normalization normalization = Normalization::layernorm;
  Positions positions = Positions::learned;
  LinearBias bias = LinearBias::added;
  Embeddings embeddings = Embeddings::tied;
  Dtype dtype = Dtype::bf16;
  LayerRecompute recompute = LayerRecompute::none;

  /// Width of keys and of values.
  std::int64_t kv_hidden() const { return hidden / heads * kv_heads; }
  Int128 tokens() const { return Int128{microbatch} * seq; }
  bool has_mixture() const { return experts > 1; }
  /// Matrices of hidden * ffn in a feed-forward part.
  Int128 ffn_matrices() const { return activation == Activation::swiglu ? 3 : 2; }

  friend bool operator==(const Transformer&, const Transformer&) = default;
};

/// How the ranks beside the pipeline share a stage. tp divides heads, kv_heads, ffn and vocab, with
/// sequence parallelism seq too; ep divides experts and dp. Experts are split over tp as a dense
/// feed-forward part is, and with tp > 1 they need sequence parallelism, so that no two ranks send
/// the same token (Megatron-Core: --expert-tensor-parallel-size is --tensor-model-parallel-size
/// unless it is given, and "sequence parallelism must be enabled").
struct ModelParallel {
  std::int32_t tp = 1;   ///< tensor parallel: ranks that share every layer
  bool sp = false;       ///< sequence parallel: they share what is between the linears too
  std::int32_t ep = 1;   ///< expert parallel: replicas that share the experts
  std::int32_t dp = 1;   ///< replicas of the whole pipeline
  Decimal tp_overlap{};  ///< fraction of the tensor-parallel communication hidden behind computing

  friend bool operator==(const ModelParallel&, const ModelParallel&) = default;
};

enum class ModelPart : std::uint8_t {
  embedding,  ///< in front of the first layer
  layer,
  head,      ///< behind the last one: norm, logits and loss
  tied_head  ///< the same on the device of an embedding whose weights it uses
};

/// Operations of one microbatch on all tp ranks together.
struct PassFlops {
  Flops forward;
  Flops input;      ///< of the gradient of the input
  Flops weight;     ///< of the gradient of the weights
  Flops recompute;  ///< again, before the gradients
};

PassFlops pass_flops(const Transformer& model, ModelPart part);

/// Of the whole part, an embedding that the head uses again counted once. All parts of a GPT:
/// 12 l h^2 (1 + 13 / 12h + (V + s) / 12lh) (2104.04473, equation 2), and the last norm's 2h that
/// the equation leaves out.
Int128 parameters(const Transformer& model, ModelPart part);

/// What one rank holds of a part.
struct RankMemory {
  Bytes weights;
  Bytes optimizer;        ///< gradients and Adam's state
  Bytes activation;       ///< of one microbatch
  Bytes kept_for_weight;  ///< of it, or in its place: what the gradient of the weights needs
};

/// A head has weights of its own, or a copy of the embedding where the two are on different
/// devices; a tied_head has its norm. Weights have the dtype, gradients and Adam's two moments 4
/// bytes, and weights that are not fp32 a copy that is: 18 bytes a parameter with 2 of weights
/// (Megatron-LM, theoretical_memory_usage.py).
RankMemory rank_memory(const Transformer& model, const ModelParallel& parallel, ModelPart part);

/// Activations of one microbatch on a rank, with another recomputation than the model's.
Bytes activation(const Transformer& model, const ModelParallel& parallel, ModelPart part,
                 LayerRecompute recompute);

/// What a rank sends to the next stage: the hidden states, with sequence parallelism its part.
Bytes message(const Transformer& model, const ModelParallel& parallel);

struct PassTimes {
  Ticks forward;
  Ticks input;  ///< recomputation included
  Ticks weight;
};

/// A pass takes as long as its operations at the achievable rate or as its least traffic with the
/// memory (weights and activations once each, gradients of weights in 4 bytes), whichever is longer
/// (roofline), plus what is not hidden of its collectives.
PassTimes pass_times(const Transformer& model, const ModelParallel& parallel,
                     const Hardware& hardware, ModelPart part);

/// The all-reduce of a part's gradients over the replicas, in 4 bytes; nothing for one replica.
Ticks gradient_sync(const Transformer& model, const ModelParallel& parallel,
                    const Hardware& hardware, ModelPart part);

}  // namespace pipesim
