// Multiplies small matrices split over ranks: every placement and every collective of an FFN, in
// all pairings, forward and backward, against the unsplit product and finite differences.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "sim/tensor_parallel.hpp"
#include "tests/sharded_arrays.hpp"

using namespace pipesim;
using namespace pipesim::test;

namespace {

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

double gelu_derivative(double x) {
  constexpr double kPi = 3.14159265358979323846;
  return 0.5 * (1 + std::erf(x / std::sqrt(2.0))) + x * std::exp(-x * x / 2) / std::sqrt(2 * kPi);
}

template <class Function>
Array mapped(Array array, Function function) {
  for (double& value : array.values) value = function(value);
  return array;
}

Array multiplied(Array left, const Array& right) {
  for (std::size_t i = 0; i < left.values.size(); ++i) left.values[i] *= right.values[i];
  return left;
}

Array ffn(const Array& x, const Array& w1, const Array& w2) {
  return times(mapped(times(x, w1), gelu), w2);
}

/// The numbers of an unsplit FFN whose loss is the sum of Z * dZ.
struct Unsplit {
  Array x, w1, y, a, w2, z, dz, da, dy, dx, dw1, dw2;

  explicit Unsplit(const LayerSizes& sizes) {
    std::mt19937 random(7);
    x = random_array({sizes.batch, sizes.seq, sizes.hidden}, random);
    w1 = random_array({sizes.hidden, sizes.inner()}, random);
    w2 = random_array({sizes.inner(), sizes.hidden}, random);
    dz = random_array(x.shape, random);
    y = times(x, w1);
    a = mapped(y, gelu);
    z = times(a, w2);
    da = times(dz, w2, true);
    dy = multiplied(da, mapped(y, gelu_derivative));
    dx = times(dy, w1, true);
    dw1 = weight_gradient(x, dy);
    dw2 = weight_gradient(a, dz);
  }
};

/// An FFN on ranks, step by step as the block describes it.
class SplitFfn {
 public:
  SplitFfn(const LayerSizes& sizes, const Pairing& pairing)
      : sizes_(sizes),
        block_(ffn_block(sizes, pairing)),
        ranks_(static_cast<std::size_t>(sizes.tp)),
        used_(block_.communications.size()) {}

  void run() {
    forward();
    backward();
    for (std::size_t i = 0; i < used_.size(); ++i) {
      CAPTURE(block_.communications[i].tensor);
      CHECK(used_[i] == (block_.communications[i].collective != Collective::none));
    }
  }

  /// Terms of Y as the ranks have them after Linear1.
  const Ranks& terms_of_y() const { return y_; }
  const Unsplit& unsplit() const { return whole_; }

 private:
  void forward() {
    const Tensor& outside = first("X");
    x_ = arrive(placed(whole_.x, outside, ranks_), whole_.x, outside, last("X"), "Linear1", "X",
                PassDirection::forward);
    w1_ = placed(whole_.w1, first("W1"), ranks_);
    w2_ = placed(whole_.w2, first("W2"), ranks_);
    for (std::size_t r = 0; r < ranks_; ++r) y_.push_back(times(x_[r], w1_[r]));
    CHECK(lies_as(y_, whole_.y, first("Y")));
    // What must happen before GeLU, GeLU, what may happen after it.
    Ranks a =
        communicated(y_, whole_.y, first("Y"), first("A"), "Linear1", "Y", PassDirection::forward);
    taken_y_ = a;
    for (Array& array : a) array = mapped(array, gelu);
    a_ = arrive(a, whole_.a, with_placement_of_parts(first("A"), first("Y"), a), first("A"),
                "Linear2", "A", PassDirection::forward);
    Ranks z;
    for (std::size_t r = 0; r < ranks_; ++r) z.push_back(times(a_[r], w2_[r]));
    CHECK(lies_as(z, whole_.z, first("Z")));
    arrive(z, whole_.z, first("Z"), last("Z"), "Linear2", "Z", PassDirection::forward);
  }

  void backward() {
    const auto direction = PassDirection::backward;
    const Ranks dz = arrive(placed(whole_.dz, first("dL/dZ"), ranks_), whole_.dz, first("dL/dZ"),
                            last("dL/dZ"), "Linear2", "dL/dZ", direction);
    Ranks da;
    Ranks dw1;
    Ranks dw2;
    Ranks dx;
    for (std::size_t r = 0; r < ranks_; ++r) {
      dw2.push_back(weight_gradient(a_[r], dz[r]));
      da.push_back(times(dz[r], w2_[r], true));
    }
    CHECK(lies_as(dw2, whole_.dw2, first("dL/dW2")));
    CHECK(lies_as(da, whole_.da, first("dL/dA")));
    Ranks dy =
        communicated(da, whole_.da, first("dL/dA"), first("dL/dY"), "Linear2", "dL/dA", direction);
    // A rank multiplies where it has Y: all of it, or its slice.
    for (std::size_t r = 0; r < ranks_; ++r) dy[r] = multiplied(dy[r], derivative(r, dy[r]));
    dy = arrive(dy, whole_.dy, with_placement_of_parts(first("dL/dY"), first("A"), dy),
                first("dL/dY"), "Linear1", "dL/dY", direction);
    const Ranks x = gathered_again(direction);
    for (std::size_t r = 0; r < ranks_; ++r) {
      dw1.push_back(weight_gradient(x[r], dy[r]));
      dx.push_back(times(dy[r], w1_[r], true));
    }
    CHECK(lies_as(dw1, whole_.dw1, first("dL/dW1")));
    CHECK(lies_as(dx, whole_.dx, first("dL/dX")));
    arrive(dx, whole_.dx, first("dL/dX"), last("dL/dX"), "Linear1", "dL/dX", direction);
  }

