#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "sim/error.hpp"
#include "sim/program.hpp"
#include "sim/validate_loops.hpp"

namespace pipesim {

namespace {

[[noreturn]] void fail(std::string what, std::string allowed) {
  throw Error(
      Fault{.pointer = "/schedule", .what = std::move(what), .allowed = std::move(allowed)});
}

/// Which kinds have been seen of each stage and microbatch.
class SeenOps {
 public:
  explicit SeenOps(const Problem& problem)
      : problem_(problem),
        seen_(static_cast<std::size_t>(problem.stages()) *
              static_cast<std::size_t>(problem.microbatches)) {
    for (int stage = 0; stage < problem.stages(); ++stage) allowed_.push_back(allowed(stage));
    second_flow_ = problem.placement.flows() == 1 ? problem.microbatches
                                                  : problem.first_microbatch(Flow{1}).value;
  }

  void add(const Op& op, std::size_t device) {
    // Tables tell whether a rule is broken, the rules themselves which one.
    if (!is_possible(op, device)) require_exists(op, device);
    Kinds& seen = seen_[index(op.stage.value, op.microbatch.value)];
    if ((seen & bit(op.kind)) != 0) {
      fail(fmt::format("{} stands twice on device {}", token(op), device), "each op once");
    }
    seen |= bit(op.kind);
  }

  void require_complete() const {
    for (int stage = 0; stage < problem_.stages(); ++stage) {
      const Kinds recompute = problem_.recomputes(Stage{stage}) ? bit(OpKind::recompute) : 0;
      const auto usual =
          static_cast<Kinds>(bit(OpKind::forward) | bit(OpKind::backward) | recompute);
      for (int microbatch = 0; microbatch < problem_.microbatches; ++microbatch) {
        if (seen_[index(stage, microbatch)] == usual) continue;
        require_complete(Stage{stage}, Microbatch{microbatch});
      }
    }
  }

 private:
  using Kinds = std::uint16_t;  // a bit for each

  static constexpr Kinds bit(OpKind kind) {
    return static_cast<Kinds>(1U << static_cast<unsigned>(kind));
  }

  // The kinds of ops that a stage may have.
  Kinds allowed(int stage) const {
    Kinds kinds = 0;
    for (OpKind kind = OpKind::forward; kind <= OpKind::load;
         kind = static_cast<OpKind>(static_cast<int>(kind) + 1)) {
      const Op op = {.kind = kind, .stage = Stage{stage}, .microbatch = {}};
      if (has_kind(op) && !lacks_split_cost(op)) kinds |= bit(kind);
    }
    return kinds;
  }

  bool is_possible(const Op& op, std::size_t device) const {
    if (op.stage < Stage{} || op.stage >= Stage{problem_.stages()}) return false;
    if (op.microbatch < Microbatch{} || op.microbatch.value >= problem_.microbatches) return false;
    const auto stage = static_cast<std::size_t>(op.stage.value);
    const auto& device_of =
        problem_.placement.device_of[op.microbatch.value < second_flow_ ? 0 : 1];
    return (allowed_[stage] & bit(op.kind)) != 0 && device_of[stage] == Device{device};
  }

  std::size_t index(int stage, int microbatch) const {
    return static_cast<std::size_t>(stage) * static_cast<std::size_t>(problem_.microbatches) +
           static_cast<std::size_t>(microbatch);
  }

  // Requires a stage of the problem.
  bool has_kind(const Op& op) const {
    const bool recomputes = problem_.recomputes(op.stage);
    if (is_parking(op.kind)) return !problem_.parking.keeper.empty() && !recomputes;
    return is_compute(op.kind) && (op.kind != OpKind::recompute || recomputes);
  }

  bool lacks_split_cost(const Op& op) const {
    const bool is_split = op.kind == OpKind::backward_input || op.kind == OpKind::backward_weight;
    return is_split && !problem_.costs[static_cast<std::size_t>(op.stage.value)].weight;
  }

