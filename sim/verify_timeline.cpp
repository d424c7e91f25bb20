#include "sim/verify_timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "sim/error.hpp"

// This file states the rules of a pipeline anew and includes nothing of what computes timelines:
// a fault there must not be able to hide here.

namespace pipesim {

namespace {

using Finding = std::optional<Violation>;

/// What an op needs: at most two results.
using Inputs = std::array<std::optional<Op>, 2>;

Op same_microbatch(Op op, OpKind kind, std::int32_t stage) {
  op.kind = kind;
  op.stage = Stage{stage};
  return op;
}

Inputs inputs_of(const Op& op, std::int32_t stages) {
  const std::int32_t stage = op.stage.value;
  Inputs inputs;
  if (op.kind == OpKind::forward) {
    if (stage > 0) inputs[0] = same_microbatch(op, OpKind::forward, stage - 1);
  } else {
    inputs[0] = same_microbatch(op, OpKind::forward, stage);
    if (stage < stages - 1) inputs[1] = same_microbatch(op, OpKind::backward, stage + 1);
  }
  return inputs;
}

class Checker {
 public:
  Checker(const Problem& problem, const Program& program, const Timeline& timeline)
      : problem_(problem), program_(program), timeline_(timeline) {}

  Finding check() {
    PIPESIM_CHECK(timeline_.spans.size() < Span::kNotReleased);
    if (Finding found = check_completeness()) return found;
    for (const auto rule :
         {&Checker::check_placement, &Checker::check_start, &Checker::check_duration,
          &Checker::check_exclusivity, &Checker::check_order, &Checker::check_precedence,
          &Checker::check_release}) {
      if (Finding found = (this->*rule)()) return found;
    }
    return std::nullopt;
  }

 private:
  using SpanIndex = std::uint32_t;
  static constexpr SpanIndex kNoSpan = Span::kNotReleased;

  bool exists(const Op& op) const {
    return op.flow == Flow{} && op.stage >= Stage{} && op.stage < Stage{problem_.stages()} &&
           op.microbatch >= Microbatch{} && op.microbatch < Microbatch{problem_.microbatches};
  }

  // Where the span of an op is kept. Requires that the op exists.
  SpanIndex& span_of(const Op& op) {
    const auto stages = static_cast<std::size_t>(problem_.stages());
    const std::size_t row =
        static_cast<std::size_t>(op.stage.value) + (op.kind == OpKind::backward ? stages : 0);
    return span_of_op_[row * static_cast<std::size_t>(problem_.microbatches) +
                       static_cast<std::size_t>(op.microbatch.value)];
  }
  const Span& span(const Op& op) { return timeline_.spans[span_of(op)]; }

  // "2F3 on device 2"; only for ops that stand on their lane.
  std::string op_text(const Op& op) const {
    return fmt::format("{} on device {}", token(op), problem_.device(op).value);
  }
  static std::string span_text(const Span& span) {
    return fmt::format("{} from {} to {} ps", token(span.op), span.start.count, span.end.count);
  }
  static Violation violation(TimelineRule rule, std::string detail) {
    return {.rule = rule, .detail = std::move(detail)};
  }

  Finding check_completeness() {
    span_of_op_.assign(static_cast<std::size_t>(op_count(problem_)), kNoSpan);
    for (std::size_t i = 0; i < timeline_.spans.size(); ++i) {
      const Op& op = timeline_.spans[i].op;
      const auto where = [&] { return fmt::format("on device {}", timeline_.lane_of(i)); };
      if (!exists(op)) {
        return violation(
            TimelineRule::completeness,
            fmt::format("{} {} is not an op of this problem: stages are 0 to {}, "
                        "microbatches 0 to {}",
                        token(op), where(), problem_.stages() - 1, problem_.microbatches - 1));
      }
      if (span_of(op) != kNoSpan) {
        return violation(TimelineRule::completeness,
                         fmt::format("{} stands twice, on device {} and {}", token(op),
                                     timeline_.lane_of(span_of(op)), where()));
      }
      span_of(op) = static_cast<SpanIndex>(i);
    }
    for (const LaneOrder& order : program_.lanes) {
      for (OpCursor cursor(order); !cursor.done(); cursor.advance()) {
        if (span_of(cursor.op()) == kNoSpan) {
          return violation(TimelineRule::completeness,
                           fmt::format("{} is missing", op_text(cursor.op())));
        }
      }
    }
    return std::nullopt;
  }

  Finding check_placement() {
    for (std::size_t lane = 0; lane < timeline_.lanes(); ++lane) {
      for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
        const Device device = problem_.device(span->op);
        if (device != Device{lane}) {
          return violation(TimelineRule::placement,
                           fmt::format("{} stands on device {}, stage {} is on device {}",
                                       token(span->op), lane, span->op.stage.value, device.value));
        }
      }
    }
    return std::nullopt;
  }

  Finding check_start() {
    for (const Span& span : timeline_.spans) {
      if (span.start < Ticks{0}) {
        return violation(TimelineRule::start, fmt::format("{} starts at {} ps, before 0",
                                                          op_text(span.op), span.start.count));
      }
    }
    return std::nullopt;
  }

