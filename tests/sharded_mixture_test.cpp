// A mixture of experts over ep * tp ranks, computed in small, forward and backward: every row is
// really sent, every sum is made, and the numbers are those of the unsplit layer.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "sim/tensor_parallel.hpp"
#include "tests/sharded_arrays.hpp"

using namespace pipesim;
using namespace pipesim::test;

namespace {

double square_derivative(double x) { return 2 * x; }

/// One expert: Y = X W1, A = Y * Y element by element, R = A W2.
struct Expert {
  Array w1, w2;

  Array hidden(const Array& x) const {
    Array a = times(x, w1);
    for (double& value : a.values) value *= value;
    return a;
  }
  Array output(const Array& x) const { return times(hidden(x), w2); }
  Array hidden_gradient(const Array& x, const Array& dr) const {
    const Array y = times(x, w1);
    Array dy = times(dr, w2, true);
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      dy.values[i] *= square_derivative(y.values[i]);
    }
    return dy;
  }
  Array input_gradient(const Array& x, const Array& dr) const {
    return times(hidden_gradient(x, dr), w1, true);
  }
};

/// The copies of a token on their way: which rank, position and copy each row comes from.
struct Row {
  std::size_t source = 0;
  std::size_t position = 0;
  std::size_t expert = 0;
};

const Tensor& tensor(const LayerBlock& block, const std::string& name) {
  const auto found = std::find_if(block.tensors.begin(), block.tensors.end(),
                                  [&](const Tensor& of) { return of.name == name; });
  REQUIRE(found != block.tensors.end());
  return *found;
}

class SplitMixture {
 public:
  explicit SplitMixture(const LayerSizes& sizes)
      : sizes_(sizes),
        block_(mixture_block(sizes)),
        ep_(static_cast<std::size_t>(*sizes.ep)),
        tp_(static_cast<std::size_t>(sizes.tp)),
        experts_(static_cast<std::size_t>(*sizes.experts)),
        positions_(static_cast<std::size_t>(sizes.seq) / tp_) {
    std::mt19937 random(11);
    for (std::size_t e = 0; e < experts_; ++e) {
      whole_.push_back({random_array({sizes.hidden, sizes.inner()}, random),
                        random_array({sizes.inner(), sizes.hidden}, random)});
    }
    for (std::size_t rank = 0; rank < ep_ * tp_; ++rank) {
      const auto rows = static_cast<std::int64_t>(positions_);
      x_.push_back(random_array({rows, sizes.hidden}, random));
      dz_.push_back(random_array({rows, sizes.hidden}, random));
    }
  }

  void run() {
    route();
    check_weights();
    const Ranks d = gathered(dispatched(x_, "D", PassDirection::forward), "D", "Linear1",
                             PassDirection::forward);
    check_tokens_arrived(d);
    Ranks r = by_expert(d, [&](std::size_t, const Expert& own, const Array& x, std::size_t) {
      return own.output(x);
    });
    r = scattered(r, "R", "Linear2", PassDirection::forward);
    const Ranks z = combined(r, "R", "Combine", PassDirection::forward);
    CHECK(agree(z, [](const Expert& of, const Array& x, const Array&) { return of.output(x); }));

    const Ranks dr = gathered(dispatched(dz_, "dL/dR", PassDirection::backward, "Combine"), "dL/dR",
                              "Linear2", PassDirection::backward);
    check_weight_gradients(d, dr);
    Ranks dd =
        by_expert(d, [&](std::size_t rank, const Expert& own, const Array& x, std::size_t row) {
          return own.input_gradient(x, slice(dr[rank], 0, row, rows_of(d)));
        });
    dd = scattered(dd, "dL/dD", "Linear1", PassDirection::backward);
    const Ranks dx = combined(dd, "dL/dD", "Dispatch", PassDirection::backward);
    CHECK(agree(dx, [](const Expert& of, const Array& x, const Array& g) {
      return of.input_gradient(x, g);
    }));
    CHECK(used_ == static_cast<int>(std::count_if(
                       block_.communications.begin(), block_.communications.end(),
                       [](const LayerCommunication& given) {
                         return given.collective != Collective::none && !given.once_per_step;
                       })));
  }

 private:
  std::size_t rank_of(std::size_t group, std::size_t t) const { return group * tp_ + t; }

  std::size_t home(std::size_t expert) const { return expert / (experts_ / ep_); }

  static std::size_t rows_of(const Ranks& ranks) {
    return static_cast<std::size_t>(ranks.front().shape[0]);
  }

  /// Every rank has equally many rows for every expert.
  void route() {
    const auto top_k = static_cast<std::size_t>(*sizes_.top_k);
    REQUIRE(positions_ * top_k % experts_ == 0);
    received_.assign(ep_ * tp_, {});
    for (std::size_t source = 0; source < ep_ * tp_; ++source) {
      for (std::size_t row = 0; row < positions_ * top_k; ++row) {
        const std::size_t expert = (row + 3 * source) % experts_;
        received_[rank_of(home(expert), source % tp_)].push_back({source, row / top_k, expert});
      }
    }
  }

