#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sim/verify_rules.hpp"

// What must be over before a training step ends on a device, and before its next one begins.

namespace pipesim {

namespace {

class StepEnds {
 public:
  StepEnds(const Problem& problem, const Timeline& timeline)
      : problem_(problem),
        timeline_(timeline),
        computed_(per_device()),
        reduced_(per_device()),
        optimized_(per_device()),
        gradients_(static_cast<std::size_t>(problem.iterations.count) *
                   problem.placement.device_of.size() *
                   static_cast<std::size_t>(problem.stages())) {
    for (const Span& span : timeline.spans) {
      if (is_compute(span.op.kind)) {
        raise(computed_[device_step(span.op)], span.end);
        raise_gradient(span.op, span.end);
        if (span.overlapped) raise_gradient(*span.overlapped, span.end);
      }
      if (span.op.kind == OpKind::grad_sync) raise(reduced_[device_step(span.op)], span.end);
      if (span.op.kind == OpKind::optimizer) raise(optimized_[device_step(span.op)], span.end);
    }
  }

  std::optional<std::string> violation() const {
    for (const Span& span : timeline_.spans) {
      std::optional<std::string> found;
      if (span.op.kind == OpKind::grad_sync) found = check_reduction(span);
      if (span.op.kind == OpKind::optimizer) found = check_optimizer(span);
      if (is_compute(span.op.kind)) found = check_step(span);
      if (found) return found;
    }
    return std::nullopt;
  }

 private:
  static void raise(Ticks& latest, Ticks end) { latest = std::max(latest, end); }

  std::vector<Ticks> per_device() const {
    return std::vector<Ticks>(static_cast<std::size_t>(problem_.iterations.count) *
                              static_cast<std::size_t>(problem_.devices));
  }
  std::size_t step(const Op& op) const {
    return static_cast<std::size_t>(op.microbatch.value / problem_.microbatches);
  }
  std::size_t device_step(const Op& op) const {
    return step(op) * static_cast<std::size_t>(problem_.devices) +
           static_cast<std::size_t>(problem_.device(op).value);
  }
  std::size_t stage_step(const Op& op) const {
    const std::size_t flows = problem_.placement.device_of.size();
    const auto flow = static_cast<std::size_t>(problem_.flow(op.microbatch).value);
    return (step(op) * flows + flow) * static_cast<std::size_t>(problem_.stages()) +
           static_cast<std::size_t>(op.stage.value);
  }

  void raise_gradient(const Op& op, Ticks end) {
    if (role(op.kind) == Role::gradient || role(op.kind) == Role::weight) {
      raise(gradients_[stage_step(op)], end);
    }
  }

  static std::optional<std::string> too_early(const Span& span, Ticks over, std::string_view what) {
    if (span.start >= over) return std::nullopt;
    return fmt::format("{} starts at {} ps, before {} at {} ps", token(span.op), span.start.count,
                       what, over.count);
  }

  std::optional<std::string> check_reduction(const Span& span) const {
    if (auto found = too_early(span, gradients_[stage_step(span.op)],
                               "the gradients of its stage are there")) {
      return found;
    }
    if (problem_.iterations.overlap_grad_sync) return std::nullopt;
    return too_early(span, computed_[device_step(span.op)], "its device has computed its step");
  }

  std::optional<std::string> check_optimizer(const Span& span) const {
    const std::size_t own = device_step(span.op);
    const auto devices = static_cast<std::size_t>(problem_.devices);
    const std::size_t first = problem_.iterations.barrier ? step(span.op) * devices : own;
    const std::size_t end = problem_.iterations.barrier ? first + devices : own + 1;
    for (std::size_t other = first; other < end; ++other) {
      if (auto found = too_early(
              span, std::max(computed_[other], reduced_[other]),
              fmt::format("device {} has computed and reduced its step", other % devices))) {
        return found;
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> check_step(const Span& span) const {
    if (step(span.op) == 0) return std::nullopt;
    const std::size_t before = device_step(span.op) - static_cast<std::size_t>(problem_.devices);
    return too_early(span, optimized_[before], "the optimizer of the step before ends");
  }

  const Problem& problem_;
  const Timeline& timeline_;
  std::vector<Ticks> computed_;   // by step and device: the end of what it computes
  std::vector<Ticks> reduced_;    // by step and device: the end of its last reduction
  std::vector<Ticks> optimized_;  // by step and device: the end of its optimizer
  std::vector<Ticks> gradients_;  // by step, flow and stage: the end of its last gradient
};

}  // namespace

std::optional<std::string> step_end_violation(const Problem& problem, const Timeline& timeline) {
  if (!problem.iterations.has_tasks()) return std::nullopt;
  return StepEnds(problem, timeline).violation();
}

}  // namespace pipesim
