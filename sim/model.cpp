#include "sim/model.hpp"

#include <algorithm>

namespace pipesim {

namespace {

constexpr Int128 kGradient = 4;  // bytes of a gradient of a weight

/// The rest of a time of which a fraction is hidden.
Ticks exposed(Ticks time, Decimal hidden) {
  return scaled(time, Decimal{Decimal::kOne - hidden.billionths});
}

/// Parameters by whether tensor parallelism splits them.
struct SharedParameters {
  Int128 split;
  Int128 replicated;

  Int128 on_rank(const ModelParallel& parallel) const { return split / parallel.tp + replicated; }
};

Int128 biases(const Transformer& model, Int128 count) {
  return model.bias == LinearBias::added ? count : Int128{0};
}

Int128 norm(const Transformer& model) {
  return Int128{model.hidden} * (model.normalization == Normalization::layernorm ? 2 : 1);
}

/// Of one feed-forward part; the bias behind the last linear is on every rank.
SharedParameters feed_forward(const Transformer& model) {
  const Int128 h = model.hidden;
  const Int128 f = model.ffn;
  const Int128 matrices = model.ffn_matrices();
  return {.split = matrices * h * f + biases(model, (matrices - 1) * f),
          .replicated = biases(model, h)};
}

/// Of the attention part and of both norms of a layer.
SharedParameters attention(const Transformer& model) {
  const Int128 h = model.hidden;
  const Int128 qkv = h + 2 * Int128{model.kv_hidden()};
  return {.split = h * qkv + biases(model, qkv) + h * h,
          .replicated = biases(model, h) + 2 * norm(model)};
}

/// The parameters that one rank holds.
struct RankParameters {
  Int128 experts = 0;  // of the feed-forward parts that expert parallelism shares
  Int128 others = 0;

  Int128 sum() const { return experts + others; }
};

RankParameters layer_parameters(const Transformer& model, const ModelParallel& parallel) {
  const Int128 attention_part = attention(model).on_rank(parallel);
  const Int128 one = feed_forward(model).on_rank(parallel);
  if (!model.has_mixture()) return {.others = attention_part + one};
  const Int128 router = Int128{model.hidden} * model.experts;
  return {.experts = model.experts / parallel.ep * one, .others = attention_part + router};
}

RankParameters rank_parameters(const Transformer& model, const ModelParallel& parallel,
                               ModelPart part) {
  const Int128 words = Int128{model.vocab} * model.hidden / parallel.tp;
  const Int128 positions = Int128{model.seq} * model.hidden;
  switch (part) {
    case ModelPart::embedding:
      return {.others = words + (model.positions == Positions::learned ? positions : 0)};
    case ModelPart::layer:
      return layer_parameters(model, parallel);
    case ModelPart::head:
      return {.others = words + norm(model)};
    case ModelPart::tied_head:
      break;
  }
  return {.others = norm(model)};
}

Flops attention_core(const Transformer& model) {
  return Flops(4 * model.tokens() * model.seq * model.hidden);
}

/// Operations of a layer's linears in one direction.
Flops linears(const Transformer& model) {
  const Int128 h = model.hidden;
  const Int128 router = model.has_mixture() ? 2 * h * model.experts : Int128{0};
  const Int128 feed_forwards = 2 * model.ffn_matrices() * h * model.ffn * model.top_k;
  return Flops(model.tokens() *
               (2 * h * (2 * h + 2 * Int128{model.kv_hidden()}) + feed_forwards + router));
}

PassFlops layer_flops(const Transformer& model) {
  const Flops core = attention_core(model);
  const Flops linear = linears(model);
  PassFlops flops{
      .forward = linear + core, .input = linear + core * 2, .weight = linear, .recompute = {}};
  if (model.recompute == LayerRecompute::selective) flops.recompute = core;
  if (model.recompute == LayerRecompute::full) flops.recompute = flops.forward;
  return flops;
}

/// Activations by what splits them over the tensor parallel ranks.
struct SharedBytes {
  Int128 split;      // tensor parallelism
  Int128 others;     // sequence parallelism only
  Int128 whole = 0;  // nothing

