// Attention and vocabulary split over ranks, computed in small: placements, sums and every
// element sent.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "sim/tensor_parallel.hpp"
#include "tests/sharded_arrays.hpp"

using namespace pipesim;
using namespace pipesim::test;

namespace {

const Tensor& tensor(const LayerBlock& block, const std::string& name) {
  const auto found = std::find_if(block.tensors.begin(), block.tensors.end(),
                                  [&](const Tensor& of) { return of.name == name; });
  REQUIRE(found != block.tensors.end());
  return *found;
}

const LayerCommunication& communication(const LayerBlock& block, const std::string& operation,
                                        PassDirection direction, const std::string& tensor) {
  const auto found = std::find_if(
      block.communications.begin(), block.communications.end(), [&](const LayerCommunication& of) {
        return of.operation == operation && of.tensor == tensor && of.direction == direction;
      });
  REQUIRE(found != block.communications.end());
  return *found;
}

struct AttentionWeights {
  Array q, k, v, o;
};

/// softmax(Q K^T / sqrt(h)) V Wo with heads of h columns; consecutive heads share keys and values.
Array attention(const Array& x, const AttentionWeights& w, std::int64_t head_size) {
  const Array q = times(x, w.q);
  const Array k = times(x, w.k);
  const Array v = times(x, w.v);
  const auto h = static_cast<std::size_t>(head_size);
  const auto columns = static_cast<std::size_t>(q.shape[2]);
  const auto kv_columns = static_cast<std::size_t>(k.shape[2]);
  const auto seq = static_cast<std::size_t>(x.shape[1]);
  Array c(q.shape);
  for (std::size_t row = 0; row < static_cast<std::size_t>(x.shape[0]) * seq; ++row) {
    const std::size_t sequence = row / seq * seq;
    for (std::size_t head = 0; head < columns / h; ++head) {
      const std::size_t kv_head = head * kv_columns / columns;
      double total = 0;
      std::vector<double> weights;
      for (std::size_t other = sequence; other < sequence + seq; ++other) {
        double score = 0;
        for (std::size_t i = 0; i < h; ++i) {
          score += q.values[row * columns + head * h + i] *
                   k.values[other * kv_columns + kv_head * h + i];
        }
        weights.push_back(std::exp(score / std::sqrt(static_cast<double>(h))));
        total += weights.back();
      }
      for (std::size_t other = 0; other < seq; ++other) {
        for (std::size_t i = 0; i < h; ++i) {
          c.values[row * columns + head * h + i] +=
              weights[other] / total * v.values[(sequence + other) * kv_columns + kv_head * h + i];
        }
      }
    }
  }
  return times(c, w.o);
}

/// What an all-reduce of a block sends, and what its two halves do under sequence parallelism: each
/// rank gets its positions of the sum, and the gather brings them back.
void check_sums(const LayerSizes& sizes, const Ranks& terms, const Array& whole,
                const std::string& operation, PassDirection direction, const std::string& name) {
  const auto block = [&](bool sequence_parallel) {
    LayerSizes of = sizes;
    of.sequence_parallel = sequence_parallel;
    return sizes.heads ? attention_block(of) : loss_block(of);
  };
  const Moved reduced = moved(terms, Collective::all_reduce, 0, 0);
  const LayerCommunication given = communication(block(false), operation, direction, name);
  CHECK(given.collective == Collective::all_reduce);
  CHECK(sent_as(reduced, given, sizes.dtype));
  CHECK(close(reduced.ranks.back(), whole, 1e-6));

  const Moved scattered = moved(terms, Collective::reduce_scatter, 0, 1);
  const LayerCommunication half = communication(block(true), operation, direction, name);
  CHECK(half.collective == Collective::reduce_scatter);
  CHECK(sent_as(scattered, half, sizes.dtype));
  const Moved gathered = moved(scattered.ranks, Collective::all_gather, 1, 0);
  CHECK(close(gathered.ranks.back(), whole, 1e-6));
  CHECK(scattered.ranks.back().shape[1] * static_cast<std::int64_t>(terms.size()) ==
        whole.shape[1]);
  // X forward, and again in the backward; or the gradient of the output.
  for (const LayerCommunication& other : block(true).communications) {
    if (other.collective != Collective::all_gather) continue;
    CHECK(sent_as(gathered, other, sizes.dtype));
  }
}

void check_attention(const LayerSizes& sizes) {
  std::mt19937 random(5);
  const LayerBlock block = attention_block(sizes);
  const auto ranks = static_cast<std::size_t>(sizes.tp);
  const std::int64_t h = sizes.hidden / *sizes.heads;
  const std::int64_t keys = *sizes.kv_heads * h;
  const Array x = random_array({sizes.batch, sizes.seq, sizes.hidden}, random);
  const Array g = random_array(x.shape, random);
  const AttentionWeights w{random_array({sizes.hidden, sizes.hidden}, random),
                           random_array({sizes.hidden, keys}, random),
                           random_array({sizes.hidden, keys}, random),
                           random_array({sizes.hidden, sizes.hidden}, random)};
  std::vector<AttentionWeights> own;
  for (std::size_t r = 0; r < ranks; ++r) {
    own.push_back(
        {placed(w.q, tensor(block, "Wq"), ranks)[r], placed(w.k, tensor(block, "Wk"), ranks)[r],
         placed(w.v, tensor(block, "Wv"), ranks)[r], placed(w.o, tensor(block, "Wo"), ranks)[r]});
    CHECK(own[r].k.shape == shape_on_rank(tensor(block, "Wk")));
  }
  const auto output = [&](const AttentionWeights& of) { return attention(x, of, h); };
  const auto gradient = [&](const AttentionWeights& of, Array AttentionWeights::*which) {
    return numeric_gradient(of.*which, [&](const Array& at) {
      AttentionWeights changed = of;
      changed.*which = at;
      return dot(output(changed), g);
    });
  };
  Ranks o;
  Ranks dx;
  for (std::size_t r = 0; r < ranks; ++r) {
    o.push_back(output(own[r]));
    dx.push_back(
        numeric_gradient(x, [&](const Array& at) { return dot(attention(at, own[r], h), g); }));
  }
  CHECK(close(sum(o), output(w)));
  CHECK_FALSE(close(o[0], output(w), 1e-3));
  const Array whole_dx =
      numeric_gradient(x, [&](const Array& at) { return dot(attention(at, w, h), g); });
  CHECK(close(sum(dx), whole_dx, 1e-6));
  check_sums(sizes, o, output(w), "Linear", PassDirection::forward, "O");
  check_sums(sizes, dx, whole_dx, "QKV", PassDirection::backward, "dL/dX");

  // Queries and the projection are a rank's own: its gradient is its slice of the whole one.
  for (const auto& [which, name] :
       {std::pair{&AttentionWeights::q, "dL/dWq"}, std::pair{&AttentionWeights::o, "dL/dWo"}}) {
    const Ranks expected = placed(gradient(w, which), tensor(block, name), ranks);
    for (std::size_t r = 0; r < ranks; ++r) {
      CHECK(close(gradient(own[r], which), expected[r], 1e-6));
    }
  }
  // Ranks that share a key head have the terms of their queries.
  const auto copies = static_cast<std::size_t>(tensor(block, "Wk").placement.copies);
  for (const auto& [which, name] :
       {std::pair{&AttentionWeights::k, "dL/dWk"}, std::pair{&AttentionWeights::v, "dL/dWv"}}) {
    const Ranks expected = placed(gradient(w, which), tensor(block, name), ranks);
    for (std::size_t group = 0; group < ranks / copies; ++group) {
      Ranks sharing;
      for (std::size_t r = 0; r < copies; ++r) {
        sharing.push_back(gradient(own[group * copies + r], which));
      }
      CHECK(close(sum(sharing), expected[group * copies], 1e-6));
      if (copies == 1) continue;
      CHECK_FALSE(close(sharing[0], expected[group * copies], 1e-3));
      const Moved keys_and_values =
          moved(Ranks(copies, joined({sharing[0], sharing[0]}, 0)), Collective::all_reduce, 0, 0);
      CHECK(sent_as(keys_and_values,
                    communication(block, "QKV", PassDirection::backward, "dL/dWk,dL/dWv"),
                    sizes.dtype));
    }
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("attention: heads are independent, so the ranks' outputs add up to the whole") {
    for (const std::int64_t kv_heads : {4, 2, 1}) {
      for (const std::int64_t tp : {2, 4}) {
        CAPTURE(kv_heads);
        CAPTURE(tp);
        check_attention(
            {.batch = 1, .seq = 4, .hidden = 8, .tp = tp, .heads = 4, .kv_heads = kv_heads});
      }
    }
  }

  TEST_CASE("embedding: a rank finds its own words, the others add zeros") {
    const LayerSizes sizes{.batch = 2, .seq = 4, .hidden = 3, .tp = 4, .vocab = 8};
    const LayerBlock block = embedding_block(sizes);
    std::mt19937 random(3);
    const Array table = random_array({8, 3}, random);
    const std::vector<std::size_t> words = {0, 7, 3, 3, 5, 1, 2, 6};
    const Ranks own = placed(table, tensor(block, "E"), 4);
    Array expected({2, 4, 3});
    Ranks found(4, expected);
    for (std::size_t i = 0; i < words.size(); ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        expected.values[i * 3 + j] = table.values[words[i] * 3 + j];
        found[words[i] / 2].values[i * 3 + j] = own[words[i] / 2].values[words[i] % 2 * 3 + j];
      }
    }
    CHECK(lies_as(found, expected, tensor(block, "X")));
    CHECK(sent_as(moved(found, Collective::all_reduce, 0, 0),
                  communication(block, "Embedding", PassDirection::forward, "X"), sizes.dtype));
    CHECK(block.communications.back().collective == Collective::none);

    LayerSizes parallel = sizes;
    parallel.sequence_parallel = true;
    const LayerBlock scattered = embedding_block(parallel);
    const Moved after = moved(found, Collective::reduce_scatter, 0, 1);
    CHECK(sent_as(after, communication(scattered, "Embedding", PassDirection::forward, "X"),
                  sizes.dtype));
    CHECK(close(joined(after.ranks, 1), expected));
  }

  TEST_CASE("cross-entropy: three numbers a position, and no logit leaves its rank") {
    const LayerSizes sizes{
        .batch = 1, .seq = 4, .hidden = 2, .tp = 2, .dtype = Dtype::bf16, .vocab = 6};
    const LayerBlock block = loss_block(sizes);
    std::mt19937 random(4);
    const Array logits = random_array({1, 4, 6}, random);
    const std::vector<std::size_t> target = {5, 0, 2, 3};
    const auto loss = [&](const Array& of) {
      double total = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        double exponentials = 0;
        for (std::size_t j = 0; j < 6; ++j) exponentials += std::exp(of.values[i * 6 + j]);
        total += std::log(exponentials) - of.values[i * 6 + target[i]];
      }
      return total;
    };
    const Ranks own = placed(logits, tensor(block, "logits"), 2);
    CHECK(own[1].shape == std::vector<std::int64_t>{1, 4, 3});
    Array greatest({1, 4});
    Ranks of_target(2, Array({1, 4}));
    Ranks exponentials(2, Array({1, 4}));
    for (std::size_t i = 0; i < 4; ++i) {
      const auto row = logits.values.begin() + static_cast<std::ptrdiff_t>(i * 6);
      greatest.values[i] = *std::max_element(row, row + 6);
    }
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
          exponentials[r].values[i] += std::exp(own[r].values[i * 3 + j] - greatest.values[i]);
        }
        if (target[i] / 3 == r) of_target[r].values[i] = own[r].values[i * 3 + target[i] % 3];
      }
    }
    const auto agreed = [&](const Ranks& terms, const std::string& name) {
      const Moved result = moved(terms, Collective::all_reduce, 0, 0);
      CHECK(sent_as(result, communication(block, "CrossEntropy", PassDirection::forward, name),
                    Dtype::fp32));
      return result.ranks[0];
    };
    const Array total = agreed(exponentials, "sum of exp");
    const Array wanted = agreed(of_target, "logit of target");
    agreed(Ranks(2, greatest), "max of logits");
    double split_loss = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      split_loss += std::log(total.values[i]) + greatest.values[i] - wanted.values[i];
    }
    CHECK(split_loss == doctest::Approx(loss(logits)).epsilon(1e-12));

    Ranks gradients = own;
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::size_t i = 0; i < 12; ++i) {
        const std::size_t at = i / 3;
        const bool is_target = target[at] == r * 3 + i % 3;
        gradients[r].values[i] =
            std::exp(own[r].values[i] - greatest.values[at]) / total.values[at] -
            (is_target ? 1 : 0);
      }
    }
    const Array whole_gradient = numeric_gradient(logits, loss);
    CHECK(close(joined(gradients, 2), whole_gradient, 1e-8));

    // Logits = X U: a rank has its slice of U, and a term of dL/dX.
    const Array u = random_array({2, 6}, random);
    const Ranks own_u = placed(u, tensor(block, "U"), 2);
    Ranks dx;
    for (std::size_t r = 0; r < 2; ++r) dx.push_back(times(gradients[r], own_u[r], true));
    check_sums(sizes, dx, times(whole_gradient, u, true), "Logits", PassDirection::backward,
               "dL/dX");
  }
}
