// What verify_timeline is held against.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/timeline.hpp"

namespace pipesim::test {

/// A definition of a valid execution that compares every span with every other one. Of releases
/// and of what ends a training step it knows nothing.
class Judge {
 public:
  Judge(const Problem& problem, const Program& program, const Timeline& timeline)
      : problem_(problem), program_(program), timeline_(timeline) {}

  bool is_valid() {
    return has_program() && has_transfers() && costs_hold() && lanes_hold() && inputs_hold();
  }

 private:
  static bool is_gradient(OpKind kind) {
    return kind == OpKind::backward || kind == OpKind::backward_input;
  }
  static std::vector<Op> ops_of(const Span& span) {
    std::vector<Op> ops = {span.op};
    if (span.overlapped) ops.push_back(*span.overlapped);
    return ops;
  }
  std::size_t computes() const { return timeline_.lane_begin.back(); }

  /// Every lane has the program's steps and keeps their order.
  bool has_program() {
    for (std::size_t lane = 0; lane < program_.lanes.size(); ++lane) {
      std::vector<Span> left(timeline_.begin(lane), timeline_.end(lane));
      std::vector<Span> done;
      for (int r = 0; r < problem_.iterations.count; ++r) {
        for (StepCursor cursor(program_.lanes[lane]); !cursor.done(); cursor.advance()) {
          Step step = cursor.step();
          step.op.microbatch.value += r * problem_.microbatches;
          if (step.overlapped) step.overlapped->microbatch.value += r * problem_.microbatches;
          const auto found = std::find_if(left.begin(), left.end(), [&](const Span& span) {
            return span.op == step.op && span.overlapped == step.overlapped;
          });
          if (found == left.end()) return false;
          for (const Span& before : done) {
            if (found->start < before.end) return false;
          }
          done.push_back(*found);
          left.erase(found);
        }
      }
      if (!left.empty()) return false;
    }
    return true;
  }

  std::optional<Device> target(const Op& op) const {
    const int stage = op.stage.value + (op.kind == OpKind::forward ? 1 : -1);
    if (op.kind != OpKind::forward && !is_gradient(op.kind)) return std::nullopt;
    if (stage < 0 || stage >= problem_.stages()) return std::nullopt;
    const Device device = problem_.device(Stage{stage}, op.microbatch);
    if (device == problem_.device(op)) return std::nullopt;
    return device;
  }

  bool has_transfers() {
    const bool are_tasks = problem_.communication.mode != TransferMode::free ||
                           problem_.communication.shared_link.has_value();
    std::vector<Span> left(timeline_.spans.begin() + static_cast<std::ptrdiff_t>(computes()),
                           timeline_.spans.end());
    if (left.empty()) return true;
    if (!are_tasks) return false;
    for (std::size_t i = 0; i < computes(); ++i) {
      for (const Op& op : ops_of(timeline_.spans[i])) {
        const std::optional<Device> to = target(op);
        if (!to) continue;
        const auto found = std::find_if(left.begin(), left.end(), [&](const Span& span) {
          return !span.overlapped && span.op.stage == op.stage &&
                 span.op.microbatch == op.microbatch &&
                 span.op.kind ==
                     (op.kind == OpKind::forward ? OpKind::send_forward : OpKind::send_backward);
        });
        if (found == left.end()) return false;
        moved_.push_back({.span = *found,
                          .producer = timeline_.spans[i],
                          .from = problem_.device(op),
                          .to = *to,
                          .is_forward = op.kind == OpKind::forward});
        left.erase(found);
      }
    }
    return left.empty();
  }

  /// Of a transfer: the time it keeps its lanes, and what is left until it is there.
  Link times(Device from, Device to) const {
    const Communication& communication = problem_.communication;
    Link link = problem_.link(from, to);
    if (communication.shared_link && communication.node(from) != communication.node(to)) {
      link.occupancy = std::max(link.occupancy, *communication.shared_link);
    }
    if (communication.mode == TransferMode::single_stream ||
        communication.mode == TransferMode::rendezvous) {
      return {.latency = Ticks{0}, .occupancy = link.latency + link.occupancy};
    }
    return link;
  }

  bool costs_hold() const {
    for (std::size_t i = 0; i < computes(); ++i) {
      const Span& span = timeline_.spans[i];
      if (span.start < Ticks{0}) return false;
      Ticks cost = problem_.duration(span.op, span.overlapped);
      if (is_compute(span.op.kind)) {
        cost = problem_.slowed(cost, problem_.device(span.op), span.start);
      }
      if (span.end != span.start + cost) return false;
    }
    return std::all_of(moved_.begin(), moved_.end(), [&](const Moved& moved) {
      return moved.span.start >= Ticks{0} &&
             moved.span.end == moved.span.start + times(moved.from, moved.to).occupancy;
    });
  }