  Bytes on_rank(const ModelParallel& parallel) const {
    return Bytes(split / parallel.tp + (parallel.sp ? others / parallel.tp : others) + whole);
  }
};

/// The width of queries, keys, values and what the projection reads.
Int128 attention_width(const Transformer& model) {
  return 2 * (Int128{model.hidden} + model.kv_hidden());
}

/// What a token's feed-forward parts keep between their linears, and with it the width of the
/// gradients there: in front of the activation function and behind it.
Int128 feed_forward_width(const Transformer& model) {
  return model.ffn_matrices() * model.ffn * model.top_k;
}

SharedBytes layer_activation(const Transformer& model, LayerRecompute recompute) {
  const Int128 tokens = model.tokens();
  const Int128 h = model.hidden;
  const Int128 d = size(model.dtype).count;
  if (recompute == LayerRecompute::full) return {.split = 0, .others = d * tokens * h};
  Int128 split = d * tokens * (attention_width(model) + feed_forward_width(model));
  // Softmax, its dropout's mask and its result.
  if (recompute == LayerRecompute::none) {
    split += tokens * model.seq * model.heads * (2 * d + 1);
  }
  // Two norms' inputs and results, two dropouts' masks of a byte.
  const Int128 others = d * tokens * h * 4 + 2 * tokens * h;
  if (!model.has_mixture()) return {.split = split, .others = others};
  // What each expert said, for the router's gradient; and what it read, gathered over tp.
  const Int128 of_experts = d * tokens * h * model.top_k;
  return {.split = split, .others = others + of_experts, .whole = of_experts};
}

/// What the linears read, and the gradients of what they wrote.
SharedBytes layer_kept_for_weight(const Transformer& model) {
  const Int128 unit = size(model.dtype).count * model.tokens();
  const Int128 split = unit * (attention_width(model) + feed_forward_width(model));
  const Int128 hidden = unit * model.hidden;
  if (!model.has_mixture()) return {.split = split, .others = hidden * 4};
  // Of attention and of the router; what the experts read, gathered over tp; the gradient of what
  // they said as it was received.
  const Int128 of_experts = hidden * model.top_k;
  return {.split = split, .others = hidden * 3 + of_experts, .whole = of_experts};
}

/// Logits of the loss are fp32.
Int128 logits_bytes(const Transformer& model) { return 4 * model.tokens() * model.vocab; }

Bytes kept_for_weight(const Transformer& model, const ModelParallel& parallel, ModelPart part) {
  switch (part) {
    case ModelPart::embedding:
      return {};
    case ModelPart::layer:
      return layer_kept_for_weight(model).on_rank(parallel);
    case ModelPart::head:
    case ModelPart::tied_head:
      break;
  }
  return SharedBytes{.split = logits_bytes(model),
                     .others = size(model.dtype).count * model.tokens() * model.hidden}
      .on_rank(parallel);
}

/// Collectives of one microbatch in a part's forward and in its backward.
struct Collectives {
  Ticks forward;
  Ticks backward;
};

/// Times of collectives that tensor parallelism needs.
class TensorParallel {
 public:
  TensorParallel(const Transformer& model, const ModelParallel& parallel, const Hardware& hardware)
      : model_(model), parallel_(parallel), connection_(hardware.around(parallel.tp)) {}

  Collectives of(ModelPart part) const {
    const Bytes hidden = message(model_, {});
    const Ticks whole = collective_time(Collective::all_reduce, hidden, parallel_.tp, connection_);
    const Ticks half = collective_time(Collective::all_gather, hidden, parallel_.tp, connection_);
    switch (part) {
      case ModelPart::layer: {  // 2205.05198, figure 5: after attention and after feed-forward
        const Ticks both = model_.has_mixture() ? whole + experts(hidden) : whole * 2;
        return {.forward = both, .backward = both};
      }
      case ModelPart::embedding:
        return parallel_.sp ? Collectives{.forward = half, .backward = half}
                            : Collectives{.forward = whole, .backward = {}};
      case ModelPart::head:
      case ModelPart::tied_head:
        break;
    }
    // Of each token the maximum, the sum and the logit of the target (1909.08053, section 3).
    const Ticks loss = collective_time(Collective::all_reduce, Bytes(4 * model_.tokens()),
                                       parallel_.tp, connection_) *
                       3;
    return parallel_.sp ? Collectives{.forward = half + loss, .backward = half}
                        : Collectives{.forward = loss, .backward = whole};
  }

 private:
  /// What all ranks received for their experts is gathered, and their sums are scattered again.
  Ticks experts(Bytes hidden) const {
    const Bytes gathered = hidden * model_.top_k;
    return collective_time(Collective::all_gather, gathered, parallel_.tp, connection_) +
           collective_time(Collective::reduce_scatter, gathered, parallel_.tp, connection_);
  }

  const Transformer& model_;
  const ModelParallel& parallel_;
  const Connection& connection_;
};

/// Tokens to their experts and back, each direction.
Ticks expert_exchange(const Transformer& model, const ModelParallel& parallel,
                      const Hardware& hardware) {
  if (parallel.ep == 1) return {};
  const Bytes sent = message(model, parallel) * model.top_k;
  const Connection& connection = hardware.around(std::int64_t{parallel.tp} * parallel.ep);
  return collective_time(Collective::all_to_all, sent, parallel.ep, connection) * 2;
}

/// The time of a pass by the roofline.
class Roofline {
 public:
  Roofline(const ModelParallel& parallel, const Hardware& hardware)
      : tp_(parallel.tp),
        rate_(scaled(hardware.peak, hardware.achievable)),
        memory_(hardware.memory) {}

  Ticks time(Flops on_all_ranks, Bytes traffic) const {
    return std::max(computing_time(Flops(on_all_ranks.count / tp_), rate_),
                    transfer_time(traffic, memory_));
  }

