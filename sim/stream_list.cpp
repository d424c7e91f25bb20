#include "sim/stream_list.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/stream_wiring.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kKinds = 5;
static_assert(static_cast<std::size_t>(OpKind::recompute) + 1 == kKinds);

/// One pass over all ops proves what microbatch_orders() proves from loops: the n-th op of each
/// class is of the microbatch of the n-th forward of its stage and flow, and what it needs of its
/// own stage stands before it.
class ListWriter {
 public:
  explicit ListWriter(const Problem& problem)
      : problem_(problem),
        numbers_(numbers(problem)),
        classes_(kKinds * numbers_.places),
        forwards_(static_cast<std::size_t>(problem.stages()) *
                  static_cast<std::size_t>(problem.microbatches)) {
    for_each_class([&](std::size_t index, const OpClass& of) {
      Class& each = classes_[index];
      each.needed = static_cast<std::uint32_t>(index_of(needed(of)));
      each.forwards = forwards_.data() +
                      static_cast<std::ptrdiff_t>(of.stage.value) * problem.microbatches +
                      (of.flow == Flow{0} ? 0 : numbers_.second_flow);
    });
  }

  std::optional<StreamProgram> write(const Program& program) {
    StreamProgram written;
    written.lanes.resize(program.lanes.size());
    written.listed = &program;
    written.classes = numbers_;
    for (const LaneOrder& lane : program.lanes) {
      if (!is_in_order(lane)) return std::nullopt;
    }
    if (!stages_agree() || (has(OpKind::backward) && has(OpKind::backward_input))) {
      return std::nullopt;
    }
    const StreamWiring wiring(problem_);
    written.channels = wiring.channels();
    written.ops.resize(classes_.size());
    for_each_class([&](std::size_t index, const OpClass& of) {
      if (classes_[index].count > 0) written.ops[index] = wiring.op(of);
    });
    written.gradient = has(OpKind::backward) ? OpKind::backward : OpKind::backward_input;
    return written;
  }

 private:
  struct Class {
    std::int32_t* forwards = nullptr;  // the microbatches of its stage and flow in their order
    std::int32_t count = 0;            // ops up to here
    std::uint32_t needed = 0;          // the class that it follows; of a forward, itself
  };

  static OpClasses numbers(const Problem& problem) {
    const auto stages = static_cast<std::uint32_t>(problem.stages());
    const int flows = problem.placement.flows();
    return {
        .stages = stages,
        .places = stages * static_cast<std::uint32_t>(flows),
        .second_flow = flows == 1 ? problem.microbatches : problem.first_microbatch(Flow{1}).value};
  }

  std::size_t index_of(const OpClass& of) const {
    return static_cast<std::size_t>(of.kind) * numbers_.places +
           static_cast<std::size_t>(of.flow.value) * numbers_.stages +
           static_cast<std::size_t>(of.stage.value);
  }

  template <class Take>
  void for_each_class(const Take& take) const {
    for (std::size_t index = 0; index < classes_.size(); ++index) {
      take(index, OpClass{.kind = static_cast<OpKind>(index / numbers_.places),
                          .stage = Stage{index % numbers_.stages},
                          .flow = Flow{index % numbers_.places / numbers_.stages}});
    }
  }

  OpClass needed(const OpClass& of) const {
    OpClass before = of;
    switch (of.kind) {
      case OpKind::forward:
        break;
      case OpKind::backward_weight:
        before.kind = OpKind::backward_input;
        break;
      case OpKind::recompute:
        before.kind = OpKind::forward;
        break;
      default:
        before.kind = problem_.recomputes(of.stage) ? OpKind::recompute : OpKind::forward;
    }
    return before;
  }

  bool is_in_order(const LaneOrder& lane) {
    const OpClasses numbers = numbers_;
    Class* const classes = classes_.data();
    bool is_in_order = true;
    for_each_op(lane, [&](const Op& op) {
      Class& of = classes[numbers.index(op)];
      const std::int32_t before = of.count++;
      if (op.kind == OpKind::forward) {
        of.forwards[before] = op.microbatch.value;
      } else {
        is_in_order = is_in_order & (of.forwards[before] == op.microbatch.value) &
                      (before < classes[of.needed].count);
      }
    });
    return is_in_order;
  }

  // Whether every stage takes the microbatches in the order of the first one.
  bool stages_agree() const {
    for (auto at = forwards_.begin() + problem_.microbatches; at != forwards_.end();
         at += problem_.microbatches) {
      if (!std::equal(at - problem_.microbatches, at, at)) return false;
    }
    return true;
  }

  bool has(OpKind kind) const {
    const auto first = classes_.begin() + static_cast<std::ptrdiff_t>(kind) * numbers_.places;
    return std::any_of(first, first + numbers_.places,
                       [](const Class& of) { return of.count > 0; });
  }

  const Problem& problem_;
  OpClasses numbers_;
  std::vector<Class> classes_;  // by kind, flow and stage
  // By stage, then as they came, those of the second flow after those of the first.
  std::vector<std::int32_t> forwards_;
};

}  // namespace

std::optional<StreamProgram> stream_list(const Problem& problem, const Program& program) {
  return ListWriter(problem).write(program);
}

}  // namespace pipesim
