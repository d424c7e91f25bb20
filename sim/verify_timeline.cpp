#include "sim/verify_timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/error.hpp"
#include "sim/verify_rules.hpp"

namespace pipesim {

namespace {

using Finding = std::optional<Violation>;
using SpanIndex = SpanOfOp::SpanIndex;

/// A span that another one waits for, and how long after its end it has to.
struct Wait {
  SpanIndex span = 0;
  Ticks delay;
  bool is_exact = true;  ///< false: the delay is the least possible one
};

/// Requires times that are not before 0.
bool starts_too_early(const Span& current, const Span& input, Ticks delay) {
  return current.start < input.end || current.start - input.end < delay;
}

Violation violation(TimelineRule rule, std::string detail) {
  return {.rule = rule, .detail = std::move(detail)};
}

std::string step_token(const Span& span) {
  return token(Step{.op = span.op, .overlapped = span.overlapped});
}

std::string span_text(const Span& span) {
  return fmt::format("{} from {} to {} ps", step_token(span), span.start.count, span.end.count);
}

class Checker {
 public:
  Checker(const Problem& problem, const Program& program, const Timeline& timeline)
      : problem_(problem),
        program_(program),
        timeline_(timeline),
        rules_(problem),
        span_of_op_(problem),
        first_apart_(timeline.lane_begin.back()) {}

  Finding check() {
    PIPESIM_CHECK(timeline_.spans.size() < SpanOfOp::kMissing);
    for (const auto rule :
         {&Checker::check_completeness, &Checker::check_placement, &Checker::check_start,
          &Checker::check_duration, &Checker::check_exclusivity, &Checker::check_order,
          &Checker::check_precedence, &Checker::check_step_ends, &Checker::check_release,
          &Checker::check_memory}) {
      if (Finding found = (this->*rule)()) return found;
    }
    return std::nullopt;
  }

 private:
  // Whether the span is on no compute lane's list: a transfer, or the end of a training step.
  bool stands_apart(std::size_t index) const { return index >= first_apart_; }

  const Span& span(SpanIndex index) const { return timeline_.spans[index]; }

  /// Of an op of the program; of a gradient whichever kind the program has.
  SpanIndex span_of(Op op) const {
    const SpanIndex found = span_of_op_.get(op);
    if (found != SpanOfOp::kNotExpected || op.kind != OpKind::backward) return found;
    op.kind = OpKind::backward_input;
    return span_of_op_.get(op);
  }

  // "2F3 on device 2", "2SEND_F3 from device 2 to 3"; only for ops of the program.
  std::string op_text(const Op& op) const {
    const Device device = problem_.device(op);
    if (!is_send(op.kind)) return fmt::format("{} on device {}", token(op), device.value);
    return fmt::format("{} from device {} to {}", token(op), device.value,
                       rules_.receiver(op).value);
  }
  std::string op_text(const Span& span) const {
    if (!span.overlapped) return op_text(span.op);
    return fmt::format("{} on device {}", step_token(span), problem_.device(span.op).value);
  }
  std::string where(std::size_t index) const {
    if (stands_apart(index)) return "among the transfers";
    return fmt::format("on device {}", timeline_.device_of(index));
  }

  Step in_iteration(Step step, std::int32_t iteration) const {
    const std::int32_t before = iteration * problem_.microbatches;
    step.op.microbatch.value += before;
    if (step.overlapped) step.overlapped->microbatch.value += before;
    return step;
  }

  // Calls visit(step, lane) for every step of the program, which each training step repeats, until
  // it finds something.
  template <class Visit>
  Finding for_each_step(Visit visit) const {
    for (std::size_t lane = 0; lane < program_.lanes.size(); ++lane) {
      for (std::int32_t iteration = 0; iteration < problem_.iterations.count; ++iteration) {
        for (StepCursor cursor(program_.lanes[lane]); !cursor.done(); cursor.advance()) {
          const Step step = in_iteration(cursor.step(), iteration);
          if (Finding found = visit(step, lane)) return found;
        }
      }
    }
    return std::nullopt;
  }

  // Calls visit(op) for both ops of a step or a span until it finds something.
  template <class Executed, class Visit>
  static Finding for_each_op(const Executed& executed, Visit visit) {
    if (Finding found = visit(executed.op)) return found;
    return executed.overlapped ? visit(*executed.overlapped) : std::nullopt;
  }

