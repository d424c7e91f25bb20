#include "sim/model.hpp"

#include <algorithm>

namespace pipesim {

namespace {

constexpr Int128 kGradient = 4;  // bytes of a gradient of a weight

/// The rest of a time of which a fraction is hidden.
Ticks exposed(Ticks time, Decimal hidden) {
  return scaled(time, Decimal{Decimal::kOne - hidden.billionths});
}

/// The parameters of one feed-forward part.
struct FeedForwardParameters {
  Int128 split;       // over tp ranks
  Int128 replicated;  // on each of them
};

FeedForwardParameters feed_forward(const Transformer& model) {
  const Int128 h = model.hidden;
  const Int128 f = model.ffn;
  return {.split = 2 * h * f + f, .replicated = h};
}

/// The parameters that one rank holds.
struct RankParameters {
  Int128 experts = 0;  // of the feed-forward parts that expert parallelism shares
  Int128 others = 0;

  Int128 sum() const { return experts + others; }
};

RankParameters rank_parameters(const Transformer& model, const ModelParallel& parallel,
                               ModelPart part) {
  const Int128 h = model.hidden;
  const Int128 tp = parallel.tp;
  if (part == ModelPart::embedding) return {.others = model.vocab * h / tp + model.seq * h};
  if (part == ModelPart::head) return {.others = model.vocab * h / tp};
  const Int128 qkv = h + 2 * Int128{model.kv_hidden()};
  RankParameters result;
  // Weights and biases of both linears, two norms.
  result.others = ((h + 1) * qkv + h * h) / tp + h + 4 * h;
  const FeedForwardParameters one = feed_forward(model);
  const Int128 feed_forwards = model.experts / parallel.ep * (one.split / tp + one.replicated);
  if (model.experts == 1) {
    result.others += feed_forwards;
  } else {
    result.experts = feed_forwards;
    result.others += h * model.experts;  // the router
  }
  return result;
}

Flops attention_core(const Transformer& model) {
  return Flops(4 * model.tokens() * model.seq * model.hidden);
}

/// Operations of a layer's linears in one direction.
Flops linears(const Transformer& model) {
  const Int128 h = model.hidden;
  const Int128 router = model.experts == 1 ? Int128{0} : 2 * h * model.experts;
  const Int128 feed_forwards = 4 * h * model.ffn * model.top_k;
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

/// Activations by whether tensor parallelism splits them. Sequence parallelism splits the others.
struct SharedBytes {
  Int128 split;
  Int128 others;

  Bytes on_rank(const ModelParallel& parallel) const {
    return Bytes(split / parallel.tp + (parallel.sp ? others / parallel.tp : others));
  }
};

SharedBytes layer_activation(const Transformer& model, LayerRecompute recompute) {
  const Int128 tokens = model.tokens();
  const Int128 h = model.hidden;
  const Int128 d = size(model.dtype).count;
  if (recompute == LayerRecompute::full) return {.split = 0, .others = d * tokens * h};
  const Int128 chosen = model.top_k;
  // Queries, keys, values, what the projection reads; around the activation function.
  Int128 split = d * tokens * (2 * h + 2 * Int128{model.kv_hidden()} + 2 * chosen * model.ffn);
  // Softmax, its dropout's mask and its result.
  if (recompute == LayerRecompute::none) {
    split += tokens * model.seq * model.heads * (2 * d + 1);
  }
  // Two norms' inputs and results, two dropouts' masks of a byte.
  Int128 others = d * tokens * h * (3 + chosen) + 2 * tokens * h;
  // The router's gradient needs what each expert said.
  if (model.experts > 1) others += d * tokens * h * chosen;
  return {.split = split, .others = others};
}

/// What the linears read, and the gradients of what they wrote.
SharedBytes layer_kept_for_weight(const Transformer& model) {
  const Int128 h = model.hidden;
  const Int128 chosen = model.top_k;
  const Int128 unit = size(model.dtype).count * model.tokens();
  return {.split = unit * (2 * h + 2 * Int128{model.kv_hidden()} + 2 * chosen * model.ffn),
          .others = unit * h * (2 + 2 * chosen)};
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
      case ModelPart::layer:  // 2205.05198, figure 5: after attention and after feed-forward
        return {.forward = whole * 2, .backward = whole * 2};
      case ModelPart::embedding:
        return parallel_.sp ? Collectives{.forward = half, .backward = half}
                            : Collectives{.forward = whole, .backward = {}};
      case ModelPart::head:
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

PassFlops pass_flops(const Transformer& model, ModelPart part) {
  if (part == ModelPart::embedding) return {};  // a row is looked up
  if (part == ModelPart::layer) return layer_flops(model);
  const Flops logits(2 * model.tokens() * model.hidden * model.vocab);
  return {.forward = logits, .input = logits, .weight = logits, .recompute = {}};
}

Int128 parameters(const Transformer& model, ModelPart part) {
  if (part == ModelPart::head) return 0;
  return rank_parameters(model, {}, part).sum();
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