  const LayerCommunication* find(const std::string& operation, const std::string& name,
                                 PassDirection direction, bool is_all_to_all) {
    for (const LayerCommunication& given : block_.communications) {
      if (given.operation == operation && given.tensor == name && given.direction == direction &&
          (given.collective == Collective::all_to_all) == is_all_to_all) {
        ++used_;
        return &given;
      }
    }
    return nullptr;
  }

  /// What each rank receives of the rows that all send, and whether they send what is said.
  Ranks dispatched(const Ranks& rows, const std::string& name, PassDirection direction,
                   const std::string& operation = "Dispatch") {
    Ranks result(rows.size());
    std::vector<std::size_t> sent(rows.size());
    for (std::size_t rank = 0; rank < rows.size(); ++rank) {
      Ranks parts;
      for (const Row& row : received_[rank]) {
        parts.push_back(slice(rows[row.source], 0, row.position, positions_));
        if (row.source != rank) sent[row.source] += parts.back().values.size();
      }
      result[rank] = joined(parts, 0);
    }
    check_sent(sent, find(operation, name, direction, true));
    return result;
  }

  /// The other way: each rank adds up what it gets back of its positions.
  Ranks combined(const Ranks& rows, const std::string& name, const std::string& operation,
                 PassDirection direction) {
    Ranks result;
    for (const Array& like : x_) result.emplace_back(like.shape);
    std::vector<std::size_t> sent(rows.size());
    const auto width = static_cast<std::size_t>(sizes_.hidden);
    for (std::size_t rank = 0; rank < rows.size(); ++rank) {
      for (std::size_t i = 0; i < received_[rank].size(); ++i) {
        const Row& row = received_[rank][i];
        if (row.source != rank) sent[rank] += width;
        for (std::size_t j = 0; j < width; ++j) {
          result[row.source].values[row.position * width + j] += rows[rank].values[i * width + j];
        }
      }
    }
    check_sent(sent, find(operation, name, direction, true));
    return result;
  }

  void check_sent(const std::vector<std::size_t>& sent, const LayerCommunication* given) const {
    if (ep_ == 1) {
      CHECK(given == nullptr);
      return;
    }
    REQUIRE(given != nullptr);
    CHECK(sent_as({{}, sent}, *given, sizes_.dtype));
  }

  /// The collective of every group of tensor-parallel ranks.
  Ranks within_groups(const Ranks& ranks, const LayerCommunication* given) const {
    if (tp_ == 1) {
      CHECK(given == nullptr);
      return ranks;
    }
    REQUIRE(given != nullptr);
    Ranks result;
    for (std::size_t group = 0; group < ep_; ++group) {
      const auto begin = ranks.begin() + static_cast<std::ptrdiff_t>(group * tp_);
      const Moved after =
          moved(Ranks(begin, begin + static_cast<std::ptrdiff_t>(tp_)), given->collective, 0, 0);
      CHECK(sent_as(after, *given, sizes_.dtype));
      result.insert(result.end(), after.ranks.begin(), after.ranks.end());
    }
    return result;
  }

  Ranks gathered(const Ranks& ranks, const std::string& name, const std::string& operation,
                 PassDirection direction) {
    return within_groups(ranks, find(operation, name, direction, false));
  }

  Ranks scattered(const Ranks& ranks, const std::string& name, const std::string& operation,
                  PassDirection direction) {
    return within_groups(ranks, find(operation, name, direction, false));
  }

  /// The row of a gathered tensor: those of the group's first rank come first.
  const Row& row_at(std::size_t rank, std::size_t i) const {
    const std::size_t own = received_[rank].size();
    return received_[rank / tp_ * tp_ + i / own][i % own];
  }

  /// What a rank has of an expert.
  Expert own(std::size_t expert, std::size_t t) const {
    return {slice(whole_[expert].w1, 1, t, tp_), slice(whole_[expert].w2, 0, t, tp_)};
  }

  template <class Function>
  Ranks by_expert(const Ranks& rows, Function function) const {
    Ranks result;
    for (std::size_t rank = 0; rank < rows.size(); ++rank) {
      Ranks parts;
      for (std::size_t i = 0; i < rows_of(rows); ++i) {
        parts.push_back(function(rank, own(row_at(rank, i).expert, rank % tp_),
                                 slice(rows[rank], 0, i, rows_of(rows)), i));
      }
      result.push_back(joined(parts, 0));
    }
    return result;
  }