  void expect_ops() {
    has_transfers_ = rules_.has_transfers() &&
                     std::any_of(timeline_.spans.begin(), timeline_.spans.end(),
                                 [](const Span& span) { return is_send(span.op.kind); });
    for_each_step([&](const Step& step, std::size_t) {
      return for_each_op(step, [&](const Op& op) -> Finding {
        span_of_op_.expect(op);
        const std::optional<Op> transfer = rules_.transfer_of(op);
        if (has_transfers_ && transfer) span_of_op_.expect(*transfer);
        return std::nullopt;
      });
    });
  }

  Finding check_completeness() {
    expect_ops();
    for (std::size_t i = 0; i < timeline_.spans.size(); ++i) {
      const Span& current = timeline_.spans[i];
      if (Finding found = for_each_op(current, [&](const Op& op) { return take(op, i); })) {
        return found;
      }
      if (!current.overlapped || (current.op.kind == OpKind::forward &&
                                  role(current.overlapped->kind) == Role::gradient)) {
        continue;
      }
      return violation(TimelineRule::completeness,
                       fmt::format("{} {} overlaps what cannot", step_token(current), where(i)));
    }
    return for_each_step([&](const Step& step, std::size_t) {
      return for_each_op(step, [&](const Op& op) { return check_taken(op); });
    });
  }

  // Notes that a span is that op.
  Finding take(const Op& op, std::size_t index) {
    if (!rules_.exists(op)) {
      return violation(TimelineRule::completeness,
                       fmt::format("{} {} is not an op of this problem: stages are 0 to {}, "
                                   "microbatches 0 to {}",
                                   token(op), where(index), problem_.stages() - 1,
                                   problem_.total_microbatches() - 1));
    }
    if (is_step_end(op.kind) && problem_.iterations.has_tasks()) {
      if (step_ends_.insert(op).second) return std::nullopt;
      return violation(TimelineRule::completeness,
                       fmt::format("{} stands twice {}", token(op), where(index)));
    }
    const SpanIndex before = is_step_end(op.kind) ? SpanOfOp::kNotExpected : span_of_op_.get(op);
    if (before == SpanOfOp::kNotExpected) {
      return violation(TimelineRule::completeness,
                       fmt::format("{} {} is not in the program{}", token(op), where(index),
                                   is_send(op.kind) ? ", nor a transfer it needs" : ""));
    }
    if (before != SpanOfOp::kMissing) {
      return violation(
          TimelineRule::completeness,
          fmt::format("{} stands twice, {} and {}", token(op), where(before), where(index)));
    }
    span_of_op_.set(op, static_cast<SpanIndex>(index));
    return std::nullopt;
  }

  Finding check_taken(const Op& op) const {
    const std::optional<Op> transfer = rules_.transfer_of(op);
    for (const std::optional<Op>& expected : {std::optional<Op>(op), transfer}) {
      if (expected && span_of_op_.get(*expected) == SpanOfOp::kMissing) {
        return violation(TimelineRule::completeness,
                         fmt::format("{} is missing", op_text(*expected)));
      }
    }
    return std::nullopt;
  }

  Finding check_placement() {
    for (std::size_t i = 0; i < timeline_.spans.size(); ++i) {
      Finding found = for_each_op(timeline_.spans[i], [&](const Op& op) -> Finding {
        if (is_ordered(op.kind) == stands_apart(i)) {
          return violation(
              TimelineRule::placement,
              fmt::format("{} stands {}, {}", token(op), where(i),
                          stands_apart(i) ? "but is computed" : "but is not computed"));
        }
        const Device device = problem_.device(op);
        if (stands_apart(i) || device == Device{timeline_.device_of(i)}) return std::nullopt;
        return violation(TimelineRule::placement,
                         fmt::format("{} stands {}, stage {} is on device {}", token(op), where(i),
                                     op.stage.value, device.value));
      });
      if (found) return found;
    }
    return std::nullopt;
  }

  Finding check_start() {
    for (const Span& current : timeline_.spans) {
      if (current.start < Ticks{0}) {
        return violation(TimelineRule::start, fmt::format("{} starts at {} ps, before 0",
                                                          op_text(current), current.start.count));
      }
    }
    return std::nullopt;
  }

  Ticks cost(const Span& current) const {
    if (is_send(current.op.kind)) return rules_.transfer_time(current.op);
    if (is_step_end(current.op.kind)) return rules_.step_end_time(current.op);
    if (is_parking(current.op.kind)) return problem_.duration(current.op);
    return problem_.slowed(problem_.duration(current.op, current.overlapped),
                           problem_.device(current.op), current.start);
  }