  Array derivative(std::size_t rank, const Array& like) const {
    const Array all = mapped(whole_.y, gelu_derivative);
    return like.shape == all.shape ? all : slice(all, 2, rank, ranks_);
  }

  /// With sequence parallelism X is gathered for the weight's gradient too.
  Ranks gathered_again(PassDirection direction) {
    if (find("Linear1", "X", direction) == nullptr) return x_;
    return arrive(placed(whole_.x, first("X"), ranks_), whole_.x, first("X"), last("X"), "Linear1",
                  "X", direction);
  }

  /// `tensor` as it lies after an element-wise function that kept what the ranks had.
  static Tensor with_placement_of_parts(Tensor tensor, const Tensor& before, const Ranks& ranks) {
    if (ranks.front().shape != shape_on_rank(tensor)) tensor.placement = before.placement;
    return tensor;
  }

  const Tensor& first(const std::string& name) const {
    return *std::find_if(block_.tensors.begin(), block_.tensors.end(),
                         [&](const Tensor& tensor) { return tensor.name == name; });
  }

  const Tensor& last(const std::string& name) const {
    return *std::find_if(block_.tensors.rbegin(), block_.tensors.rend(),
                         [&](const Tensor& tensor) { return tensor.name == name; });
  }

  const LayerCommunication* find(const std::string& operation, const std::string& tensor,
                                 PassDirection direction) const {
    for (const LayerCommunication& given : block_.communications) {
      if (given.operation == operation && given.tensor == tensor && given.direction == direction) {
        return &given;
      }
    }
    return nullptr;
  }

  /// After the collective that the block names, or as before if it names none.
  Ranks communicated(const Ranks& ranks, const Array& array, const Tensor& from, const Tensor& to,
                     const std::string& operation, const std::string& tensor,
                     PassDirection direction) {
    const LayerCommunication* given = find(operation, tensor, direction);
    if (given == nullptr) return ranks;
    CAPTURE(tensor);
    CHECK_FALSE(lies_as(ranks, array, to));  // so it is needed
    used_[static_cast<std::size_t>(given - block_.communications.data())] = true;
    const auto cut = [&](const Tensor& of) {
      return of.placement.kind == TensorPlacement::Kind::split
                 ? position(of, of.placement.dimension)
                 : 0;
    };
    const Moved result = moved(ranks, given->collective, cut(from), cut(to));
    CHECK(sent_as(result, *given, sizes_.dtype));
    return result.ranks;
  }

  /// The same, or each rank takes its slice; in any case the tensor then lies as it is taken.
  Ranks arrive(const Ranks& ranks, const Array& array, const Tensor& from, const Tensor& to,
               const std::string& operation, const std::string& tensor, PassDirection direction) {
    CAPTURE(tensor);
    Ranks there = communicated(ranks, array, from, to, operation, tensor, direction);
    const bool takes_its_slice = from.placement.kind == TensorPlacement::Kind::whole &&
                                 to.placement.kind == TensorPlacement::Kind::split;
    if (takes_its_slice) there = placed(there.front(), to, ranks_);
    CHECK(lies_as(there, array, to));
    return there;
  }

  LayerSizes sizes_;
  LayerBlock block_;
  std::size_t ranks_;
  std::vector<bool> used_;
  Unsplit whole_{sizes_};
  Ranks x_, w1_, w2_, y_, taken_y_, a_;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("unsplit: the gradients are those of finite differences") {
    const Unsplit of({.batch = 2, .seq = 2, .hidden = 3, .tp = 1});
    const auto loss = [&](const Array& x, const Array& w1, const Array& w2) {
      return dot(ffn(x, w1, w2), of.dz);
    };
    constexpr double kTolerance = 1e-7;
    CHECK(close(of.z, ffn(of.x, of.w1, of.w2)));
    CHECK(close(of.dx,
                numeric_gradient(of.x, [&](const Array& x) { return loss(x, of.w1, of.w2); }),
                kTolerance));
    CHECK(close(of.dw1,
                numeric_gradient(of.w1, [&](const Array& w1) { return loss(of.x, w1, of.w2); }),
                kTolerance));
    CHECK(close(of.dw2,
                numeric_gradient(of.w2, [&](const Array& w2) { return loss(of.x, of.w1, w2); }),
                kTolerance));
  }

  TEST_CASE("every pairing computes the unsplit FFN with exactly what it says it communicates") {
    for (const std::int64_t tp : {2, 3, 4}) {
      for (const bool sequence_parallel : {false, true}) {
        for (const Pairing& pairing : kPairings) {
          CAPTURE(tp);
          CAPTURE(sequence_parallel);
          CAPTURE(name(pairing));
          SplitFfn({.batch = 2,
                    .seq = 2 * tp,
                    .hidden = tp * tp,
                    .tp = tp,
                    .dtype = Dtype::bf16,
                    .ffn = 3 * tp * tp,
                    .sequence_parallel = sequence_parallel},
                   pairing)
              .run();
        }
      }
    }
  }

  TEST_CASE("row first: GeLU of the sum is not the sum of GeLUs, so the sum comes first") {
    SplitFfn split({.batch = 1, .seq = 4, .hidden = 8, .tp = 4},
                   {WeightSplit::row, WeightSplit::row});
    split.run();
    Ranks too_early = split.terms_of_y();
    CHECK(close(sum(too_early), split.unsplit().y));
    for (Array& terms : too_early) terms = mapped(terms, gelu);
    CHECK_FALSE(close(sum(too_early), split.unsplit().a, 0.1));
  }
}
