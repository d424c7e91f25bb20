#include "sim/dependencies.hpp"

namespace pipesim {

namespace {

bool is_first_slice(const Problem& problem, Microbatch slice) {
  return slice.value % problem.slices == 0;
}

bool is_last_slice(const Problem& problem, Microbatch slice) {
  return slice.value % problem.slices == problem.slices - 1;
}

Microbatch after(Microbatch slice) { return Microbatch{slice.value + 1}; }
Microbatch before(Microbatch slice) { return Microbatch{slice.value - 1}; }

}  // namespace

DependencyList data_predecessors(const Problem& problem, const Op& op) {
  const int stage = op.stage.value;
  const Microbatch own = op.microbatch;
  DependencyList needed;
  switch (role(op.kind)) {
    case Role::forward:
      if (stage > 0) needed.add(Role::forward, stage - 1, own);
      if (!is_first_slice(problem, own)) needed.add(Role::forward, stage, before(own));
      break;
    case Role::gradient:
      needed.add(problem.recomputes(op.stage) ? Role::recompute : Role::forward, stage, own);
      if (stage + 1 < problem.stages()) needed.add(Role::gradient, stage + 1, own);
      if (!is_last_slice(problem, own)) needed.add(Role::gradient, stage, after(own));
      if (!problem.parking.keeper.empty()) needed.add(Role::load, stage, own);
      break;
    case Role::weight:
      needed.add(Role::gradient, stage, own);
      break;
    case Role::recompute:
    case Role::evict:
      needed.add(Role::forward, stage, own);
      break;
    case Role::load:
      needed.add(Role::evict, stage, own);
      break;
  }
  return needed;
}

DependencyList data_successors(const Problem& problem, const Op& op) {
  const int stage = op.stage.value;
  const Microbatch own = op.microbatch;
  DependencyList fed;
  switch (role(op.kind)) {
    case Role::forward:
      if (stage + 1 < problem.stages()) fed.add(Role::forward, stage + 1, own);
      fed.add(problem.recomputes(op.stage) ? Role::recompute : Role::gradient, stage, own);
      if (!is_last_slice(problem, own)) fed.add(Role::forward, stage, after(own));
      if (!problem.parking.keeper.empty()) fed.add(Role::evict, stage, own);
      break;
    case Role::gradient:
      if (stage > 0) fed.add(Role::gradient, stage - 1, own);
      fed.add(Role::weight, stage, own);
      if (!is_first_slice(problem, own)) fed.add(Role::gradient, stage, before(own));
      break;
    case Role::weight:
      break;
    case Role::recompute:
    case Role::load:
      fed.add(Role::gradient, stage, own);
      break;
    case Role::evict:
      fed.add(Role::load, stage, own);
      break;
  }
  return fed;
}

}  // namespace pipesim