  Finding check_duration() {
    for (const Span& current : timeline_.spans) {
      if (current.end < current.start) {
        return violation(TimelineRule::duration,
                         fmt::format("{} starts at {} ps and ends before that, at {} ps",
                                     op_text(current), current.start.count, current.end.count));
      }
      const Ticks taken = current.end - current.start;
      if (const Ticks costs = cost(current); taken != costs) {
        return violation(
            TimelineRule::duration,
            fmt::format("{} takes {} ps, from {} to {} ps, but costs {} ps", op_text(current),
                        taken.count, current.start.count, current.end.count, costs.count));
      }
    }
    return std::nullopt;
  }

  Finding check_exclusivity() {
    std::vector<std::pair<VerifiedLane, SpanIndex>> entries;
    entries.reserve(timeline_.spans.size());
    for (SpanIndex i = 0; i < timeline_.spans.size(); ++i) {
      for (const VerifiedLane& lane : rules_.lanes(span(i).op)) entries.emplace_back(lane, i);
    }
    std::sort(entries.begin(), entries.end(), [this](const auto& left, const auto& right) {
      const Span& a = span(left.second);
      const Span& b = span(right.second);
      return std::tie(left.first, a.start, a.end, left.second) <
             std::tie(right.first, b.start, b.end, right.second);
    });
    for (std::size_t i = 1; i < entries.size(); ++i) {
      if (entries[i].first != entries[i - 1].first) continue;
      const Span& before = span(entries[i - 1].second);
      const Span& current = span(entries[i].second);
      if (current.start < before.end) {
        return violation(TimelineRule::exclusivity,
                         fmt::format("{} and {} overlap on {}", span_text(before),
                                     span_text(current), text(entries[i].first)));
      }
    }
    return std::nullopt;
  }

  Finding check_order() {
    const Span* before = nullptr;
    std::size_t lane_before = 0;
    return for_each_step([&](const Step& step, std::size_t lane) -> Finding {
      const Span& current = span(span_of(step.op));
      if (current.op != step.op || current.overlapped != step.overlapped) {
        return violation(TimelineRule::order,
                         fmt::format("{} runs on device {} where the program has {}",
                                     step_token(current), lane, token(step)));
      }
      const Span* const previous = lane == lane_before ? before : nullptr;
      before = &current;
      lane_before = lane;
      if (previous == nullptr || current.start >= previous->end) return std::nullopt;
      return violation(TimelineRule::order,
                       fmt::format("{} runs before {} on device {}, after it in the program",
                                   span_text(current), span_text(*previous), lane));
    });
  }

  // What an op or a transfer waits for because it needs its result.
  template <class Visit>
  Finding for_each_wait(const Op& op, Visit visit) const {
    for (const std::optional<Op>& input : rules_.inputs(op)) {
      if (!input) continue;
      Wait wait{.span = span_of(*input), .delay = Ticks{0}};
      if (wait.span == SpanOfOp::kNotExpected) continue;  // nothing was parked
      const bool crosses = is_compute(op.kind) && problem_.device(*input) != problem_.device(op);
      if (crosses) {
        const Op transfer = rules_.transfer_of(*input).value();
        wait.delay = rules_.arrival_delay(transfer);
        if (has_transfers_) {
          wait.span = span_of(transfer);
        } else {
          wait.delay += rules_.transfer_time(transfer);
          wait.is_exact = !rules_.has_transfers();
        }
      }
      if (Finding found = visit(wait)) return found;
    }
    return std::nullopt;
  }

  Finding check_precedence() {
    for (const Span& current : timeline_.spans) {
      const auto check_wait = [&](const Wait& wait) -> Finding {
        const Span& input = span(wait.span);
        if (!starts_too_early(current, input, wait.delay)) return std::nullopt;
        return violation(TimelineRule::precedence,
                         fmt::format("{} starts at {} ps, before its input {} {} at {} ps{}",
                                     op_text(current), current.start.count, op_text(input),
                                     wait.delay == Ticks{0} ? "ends" : "is there: it ends",
                                     input.end.count, delay_text(wait.delay)));
      };
      Finding found =
          for_each_op(current, [&](const Op& op) { return for_each_wait(op, check_wait); });
      if (found) return found;
    }
    return std::nullopt;
  }

  Finding check_step_ends() {
    const auto found = step_end_violation(problem_, timeline_);
    return found ? Finding(violation(TimelineRule::step_end, *found)) : std::nullopt;
  }

  Finding check_memory() {
    const auto found = memory_violation(problem_, timeline_);
    return found ? Finding(violation(TimelineRule::memory, *found)) : std::nullopt;
  }

  static std::string delay_text(Ticks delay) {
    return delay == Ticks{0} ? "" : fmt::format(" and takes {} ps more", delay.count);
  }