 private:
  Int128 tp_;
  FlopRate rate_;
  Bandwidth memory_;
};

}  // namespace

std::string_view name(LayerRecompute recompute) {
  switch (recompute) {
    case LayerRecompute::none:
      return "none";
    case LayerRecompute::selective:
      return "selective";
    case LayerRecompute::full:
      return "full";
  }
  return "";
}

std::string_view name(Activation activation) {
  return activation == Activation::gelu ? "gelu" : "swiglu";
}

std::string_view name(Normalization normalization) {
  return normalization == Normalization::layernorm ? "layernorm" : "rmsnorm";
}

std::string_view name(Positions positions) {
  return positions == Positions::learned ? "learned" : "rotary";
}

PassFlops pass_flops(const Transformer& model, ModelPart part) {
  if (part == ModelPart::embedding) return {};  // a row is looked up
  if (part == ModelPart::layer) return layer_flops(model);
  const Flops logits(2 * model.tokens() * model.hidden * model.vocab);
  return {.forward = logits, .input = logits, .weight = logits, .recompute = {}};
}

Int128 parameters(const Transformer& model, ModelPart part) {
  const bool is_tied = part == ModelPart::head && model.embeddings == Embeddings::tied;
  return rank_parameters(model, {}, is_tied ? ModelPart::tied_head : part).sum();
}

Bytes activation(const Transformer& model, const ModelParallel& parallel, ModelPart part,
                 LayerRecompute recompute) {
  const Int128 hidden = model.tokens() * model.hidden;
  switch (part) {
    case ModelPart::embedding:  // the dropout's mask
      return SharedBytes{.split = 0, .others = hidden}.on_rank(parallel);
    case ModelPart::layer:
      return layer_activation(model, recompute).on_rank(parallel);
    case ModelPart::head:
    case ModelPart::tied_head:
      break;
  }
  // What the norm and the linear read.
  return SharedBytes{.split = logits_bytes(model), .others = 2 * size(model.dtype).count * hidden}
      .on_rank(parallel);
}

RankMemory rank_memory(const Transformer& model, const ModelParallel& parallel, ModelPart part) {
  const Int128 count = rank_parameters(model, parallel, part).sum();
  constexpr Int128 kMoments = 8;
  const Int128 master = model.dtype == Dtype::fp32 ? 0 : 4;
  return {.weights = size(model.dtype) * count,
          .optimizer = Bytes(count * (kGradient + kMoments + master)),
          .activation = activation(model, parallel, part, model.recompute),
          .kept_for_weight = kept_for_weight(model, parallel, part)};
}

Bytes message(const Transformer& model, const ModelParallel& parallel) {
  const Int128 whole = size(model.dtype).count * model.tokens() * model.hidden;
  return Bytes(parallel.sp ? whole / parallel.tp : whole);
}

PassTimes pass_times(const Transformer& model, const ModelParallel& parallel,
                     const Hardware& hardware, ModelPart part) {
  const PassFlops flops = pass_flops(model, part);
  const RankMemory memory = rank_memory(model, parallel, part);
  const bool recomputes_all = part == ModelPart::layer && model.recompute == LayerRecompute::full;
  const Bytes weights = part == ModelPart::embedding ? Bytes{} : memory.weights;
  const Bytes read_or_written = weights + activation(model, parallel, part, LayerRecompute::none);
  Bytes gradients = kept_for_weight(model, parallel, part);
  if (part != ModelPart::embedding) {
    gradients += Bytes(rank_parameters(model, parallel, part).sum() * kGradient);
  }
  const Roofline roofline(parallel, hardware);
  PassTimes times{.forward = roofline.time(flops.forward, read_or_written),
                  .input = roofline.time(flops.input + flops.recompute,
                                         read_or_written * (recomputes_all ? 2 : 1)),
                  .weight = roofline.time(flops.weight, gradients)};
  const Collectives collectives = TensorParallel(model, parallel, hardware).of(part);
  Ticks forward = exposed(collectives.forward, parallel.tp_overlap);
  Ticks backward = exposed(collectives.backward, parallel.tp_overlap);
  if (part == ModelPart::layer) {
    const Ticks exchange = expert_exchange(model, parallel, hardware);
    forward += exchange;
    backward += exchange;
  }
  times.forward += forward;
  times.input += backward;
  if (recomputes_all) times.input += forward;
  return times;
}

Ticks gradient_sync(const Transformer& model, const ModelParallel& parallel,
                    const Hardware& hardware, ModelPart part) {
  const RankParameters held = rank_parameters(model, parallel, part);
  const Connection& connection = hardware.around(std::int64_t{parallel.tp} * parallel.dp);
  return collective_time(Collective::all_reduce, Bytes(held.others * kGradient), parallel.dp,
                         connection) +
         collective_time(Collective::all_reduce, Bytes(held.experts * kGradient),
                         parallel.dp / parallel.ep, connection);
}

}  // namespace pipesim