  Finding check_duration() {
    for (const Span& span : timeline_.spans) {
      if (span.end < span.start) {
        return violation(TimelineRule::duration,
                         fmt::format("{} starts at {} ps and ends before that, at {} ps",
                                     op_text(span.op), span.start.count, span.end.count));
      }
      const Ticks taken = span.end - span.start;
      if (taken != problem_.duration(span.op)) {
        return violation(TimelineRule::duration,
                         fmt::format("{} takes {} ps, from {} to {} ps, but costs {} ps",
                                     op_text(span.op), taken.count, span.start.count,
                                     span.end.count, problem_.duration(span.op).count));
      }
    }
    return std::nullopt;
  }

  Finding check_exclusivity() {
    std::vector<const Span*> by_time;
    for (std::size_t lane = 0; lane < timeline_.lanes(); ++lane) {
      by_time.clear();
      for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
        by_time.push_back(span);
      }
      std::sort(by_time.begin(), by_time.end(), [](const Span* left, const Span* right) {
        return left->start != right->start ? left->start < right->start : left->end < right->end;
      });
      for (std::size_t i = 1; i < by_time.size(); ++i) {
        if (by_time[i]->start < by_time[i - 1]->end) {
          return violation(TimelineRule::exclusivity,
                           fmt::format("{} and {} overlap on device {}", span_text(*by_time[i - 1]),
                                       span_text(*by_time[i]), lane));
        }
      }
    }
    return std::nullopt;
  }

  Finding check_order() {
    for (std::size_t lane = 0; lane < program_.lanes.size(); ++lane) {
      const Span* before = nullptr;
      for (OpCursor cursor(program_.lanes[lane]); !cursor.done(); cursor.advance()) {
        const Span& current = span(cursor.op());
        if (before != nullptr && current.start < before->end) {
          return violation(TimelineRule::order,
                           fmt::format("{} runs before {} on device {}, after it in the program",
                                       span_text(current), span_text(*before), lane));
        }
        before = &current;
      }
    }
    return std::nullopt;
  }

  Finding check_precedence() {
    for (const Span& current : timeline_.spans) {
      for (const std::optional<Op>& input : inputs_of(current.op, problem_.stages())) {
        if (!input) continue;
        const Ticks ready = span(*input).end;
        if (current.start < ready) {
          return violation(
              TimelineRule::precedence,
              fmt::format("{} starts at {} ps, before its input {} ends at {} ps",
                          op_text(current.op), current.start.count, op_text(*input), ready.count));
        }
      }
    }
    return std::nullopt;
  }

  Finding check_release() {
    for (std::size_t lane = 0; lane < program_.lanes.size(); ++lane) {
      std::optional<Op> before;
      for (OpCursor cursor(program_.lanes[lane]); !cursor.done(); cursor.advance()) {
        if (Finding found = check_release(span(cursor.op()), before)) return found;
        before = cursor.op();
      }
    }
    return std::nullopt;
  }

  // `before` is the op before it on its lane.
  Finding check_release(const Span& current, const std::optional<Op>& before) {
    if (current.released_by == Span::kNotReleased) return std::nullopt;
    if (current.released_by >= timeline_.spans.size()) {
      return violation(TimelineRule::release,
                       fmt::format("{} is released by span {}, there are {}", op_text(current.op),
                                   current.released_by, timeline_.spans.size()));
    }
    const Span& releaser = timeline_.spans[current.released_by];
    const Inputs inputs = inputs_of(current.op, problem_.stages());
    if (releaser.op != inputs[0] && releaser.op != inputs[1] && releaser.op != before) {
      return violation(TimelineRule::release,
                       fmt::format("{} is released by {}, which is neither its input nor the op "
                                   "before it on its device",
                                   op_text(current.op), op_text(releaser.op)));
    }
    if (current.start != releaser.end) {
      return violation(TimelineRule::release,
                       fmt::format("{} starts at {} ps, but {}, which released it, ends at {} ps",
                                   op_text(current.op), current.start.count, op_text(releaser.op),
                                   releaser.end.count));
    }
    return std::nullopt;
  }

  const Problem& problem_;
  const Program& program_;
  const Timeline& timeline_;
  std::vector<SpanIndex> span_of_op_;
};

}  // namespace

std::string_view name(TimelineRule rule) {
  switch (rule) {
    case TimelineRule::completeness:
      return "completeness";
    case TimelineRule::placement:
      return "placement";
    case TimelineRule::start:
      return "start";
    case TimelineRule::duration:
      return "duration";
    case TimelineRule::exclusivity:
      return "exclusivity";
    case TimelineRule::order:
      return "order";
    case TimelineRule::precedence:
      return "precedence";
    case TimelineRule::release:
      return "release";
  }
  return "";
}

std::optional<Violation> verify_timeline(const Problem& problem, const Program& program,
                                         const Timeline& timeline) {
  return Checker(problem, program, timeline).check();
}

}  // namespace pipesim