  Finding check_release() {
    std::optional<SpanIndex> before;
    std::size_t lane_before = 0;
    Finding found = for_each_step([&](const Step& step, std::size_t lane) {
      if (lane != lane_before) before.reset();
      const SpanIndex current = span_of(step.op);
      Finding of_step = check_release(current, before);
      before = current;
      lane_before = lane;
      return of_step;
    });
    for (std::size_t i = first_apart_; i < timeline_.spans.size() && !found; ++i) {
      found = check_release(static_cast<SpanIndex>(i), std::nullopt);
    }
    return found;
  }

  // `before` is the step before it on its compute lane.
  Finding check_release(SpanIndex index, const std::optional<SpanIndex>& before) const {
    const Span& current = span(index);
    const SpanIndex by = current.released_by;
    if (by == Span::kNotReleased) return std::nullopt;
    if (by >= timeline_.spans.size()) {
      return violation(TimelineRule::release,
                       fmt::format("{} is released by span {}, there are {}", op_text(current), by,
                                   timeline_.spans.size()));
    }
    std::optional<Wait> reason;
    if (is_step_end(current.op.kind) || is_step_end(span(by).op.kind)) {
      reason = Wait{.span = by, .delay = Ticks{0}};
    }
    if (by == before || share_lane(index, by)) reason = Wait{.span = by, .delay = Ticks{0}};
    if (reason && is_released(current, *reason)) return std::nullopt;
    bool holds = false;
    for_each_op(current, [&](const Op& op) {
      return for_each_wait(op, [&](const Wait& wait) -> Finding {
        if (wait.span != by) return std::nullopt;
        reason = wait;
        holds = holds || is_released(current, wait);
        return std::nullopt;
      });
    });
    if (holds) return std::nullopt;
    const Span& releaser = span(by);
    if (!reason) {
      return violation(TimelineRule::release,
                       fmt::format("{} is released by {}, which is neither its input nor the op "
                                   "before it on its {}",
                                   op_text(current), op_text(releaser),
                                   stands_apart(index) ? "lanes" : "device"));
    }
    return violation(TimelineRule::release,
                     fmt::format("{} starts at {} ps, but {}, which released it, ends at {} ps{}",
                                 op_text(current), current.start.count, op_text(releaser),
                                 releaser.end.count, delay_text(reason->delay)));
  }

  bool is_released(const Span& current, const Wait& wait) const {
    const Ticks end = span(wait.span).end;
    if (current.start < end) return false;
    const Ticks apart = current.start - end;
    return wait.is_exact ? apart == wait.delay : apart >= wait.delay;
  }

  // Whether two spans, at least one of them no compute op, stand on one lane.
  bool share_lane(SpanIndex left, SpanIndex right) const {
    if (!stands_apart(left) && !stands_apart(right)) return false;
    for (const VerifiedLane& mine : rules_.lanes(span(left).op)) {
      for (const VerifiedLane& other : rules_.lanes(span(right).op)) {
        if (mine == other) return true;
      }
    }
    return false;
  }

  const Problem& problem_;
  const Program& program_;
  const Timeline& timeline_;
  VerifiedRules rules_;
  SpanOfOp span_of_op_;
  std::size_t first_apart_;
  bool has_transfers_ = false;  // whether the timeline has them
  std::set<Op> step_ends_;      // those that were seen
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
    case TimelineRule::step_end:
      return "step_end";
    case TimelineRule::release:
      return "release";
    case TimelineRule::memory:
      return "memory";
  }
  return "";
}

std::vector<std::string> not_checked(const Problem& problem, const Timeline& timeline) {
  const auto has = [&](auto is_kind) {
    return std::any_of(timeline.spans.begin(), timeline.spans.end(),
                       [&](const Span& span) { return is_kind(span.op.kind); });
  };
  std::vector<std::string> parts;
  if (VerifiedRules(problem).has_transfers() && !has(is_send)) {
    parts.emplace_back("the lanes of communication: the timeline has no transfers");
  }
  const auto is_reduction = [](OpKind kind) { return kind == OpKind::grad_sync; };
  const auto is_optimizer = [](OpKind kind) { return kind == OpKind::optimizer; };
  if (!problem.iterations.grad_sync.empty() && !has(is_reduction)) {
    parts.emplace_back("gradient reductions: the timeline has none");
  }
  if (problem.iterations.has_tasks() && !has(is_optimizer)) {
    parts.emplace_back("the ends of the steps: the timeline has no optimizers");
  }
  return parts;
}

std::optional<Violation> verify_timeline(const Problem& problem, const Program& program,
                                         const Timeline& timeline) {
  return Checker(problem, program, timeline).check();
}

}  // namespace pipesim
