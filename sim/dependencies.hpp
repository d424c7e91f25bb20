// Which ops an op needs, and which need it: one function of problem and op, never of a schedule.
#pragma once

#include <array>
#include <cstddef>

#include "sim/problem.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// An op at the other end of a data edge, and how long after the producer's end the consumer may
/// start (the transfer between their devices).
struct Dependency {
  Op op;
  Ticks latency;
};

/// At most two of them, without an allocation.
class DependencyList {
 public:
  void add(const Dependency& dependency) { items_[size_++] = dependency; }
  const Dependency* begin() const { return items_.data(); }
  const Dependency* end() const { return items_.data() + size_; }
  std::size_t size() const { return size_; }

 private:
  std::array<Dependency, 2> items_;
  std::size_t size_ = 0;
};

/// The ops whose results `op` needs. A forward needs the forward of the stage before it; a
/// backward needs the forward of its own stage and the backward of the stage after it.
/// (GPipe, 1811.06965, section 2.3.)
DependencyList data_predecessors(const Problem& problem, const Op& op);

/// The ops that need the result of `op`: the inverse of data_predecessors().
DependencyList data_successors(const Problem& problem, const Op& op);

}  // namespace pipesim