  static bool overlap(const Span& left, const Span& right) {
    const bool left_first = std::tie(left.start, left.end) <= std::tie(right.start, right.end);
    return left_first ? right.start < left.end : left.start < right.end;
  }

  bool lanes_hold() const {
    const Communication& communication = problem_.communication;
    for (std::size_t a = 0; a < moved_.size(); ++a) {
      const Moved& one = moved_[a];
      for (std::size_t b = 0; b < a; ++b) {
        const Moved& other = moved_[b];
        bool exclude = false;
        if (communication.mode == TransferMode::async) {
          exclude = one.from == other.from && one.to == other.to;
        } else if (communication.mode != TransferMode::free) {
          exclude = one.from == other.from || one.from == other.to || one.to == other.from ||
                    one.to == other.to;
        }
        const auto leaves = [&](const Moved& moved) {
          return communication.node(moved.from) != communication.node(moved.to);
        };
        exclude = exclude || (communication.shared_link && leaves(one) && leaves(other) &&
                              communication.node(one.from) == communication.node(other.from));
        if (exclude && overlap(one.span, other.span)) return false;
      }
      if (communication.mode != TransferMode::rendezvous) continue;
      for (std::size_t i = 0; i < computes(); ++i) {
        const Device device = problem_.device(timeline_.spans[i].op);
        if (device != one.from && device != one.to) continue;
        if (overlap(one.span, timeline_.spans[i])) return false;
      }
    }
    return true;
  }

  /// The slice before, forward, or the one after, backward.
  bool is_other_slice(const Op& made, const Op& needs) const {
    const int slices = problem_.slices;
    if (made.stage != needs.stage ||
        made.microbatch.value / slices != needs.microbatch.value / slices) {
      return false;
    }
    const int later = needs.microbatch.value - made.microbatch.value;
    const bool forwards = made.kind == OpKind::forward && needs.kind == OpKind::forward;
    return (forwards && later == 1) ||
           (is_gradient(made.kind) && is_gradient(needs.kind) && later == -1);
  }

  bool is_input(const Op& made, const Op& needs) const {
    if (made.microbatch != needs.microbatch) return is_other_slice(made, needs);
    const int apart = needs.stage.value - made.stage.value;
    if (made.kind == OpKind::evict) return needs.kind == OpKind::load && apart == 0;
    if (made.kind == OpKind::load) return is_gradient(needs.kind) && apart == 0;
    if (needs.kind == OpKind::evict) return made.kind == OpKind::forward && apart == 0;
    if (needs.kind == OpKind::load) return false;
    if (needs.kind == OpKind::forward) return made.kind == OpKind::forward && apart == 1;
    if (needs.kind == OpKind::backward_weight) {
      return made.kind == OpKind::backward_input && apart == 0;
    }
    if (needs.kind == OpKind::recompute) return made.kind == OpKind::forward && apart == 0;
    if (is_gradient(made.kind)) return apart == -1;
    return apart == 0 &&
           made.kind == (problem_.recomputes(needs.stage) ? OpKind::recompute : OpKind::forward);
  }

  bool inputs_hold() const {
    for (std::size_t i = 0; i < computes(); ++i) {
      for (std::size_t j = 0; j < computes(); ++j) {
        for (const Op& needs : ops_of(timeline_.spans[i])) {
          for (const Op& made : ops_of(timeline_.spans[j])) {
            if (is_input(made, needs) && timeline_.spans[i].start < there(made, needs, j)) {
              return false;
            }
          }
        }
      }
    }
    return std::all_of(moved_.begin(), moved_.end(),
                       [](const Moved& moved) { return moved.span.start >= moved.producer.end; });
  }

  Ticks there(const Op& made, const Op& needs, std::size_t producer) const {
    const Ticks end = timeline_.spans[producer].end;
    const Device from = problem_.device(made);
    const Device to = problem_.device(needs);
    if (from == to) return end;
    const Link link = times(from, to);
    if (moved_.empty()) return end + link.occupancy + link.latency;
    for (const Moved& moved : moved_) {
      if (moved.span.op.stage == made.stage && moved.span.op.microbatch == made.microbatch &&
          moved.is_forward == (made.kind == OpKind::forward)) {
        return moved.span.end + link.latency;
      }
    }
    return end;
  }

  struct Moved {
    Span span;
    Span producer;
    Device from;
    Device to;
    bool is_forward = true;
  };

  const Problem& problem_;
  const Program& program_;
  const Timeline& timeline_;
  std::vector<Moved> moved_;
};

}  // namespace pipesim::test