  void require_exists(const Op& op, std::size_t device) const {
    const bool exists = op.stage >= Stage{} && op.stage < Stage{problem_.stages()} &&
                        op.microbatch >= Microbatch{} &&
                        op.microbatch < Microbatch{problem_.microbatches} && has_kind(op);
    if (!exists) {
      fail(fmt::format("{} on device {} is not an op of this problem", token(op), device),
           fmt::format("stages 0 to {}, microbatches 0 to {}", problem_.stages() - 1,
                       problem_.microbatches - 1));
    }
    if (problem_.device(op) != Device{device}) {
      fail(fmt::format("{} is on device {}", token(op), device),
           fmt::format("stage {} is on device {}", op.stage.value, problem_.device(op).value));
    }
    if (lacks_split_cost(op)) {
      throw Error(Fault{.pointer = "/t_w",
                        .what = fmt::format("missing: {} splits the backward", token(op)),
                        .allowed = "required: a time of at most t_b"});
    }
  }

  void require_complete(Stage stage, Microbatch microbatch) const {
    const Kinds kinds = seen_[index(stage.value, microbatch.value)];
    const auto has = [&](OpKind kind) { return (kinds & bit(kind)) != 0; };
    const auto require = [&](OpKind kind) {
      if (has(kind)) return;
      fail(fmt::format("{} is missing on device {}",
                       token(Op{.kind = kind, .stage = stage, .microbatch = microbatch}),
                       problem_.device(stage, microbatch).value),
           "each op once");
    };
    const bool split = has(OpKind::backward_input) || has(OpKind::backward_weight);
    require(OpKind::forward);
    if (split && has(OpKind::backward)) {
      fail(fmt::format("stage {} has a full and a split backward of microbatch {}", stage.value,
                       microbatch.value),
           "one of the two");
    }
    if (split) {
      require(OpKind::backward_input);
      require(OpKind::backward_weight);
    } else {
      require(OpKind::backward);
    }
    if (problem_.recomputes(stage)) require(OpKind::recompute);
    if (has(OpKind::evict)) require(OpKind::load);
    if (has(OpKind::load)) require(OpKind::evict);
  }

  const Problem& problem_;
  std::int32_t second_flow_ = 0;  // its first microbatch; all there are: one flow
  std::vector<Kinds> allowed_;    // by stage
  std::vector<Kinds> seen_;       // by stage and microbatch
};

void require_pair(const Step& step, std::size_t device) {
  const Op& gradient = step.overlapped.value_or(step.op);
  const bool needs_forward =
      gradient.stage == step.op.stage && gradient.microbatch == step.op.microbatch;
  if (step.op.kind == OpKind::forward && role(gradient.kind) == Role::gradient && !needs_forward) {
    return;
  }
  fail(fmt::format("{} on device {} overlaps what cannot", token(step), device),
       "a forward and a backward or input gradient that does not need it");
}

}  // namespace

void validate_program(const Problem& problem, const Program& program) {
  const bool op_by_op = is_op_by_op(program);
  if (!op_by_op && is_valid_by_its_loops(problem, program)) return;
  if (program.lanes.size() != static_cast<std::size_t>(problem.devices)) {
    fail(fmt::format("the program orders {} devices", program.lanes.size()),
         fmt::format("one order for each of the {} devices", problem.devices));
  }
  SeenOps seen(problem);
  for (std::size_t device = 0; device < program.lanes.size(); ++device) {
    if (op_by_op) {
      for_each_op(program.lanes[device], [&](const Op& op) { seen.add(op, device); });
      continue;
    }
    for (StepCursor cursor(program.lanes[device]); !cursor.done(); cursor.advance()) {
      const Step step = cursor.step();
      seen.add(step.op, device);
      if (!step.overlapped) continue;
      require_pair(step, device);
      seen.add(*step.overlapped, device);
    }
  }
  seen.require_complete();
}

}  // namespace pipesim