  void check_weights() const {
    const std::vector<std::int64_t> shape = shape_on_rank(tensor(block_, "W1"));
    CHECK(shape == std::vector<std::int64_t>{*sizes_.experts / *sizes_.ep, sizes_.hidden,
                                             own(0, 0).w1.shape[1]});
    CHECK(shape_on_rank(tensor(block_, "W2"))[1] == own(0, 0).w2.shape[0]);
  }

  void check_tokens_arrived(const Ranks& d) const {
    for (const Array& of_rank : d) {
      const auto shaped = [&](const Tensor& of) {
        return of.role == (tp_ > 1 ? "input of Linear1" : "output of Dispatch, by expert");
      };
      const auto found = std::find_if(block_.tensors.begin(), block_.tensors.end(), shaped);
      REQUIRE(found != block_.tensors.end());
      CHECK(shape_on_rank(*found) == of_rank.shape);
    }
    CHECK(shape_on_rank(tensor(block_, "Y")) ==
          std::vector<std::int64_t>{d[0].shape[0], own(0, 0).w1.shape[1]});
  }

  /// Whether what the ranks computed of their own rows is the sum over each token's experts.
  template <class Function>
  bool agree(const Ranks& results, Function function) const {
    Ranks expected;
    for (const Array& like : x_) expected.emplace_back(like.shape);
    const auto width = static_cast<std::size_t>(sizes_.hidden);
    for (const std::vector<Row>& rows : received_) {
      for (const Row& row : rows) {
        const Array part =
            function(whole_[row.expert], slice(x_[row.source], 0, row.position, positions_),
                     slice(dz_[row.source], 0, row.position, positions_));
        for (std::size_t j = 0; j < width; ++j) {
          expected[row.source].values[row.position * width + j] += part.values[j];
        }
      }
    }
    for (std::size_t rank = 0; rank < results.size(); ++rank) {
      if (!close(results[rank], expected[rank])) return false;
    }
    return true;
  }

  /// A rank's part of dL/dW1 needs no sum with any other rank.
  void check_weight_gradients(const Ranks& d, const Ranks& dr) const {
    for (std::size_t rank = 0; rank < d.size(); ++rank) {
      for (std::size_t e = 0; e < experts_; ++e) {
        if (home(e) != rank / tp_) continue;
        Array split_gradient(own(e, rank % tp_).w1.shape);
        Array whole_gradient(whole_[e].w1.shape);
        for (std::size_t i = 0; i < rows_of(d); ++i) {
          if (row_at(rank, i).expert != e) continue;
          const Array x = slice(d[rank], 0, i, rows_of(d));
          const Array g = slice(dr[rank], 0, i, rows_of(d));
          split_gradient += weight_gradient(x, own(e, rank % tp_).hidden_gradient(x, g));
        }
        for (const std::vector<Row>& rows : received_) {
          for (const Row& row : rows) {
            if (row.expert != e) continue;
            const Array x = slice(x_[row.source], 0, row.position, positions_);
            const Array g = slice(dz_[row.source], 0, row.position, positions_);
            whole_gradient += weight_gradient(x, whole_[e].hidden_gradient(x, g));
          }
        }
        CHECK(close(split_gradient, slice(whole_gradient, 1, rank % tp_, tp_)));
      }
    }
  }

  LayerSizes sizes_;
  LayerBlock block_;
  std::size_t ep_;
  std::size_t tp_;
  std::size_t experts_;
  std::size_t positions_;  // of a rank
  std::vector<Expert> whole_;
  Ranks x_, dz_;
  std::vector<std::vector<Row>> received_;
  int used_ = 0;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an expert: its gradients are those of finite differences") {
    std::mt19937 random(2);
    const Expert expert{random_array({3, 5}, random), random_array({5, 3}, random)};
    const Array x = random_array({2, 3}, random);
    const Array g = random_array({2, 3}, random);
    CHECK(close(expert.input_gradient(x, g),
                numeric_gradient(x, [&](const Array& at) { return dot(expert.output(at), g); }),
                1e-7));
    CHECK(close(weight_gradient(x, expert.hidden_gradient(x, g)),
                numeric_gradient(expert.w1,
                                 [&](const Array& w1) {
                                   return dot(Expert{w1, expert.w2}.output(x), g);
                                 }),
                1e-7));
  }

  TEST_CASE("experts over ep and tp: rows sent, gathered, summed and sent back, both directions") {
    for (const std::int64_t ep : {1, 2, 4}) {
      for (const std::int64_t tp : {1, 2, 4}) {
        CAPTURE(ep);
        CAPTURE(tp);
        SplitMixture({.batch = 1,
                      .seq = 16,
                      .hidden = 4,
                      .tp = tp,
                      .dtype = Dtype::bf16,
                      .ffn = 8,
                      .experts = 8,
                      .top_k = 2,
                      .ep = ep,
                      .sequence_parallel = tp > 1})
            .run();
      }
    }
  }
}
