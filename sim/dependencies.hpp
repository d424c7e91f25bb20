// Which ops an op needs, and which need it: one function of problem and op, never of a schedule.
#pragma once

#include <array>
#include <cstddef>

#include "sim/problem.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// The other end of a data edge: the op in that role at that stage, of that microbatch.
struct Dependency {
  Role role = Role::forward;
  Stage stage;
  Microbatch microbatch;
};

/// At most four of them, without an allocation.
class DependencyList {
 public:
  void add(Role role, int stage, Microbatch microbatch) {
    items_[size_++] = {.role = role, .stage = Stage{stage}, .microbatch = microbatch};
  }
  const Dependency* begin() const { return items_.data(); }
  const Dependency* end() const { return items_.data() + size_; }
  std::size_t size() const { return size_; }

 private:
  std::array<Dependency, 4> items_;
  std::size_t size_ = 0;
};

/// The ops whose results `op` needs. A forward needs the forward of the stage before it; a
/// backward or input gradient the activations of its own stage (its forward, or the recomputation
/// where the stage recomputes) and the gradient of the stage after it; a weight gradient the
/// input gradient of its stage; a recomputation the forward of its stage. (GPipe, 1811.06965,
/// section 2.3; Zero Bubble, 2401.10241, section 2.1.) Where microbatches are cut into slices, a
/// forward also needs that of the slice before it and a gradient that of the slice after it, at the
/// same stage (Seq1F1B, 2406.03488, section 3). Where devices park activations, an EVICT needs the
/// forward, a LOAD the EVICT and a gradient the LOAD (BPipe, ICML 2023); the ops of a program may
/// have none. Requires a kind that a program orders.
DependencyList data_predecessors(const Problem& problem, const Op& op);

/// The inverse of data_predecessors(). A weight gradient is named after every backward; a full
/// backward has none; so are EVICT and LOAD where devices park.
DependencyList data_successors(const Problem& problem, const Op& op);

}  // namespace pipesim
