// Numbers that lie over several ranks, and collectives that really move them and count what each
// rank sends. Shares only the vocabulary of sim/sharding.hpp with the code under test.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "sim/sharding.hpp"

namespace pipesim::test {

/// An array of any number of dimensions, the last one the fastest.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(std::vector<std::int64_t> of) : shape(std::move(of)) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    values.resize(static_cast<std::size_t>(size));
  }
};

inline Array random_array(std::vector<std::int64_t> shape, std::mt19937& random) {
  Array array(std::move(shape));
  std::uniform_real_distribution<double> values(-1, 1);
  for (double& value : array.values) value = values(random);
  return array;
}

/// The elements before, in and after a dimension.
struct Extents {
  std::size_t outer = 1;
  std::size_t own = 1;
  std::size_t inner = 1;
};

inline Extents extents(const Array& array, std::size_t dimension) {
  Extents of;
  for (std::size_t i = 0; i < array.shape.size(); ++i) {
    const auto extent = static_cast<std::size_t>(array.shape[i]);
    (i < dimension ? of.outer : i == dimension ? of.own : of.inner) *= extent;
  }
  return of;
}

/// Part `part` of `parts` along a dimension.
inline Array slice(const Array& array, std::size_t dimension, std::size_t part, std::size_t parts) {
  const Extents of = extents(array, dimension);
  Array result;
  result.shape = array.shape;
  result.shape[dimension] /= static_cast<std::int64_t>(parts);
  const std::size_t own = of.own / parts;
  for (std::size_t i = 0; i < of.outer; ++i) {
    const auto begin =
        array.values.begin() + static_cast<std::ptrdiff_t>((i * of.own + part * own) * of.inner);
    result.values.insert(result.values.end(), begin,
                         begin + static_cast<std::ptrdiff_t>(own * of.inner));
  }
  return result;
}

inline Array joined(const std::vector<Array>& parts, std::size_t dimension) {
  Array result;
  result.shape = parts.front().shape;
  result.shape[dimension] *= static_cast<std::int64_t>(parts.size());
  const Extents of = extents(parts.front(), dimension);
  for (std::size_t i = 0; i < of.outer; ++i) {
    for (const Array& part : parts) {
      const auto begin = part.values.begin() + static_cast<std::ptrdiff_t>(i * of.own * of.inner);
      result.values.insert(result.values.end(), begin,
                           begin + static_cast<std::ptrdiff_t>(of.own * of.inner));
    }
  }
  return result;
}

inline Array& operator+=(Array& left, const Array& right) {
  REQUIRE(left.shape == right.shape);
  for (std::size_t i = 0; i < left.values.size(); ++i) left.values[i] += right.values[i];
  return left;
}

inline bool close(const Array& left, const Array& right, double tolerance = 1e-9) {
  if (left.shape != right.shape) return false;
  for (std::size_t i = 0; i < left.values.size(); ++i) {
    if (std::abs(left.values[i] - right.values[i]) > tolerance) return false;
  }
  return true;
}

/// X[..., k] W[k, n], or with `transposed` X[..., n] W[k, n]^T.
inline Array times(const Array& x, const Array& w, bool transposed = false) {
  const auto rows = static_cast<std::size_t>(w.shape[0]);
  const auto columns = static_cast<std::size_t>(w.shape[1]);
  const std::size_t in = transposed ? columns : rows;
  const std::size_t out = transposed ? rows : columns;
  REQUIRE(static_cast<std::size_t>(x.shape.back()) == in);
  std::vector<std::int64_t> shape = x.shape;
  shape.back() = static_cast<std::int64_t>(out);
  Array y(shape);
  for (std::size_t i = 0; i < x.values.size() / in; ++i) {
    for (std::size_t k = 0; k < in; ++k) {
      for (std::size_t j = 0; j < out; ++j) {
        const double weight = w.values[transposed ? j * columns + k : k * columns + j];
        y.values[i * out + j] += x.values[i * in + k] * weight;
      }
    }
  }
  return y;
}

/// X[..., k]^T Y[..., n] over all positions.
inline Array weight_gradient(const Array& x, const Array& y) {
  const auto rows = static_cast<std::size_t>(x.shape.back());
  const auto columns = static_cast<std::size_t>(y.shape.back());
  Array result({x.shape.back(), y.shape.back()});
  for (std::size_t i = 0; i < x.values.size() / rows; ++i) {
    for (std::size_t k = 0; k < rows; ++k) {
      for (std::size_t j = 0; j < columns; ++j) {
        result.values[k * columns + j] += x.values[i * rows + k] * y.values[i * columns + j];
      }
    }
  }
  return result;
}

inline double dot(const Array& left, const Array& right) {
  double sum = 0;
  for (std::size_t i = 0; i < left.values.size(); ++i) sum += left.values[i] * right.values[i];
  return sum;
}

/// The gradient of a scalar function of an array by central differences.
template <class Function>
Array numeric_gradient(Array at, Function function) {
  constexpr double kStep = 1e-5;
  Array gradient(at.shape);
  for (std::size_t i = 0; i < at.values.size(); ++i) {
    const double value = at.values[i];
    at.values[i] = value + kStep;
    const double above = function(at);
    at.values[i] = value - kStep;
    gradient.values[i] = (above - function(at)) / (2 * kStep);
    at.values[i] = value;
  }
  return gradient;
}

/// What each rank has.
using Ranks = std::vector<Array>;

