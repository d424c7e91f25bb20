#include "sim/dependencies.hpp"

namespace pipesim {

namespace {

Dependency on_stage(Op op, OpKind kind, int stage) {
  op.kind = kind;
  op.stage = Stage{stage};
  return {.op = op, .latency = Ticks{0}};
}

}  // namespace

DependencyList data_predecessors(const Problem& problem, const Op& op) {
  const int stage = op.stage.value;
  DependencyList needed;
  if (op.kind == OpKind::forward) {
    if (stage > 0) needed.add(on_stage(op, OpKind::forward, stage - 1));
  } else {
    needed.add(on_stage(op, OpKind::forward, stage));
    if (stage + 1 < problem.stages()) needed.add(on_stage(op, OpKind::backward, stage + 1));
  }
  return needed;
}

DependencyList data_successors(const Problem& problem, const Op& op) {
  const int stage = op.stage.value;
  DependencyList fed;
  if (op.kind == OpKind::forward) {
    if (stage + 1 < problem.stages()) fed.add(on_stage(op, OpKind::forward, stage + 1));
    fed.add(on_stage(op, OpKind::backward, stage));
  } else if (stage > 0) {
    fed.add(on_stage(op, OpKind::backward, stage - 1));
  }
  return fed;
}

}  // namespace pipesim
