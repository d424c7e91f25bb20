#include "sim/dependencies.hpp"

namespace pipesim {

DependencyList data_predecessors(const Problem& problem, const Op& op) {
  const int stage = op.stage.value;
  DependencyList needed;
  switch (role(op.kind)) {
    case Role::forward:
      if (stage > 0) needed.add(Role::forward, stage - 1);
      break;
    case Role::gradient:
      needed.add(problem.recomputes(op.stage) ? Role::recompute : Role::forward, stage);
      if (stage + 1 < problem.stages()) needed.add(Role::gradient, stage + 1);
      break;
    case Role::weight:
      needed.add(Role::gradient, stage);
      break;
    case Role::recompute:
      needed.add(Role::forward, stage);
      break;
  }
  return needed;
}

DependencyList data_successors(const Problem& problem, const Op& op) {
  const int stage = op.stage.value;
  DependencyList fed;
  switch (role(op.kind)) {
    case Role::forward:
      if (stage + 1 < problem.stages()) fed.add(Role::forward, stage + 1);
      fed.add(problem.recomputes(op.stage) ? Role::recompute : Role::gradient, stage);
      break;
    case Role::gradient:
      if (stage > 0) fed.add(Role::gradient, stage - 1);
      fed.add(Role::weight, stage);
      break;
    case Role::weight:
      break;
    case Role::recompute:
      fed.add(Role::gradient, stage);
      break;
  }
  return fed;
}

}  // namespace pipesim