/// The position of a named dimension of a tensor.
inline std::size_t position(const Tensor& tensor, const std::string& dimension) {
  std::size_t i = 0;
  while (tensor.dimensions[i].name != dimension) ++i;
  return i;
}

inline Ranks placed(const Array& array, const Tensor& tensor, std::size_t ranks) {
  const TensorPlacement& placement = tensor.placement;
  REQUIRE(placement.kind != TensorPlacement::Kind::partial_sum);
  Ranks result(ranks, array);
  if (placement.kind == TensorPlacement::Kind::whole) return result;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    result[rank] = slice(array, position(tensor, placement.dimension),
                         rank / static_cast<std::size_t>(placement.copies),
                         static_cast<std::size_t>(placement.parts));
  }
  return result;
}

inline Array sum(const Ranks& ranks) {
  Array total = ranks.front();
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) total += ranks[rank];
  return total;
}

/// Whether the ranks have of `array` what the tensor says, shapes included.
inline bool lies_as(const Ranks& ranks, const Array& array, const Tensor& tensor) {
  for (const Array& of_rank : ranks) {
    if (of_rank.shape != shape_on_rank(tensor)) return false;
  }
  if (tensor.placement.kind == TensorPlacement::Kind::partial_sum) {
    return close(sum(ranks), array);
  }
  const Ranks expected = placed(array, tensor, ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    if (!close(ranks[rank], expected[rank])) return false;
  }
  return true;
}

/// The ranks after a collective, and how many elements each of them sent.
struct Moved {
  Ranks ranks;
  std::vector<std::size_t> sent;
};

/// A ring reduce-scatter: in P-1 rounds each rank passes a growing sum on to the next. Rank r ends
/// with the sum of chunk r.
inline Moved ring_reduce(const std::vector<std::vector<Array>>& chunks) {
  const std::size_t ranks = chunks.size();
  auto held = chunks;  // of rank, by chunk
  Moved result{Ranks(ranks), std::vector<std::size_t>(ranks)};
  for (std::size_t round = 1; round < ranks; ++round) {
    const auto before = held;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const std::size_t chunk = (rank + ranks - round) % ranks;
      held[(rank + 1) % ranks][chunk] += before[rank][chunk];
      result.sent[rank] += before[rank][chunk].values.size();
    }
  }
  for (std::size_t rank = 0; rank < ranks; ++rank) result.ranks[rank] = held[rank][rank];
  return result;
}

/// A ring all-gather: in P-1 rounds each rank passes on what it got last. Returns by rank and
/// chunk.
inline std::vector<std::vector<Array>> ring_gather(const Ranks& own,
                                                   std::vector<std::size_t>& sent) {
  const std::size_t ranks = own.size();
  std::vector<std::vector<Array>> held(ranks, std::vector<Array>(ranks));
  for (std::size_t rank = 0; rank < ranks; ++rank) held[rank][rank] = own[rank];
  for (std::size_t round = 0; round + 1 < ranks; ++round) {
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const std::size_t chunk = (rank + ranks - round) % ranks;
      held[(rank + 1) % ranks][chunk] = held[rank][chunk];
      sent[rank] += held[rank][chunk].values.size();
    }
  }
  return held;
}

inline std::vector<std::vector<Array>> sliced(const Ranks& ranks, std::size_t dimension) {
  std::vector<std::vector<Array>> chunks(ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    for (std::size_t part = 0; part < ranks.size(); ++part) {
      chunks[rank].push_back(slice(ranks[rank], dimension, part, ranks.size()));
    }
  }
  return chunks;
}

/// Runs the collective; `from` and `to` are the dimensions that are split before and after.
inline Moved moved(const Ranks& ranks, Collective collective, std::size_t from, std::size_t to) {
  Moved result{ranks, std::vector<std::size_t>(ranks.size())};
  switch (collective) {
    case Collective::none:
      break;
    case Collective::reduce_scatter:
      return ring_reduce(sliced(ranks, to));
    case Collective::all_gather: {
      const auto gathered = ring_gather(ranks, result.sent);
      for (std::size_t r = 0; r < ranks.size(); ++r) result.ranks[r] = joined(gathered[r], from);
      break;
    }
    case Collective::all_reduce: {
      Ranks flat = ranks;
      for (Array& array : flat) array.shape = {static_cast<std::int64_t>(array.values.size())};
      Moved reduced = ring_reduce(sliced(flat, 0));
      const auto gathered = ring_gather(reduced.ranks, reduced.sent);
      for (std::size_t r = 0; r < ranks.size(); ++r) {
        result.ranks[r].values = joined(gathered[r], 0).values;
      }
      result.sent = reduced.sent;
      break;
    }
    case Collective::all_to_all: {
      const auto parts = sliced(ranks, to);
      for (std::size_t r = 0; r < ranks.size(); ++r) {
        Ranks received;
        for (std::size_t sender = 0; sender < ranks.size(); ++sender) {
          received.push_back(parts[sender][r]);
          if (sender != r) result.sent[sender] += parts[sender][r].values.size();
        }
        result.ranks[r] = joined(received, from);
      }
      break;
    }
  }
  return result;
}

/// Whether every rank sent what the communication says.
inline bool sent_as(const Moved& moved, const LayerCommunication& given, Dtype dtype) {
  for (const std::size_t sent : moved.sent) {
    const Ratio bytes{(size(dtype) * Int128{sent}).count, 1};
    if (bytes != given.wire_bytes) return false;
  }
  return true;
}

}  // namespace pipesim::test
