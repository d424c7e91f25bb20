#include "sim/memory_rules.hpp"

#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "sim/error.hpp"

namespace pipesim {

Memory memory_rules(const Problem& problem) {
  if (!problem.memory.stages.empty()) return problem.memory;
  // A device has stages / devices stages on average: activation / units_per_microbatch is the
  // inverse of that, in lowest terms but for the 2 that halves it.
  const std::int64_t common = std::gcd(problem.stages(), problem.devices);
  const StageMemory stage = {.activation = 2 * (problem.devices / common),
                             .kept_for_weight = problem.devices / common};
  Memory rules;
  rules.units_per_microbatch = 2 * (problem.stages() / common);
  rules.stages.assign(static_cast<std::size_t>(problem.stages()), stage);
  if (problem.memory_limit) {
    std::int64_t limit = 0;
    // A limit beyond int64 is none.
    if (!__builtin_mul_overflow(*problem.memory_limit, rules.units_per_microbatch, &limit)) {
      rules.limit = limit;
    }
  }
  return rules;
}

Memory activation_rules(const Problem& problem) {
  Memory rules;
  for (int stage = 0; stage < problem.stages(); ++stage) {
    rules.stages.push_back(problem.recomputes(Stage{stage})
                               ? StageMemory{.input = 1}
                               : StageMemory{.activation = 1, .kept_for_weight = 1});
  }
  return rules;
}

namespace {

std::int64_t taken_at_start(const Problem& problem, const StageMemory& stage, const Op& op) {
  if (op.kind == OpKind::recompute || op.kind == OpKind::load) return stage.activation;
  if (op.kind != OpKind::forward) return 0;
  return problem.recomputes(op.stage) ? stage.input : stage.activation;
}

std::int64_t released_at_end(const Problem& problem, const StageMemory& stage, const Op& op) {
  const std::int64_t input = problem.recomputes(op.stage) ? stage.input : 0;
  switch (op.kind) {
    case OpKind::backward:
      return stage.activation + input;
    case OpKind::evict:
      return stage.activation;
    case OpKind::backward_input:
      return stage.activation - stage.kept_for_weight;
    case OpKind::backward_weight:
      return stage.kept_for_weight + input;
    default:
      return 0;
  }
}

}  // namespace

MemoryEffect memory_effect(const Problem& problem, const Memory& rules, const Step& step) {
  MemoryEffect effect;
  const auto add = [&](const Op& op) {
    const StageMemory& stage = rules.stages[static_cast<std::size_t>(op.stage.value)];
    effect.taken += taken_at_start(problem, stage, op);
    effect.released += released_at_end(problem, stage, op);
  };
  add(step.op);
  if (step.overlapped) add(*step.overlapped);
  return effect;
}

std::vector<std::int64_t> resident_memory(const Problem& problem) {
  return resident_memory(problem, memory_rules(problem));
}

std::vector<std::int64_t> resident_memory(const Problem& problem, const Memory& rules) {
  std::vector<std::int64_t> resident(static_cast<std::size_t>(problem.devices));
  for (const std::vector<Device>& flow : problem.placement.device_of) {
    for (std::size_t stage = 0; stage < flow.size(); ++stage) {
      const auto device = static_cast<std::size_t>(flow[stage].value);
      const StageMemory& held = rules.stages[stage];
      std::int64_t& sum = resident[device];
      sum = add_memory(sum, held.resident, flow[stage]);
      std::int64_t more = 0;
      if (__builtin_mul_overflow(held.parameters, weight_versions(problem, flow[stage]) - 1,
                                 &more)) {
        more = std::numeric_limits<std::int64_t>::max();
      }
      sum = add_memory(sum, more, flow[stage]);
    }
  }
  return resident;
}

std::int64_t add_memory(std::int64_t amount, std::int64_t delta, Device device) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(amount, delta, &sum)) {
    throw Error(Fault{.pointer = "/memory",
                      .what = fmt::format("device {} holds more than can be counted", device.value),
                      .allowed = "less than 2^63 bytes"});
  }
  return sum;
}

}  // namespace pipesim
