// Models that papers publish numbers of.
#pragma once

#include <cstdint>

#include "sim/model.hpp"

namespace pipesim::test {

/// A decoder as GPT-3 is one: as many heads for keys and values, a feed-forward part of 4 widths.
inline Transformer gpt(std::int64_t hidden, std::int64_t heads, std::int64_t vocab = 51200,
                       std::int64_t seq = 2048) {
  return {.hidden = hidden,
          .heads = heads,
          .kv_heads = heads,
          .ffn = 4 * hidden,
          .vocab = vocab,
          .seq = seq,
          .microbatch = 1};
}

inline constexpr std::int64_t kGpt3Layers = 96;

inline Transformer gpt3() { return gpt(12288, 96); }

/// A decoder as Llama is one.
inline Transformer llama(std::int64_t hidden, std::int64_t heads, std::int64_t kv_heads,
                         std::int64_t ffn, std::int64_t vocab, std::int64_t seq = 8192) {
  return {.hidden = hidden,
          .heads = heads,
          .kv_heads = kv_heads,
          .ffn = ffn,
          .vocab = vocab,
          .seq = seq,
          .microbatch = 1,
          .activation = Activation::swiglu,
          .normalization = Normalization::rmsnorm,
          .positions = Positions::rotary,
          .bias = LinearBias::none,
          .embeddings = Embeddings::untied};
}

inline Transformer with_recompute(Transformer model, LayerRecompute recompute) {
  model.recompute = recompute;
  return model;
}

inline ModelParallel tensor_parallel(std::int32_t tp, bool sp) { return {.tp = tp, .sp = sp}; }

}  // namespace pipesim::test
