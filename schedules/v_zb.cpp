// The searched schedule of the V placement (Qi et al., Zero Bubble, 2401.10241v1, section 6, as its
// authors implement it): stages i and 2p-1-i are on device i, so a microbatch that reaches the last
// device turns there and comes back. Warm-up: device i takes as many forwards of its first chunk as
// end before the first forward of its second chunk can come; then devices get forwards of both
// chunks in turn until each has as many as the one before it. After that every round gives each
// device an input gradient and then a forward, of the chunk by which the neighbours go on, and
// weight gradients fill the gaps. The search runs again with the bubbles that it found, as long as
// that makes the largest of them smaller, and tries whether gaps before an input gradient of the
// second chunk and before a forward are worth a weight gradient that ends too late.
//
// The rule assumes that stages are about equal and may find no op to place where they are not, or
// where memory is tight. So the rule for equal stages with the same mean costs and a greedy rule
// are tried too, and the order with the shortest span is taken.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "schedules/candidate.hpp"
#include "schedules/limit.hpp"
#include "schedules/schedule.hpp"
#include "schedules/v_stages.hpp"
#include "sim/error.hpp"
#include "sim/list_schedule.hpp"
#include "sim/memory.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

constexpr OpKind kForward = OpKind::forward;
constexpr OpKind kInput = OpKind::backward_input;

/// Whether a gap that is too short for a weight gradient is filled with one nevertheless.
struct Fills {
  bool before_input_gradient = true;  ///< of the second chunk
  bool before_forward = true;
};

using Bubbles = std::vector<Ticks>;  // by device

Ticks largest(const Bubbles& bubbles) { return *std::max_element(bubbles.begin(), bubbles.end()); }

/// One pass of the search.
class Pass {
 public:
  /// `expected`: the bubbles that the devices will end with, as far as known.
  Pass(const Problem& problem, const std::vector<std::int64_t>& budgets, Fills fills,
       const Bubbles& expected)
      : last_(problem.devices - 1),
        microbatches_(problem.microbatches),
        fills_(fills),
        expected_(expected),
        largest_expected_(largest(expected)),
        schedule_(problem, budgets) {}

  /// False if the rule asks for an op that cannot stand there.
  bool place() {
    if (!enter_pipeline() || !even_out_forwards()) return false;
    for (std::int64_t round = 0; round < 2 * std::int64_t{microbatches_}; ++round) {
      if (!place_input_gradients() || !place_forwards()) return false;
    }
    for (int i = 0; i <= last_; ++i) schedule_.put_pending_weights(Device{i});
    return true;
  }

  Bubbles bubbles() const {
    Bubbles bubbles;
    for (int i = 0; i <= last_; ++i) bubbles.push_back(schedule_.bubble(Device{i}));
    return bubbles;
  }

  Program program() const { return schedule_.program(); }

 private:
  Stage stage(int i, int chunk) const { return Stage{chunk == 0 ? i : 2 * last_ + 1 - i}; }
  std::int32_t count(OpKind kind, int i, int chunk) const {
    return schedule_.count(kind, stage(i, chunk));
  }

  bool put(OpKind kind, int i, int chunk) {
    const Stage at = stage(i, chunk);
    if (!schedule_.is_ready(kind, at) || !schedule_.fits(kind, at)) return false;
    schedule_.put(kind, at);
    largest_bubble_ = std::max(largest_bubble_, schedule_.bubble(Device{i}));
    return true;
  }

  bool enter_pipeline() {
    for (int i = 0; i <= last_; ++i) {
      if (!put(kForward, i, 0)) return false;
    }
    for (int i = last_; i >= 0; --i) {
      while (i < last_ && can_enter_before_return(i)) {
        for (int device = 0; device <= i; ++device) {
          if (!put(kForward, device, 0)) return false;
        }
      }
      if (!put(kForward, i, 1)) return false;
    }
    return true;
  }

  /// Whether device i has time and memory for another forward before its second chunk's first.
  bool can_enter_before_return(int i) const {
    const std::int32_t entered = count(kForward, i, 0);
    if (entered == microbatches_ || !schedule_.fits(kForward, stage(i, 0), 1 + 2 * i)) return false;
    const Ticks end =
        schedule_.clock(Device{i}) + schedule_.duration(kForward, stage(i, 0), entered);
    return end <= schedule_.arrival(kForward, stage(i, 1));
  }

  bool even_out_forwards() {
    int chunk = 0;
    for (int i = 1; i <= last_; ++i) {
      while (has_fewer_forwards(i)) {
        for (int device = last_; device >= i; --device) {
          if (count(kForward, device, chunk) == microbatches_) continue;
          if (!put(kForward, device, chunk)) return false;
        }
        chunk = 1 - chunk;
      }
    }
    return true;
  }

  /// Than the device before it, over both chunks or, unless that has finished, of the second.
  bool has_fewer_forwards(int i) const {
    const std::int32_t second = count(kForward, i, 1);
    const std::int32_t second_before = count(kForward, i - 1, 1);
    return count(kForward, i, 0) + second < count(kForward, i - 1, 0) + second_before ||
           (second <= second_before && second_before < microbatches_);
  }

  bool place_input_gradients() {
    std::vector<int> chunks;
    for (int i = 0; i <= last_; ++i) {
      if (!schedule_.make_room(kInput, stage(i, 0))) return false;
    }
    for (int i = 0; i <= last_; ++i) chunks.push_back(gradient_chunk(i));
    for (int i = last_; i >= 0; --i) {
      if (chunks[static_cast<std::size_t>(i)] == 0 && !fill_and_put(kInput, i, 0, true))
        return false;
    }
    for (int i = 0; i <= last_; ++i) {
      if (chunks[static_cast<std::size_t>(i)] == 1 &&
          !fill_and_put(kInput, i, 1, fills_.before_input_gradient)) {
        return false;
      }
    }
    return true;
  }

  int gradient_chunk(int i) const {
    const std::int32_t first = count(kInput, i, 0);
    const std::int32_t second = count(kInput, i, 1);
    if (first >= second) return 1;
    if (i == last_ || second == microbatches_) return 0;
    return count(kInput, i + 1, 0) > first ? 0 : 1;
  }

  bool place_forwards() {
    for (int i = 0; i <= last_; ++i) {
      const std::optional<int> chunk = forward_chunk(i);
      if (!chunk) continue;
      if (!schedule_.make_room(kForward, stage(i, *chunk)) ||
          !fill_and_put(kForward, i, *chunk, fills_.before_forward)) {
        return false;
      }
    }
    return true;
  }

  std::optional<int> forward_chunk(int i) const {
    const std::int32_t first = count(kForward, i, 0);
    const std::int32_t second = count(kForward, i, 1);
    if (second == microbatches_) return std::nullopt;
    if (second >= first) return 0;
    if (i == last_ || count(kForward, i + 1, 1) > second) return 1;
    if (first < microbatches_ && (i == 0 || count(kForward, i - 1, 0) > first)) return 0;
    return std::nullopt;
  }

  bool fill_and_put(OpKind kind, int i, int chunk, bool fills_short_gap) {
    const Stage at = stage(i, chunk);
    if (!schedule_.is_ready(kind, at)) return false;
    const Device device{i};
    schedule_.fill_gap(kind, at);
    if (fills_short_gap && schedule_.has_pending_weight(device) &&
        schedule_.gap(kind, at) > allowance(device)) {
      schedule_.put_weight(device);
    }
    return put(kind, i, chunk);
  }

  /// How long a device may wait without becoming the one with the largest bubble.
  Ticks allowance(Device device) const {
    const Ticks expected = expected_[static_cast<std::size_t>(device.value)];
    return std::max(largest_bubble_, largest_expected_ - expected) - schedule_.bubble(device);
  }

  int last_;  // device
  std::int32_t microbatches_;
  Fills fills_;
  const Bubbles& expected_;
  Ticks largest_expected_;
  ListSchedule schedule_;
  Ticks largest_bubble_;
};

struct Found {
  Program program;
  Ticks bubble;  // the largest
};

/// Passes with these fills, each expecting what the one before found, until that gains nothing.
std::optional<Found> search(const Problem& problem, const std::vector<std::int64_t>& budgets,
                            Fills fills) {
  std::optional<Found> best;
  Bubbles expected(static_cast<std::size_t>(problem.devices));
  while (true) {
    Pass pass(problem, budgets, fills, expected);
    if (!pass.place()) return best;
    const Bubbles bubbles = pass.bubbles();
    if (best && largest(bubbles) >= best->bubble) return best;
    best = {.program = pass.program(), .bubble = largest(bubbles)};
    expected = bubbles;
  }
}

/// The microbatches to plan with: as many as p activations on each of its chunks, if nothing else
/// is said.
std::vector<std::int64_t> budgets_of(const Problem& problem, const Parameters& parameters,
                                     int messages = 0) {
  auto limit = limit_of(problem, parameters);
  if (!limit && !memory_rules(problem).limit) limit = problem.devices;
  return memory_budgets(problem, limit, messages);
}

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device device) {
  return most_activations(problem,
                          budgets_of(problem, parameters))[static_cast<std::size_t>(device.value)];
}

/// The rule's order with the smallest bubble.
std::optional<Program> by_rule(const Problem& problem, const std::vector<std::int64_t>& budgets) {
  std::optional<Found> best;
  for (const bool before_input_gradient : {true, false}) {
    for (const bool before_forward : {true, false}) {
      auto found = search(problem, budgets, {before_input_gradient, before_forward});
      if (found && (!best || found->bubble < best->bubble)) best = std::move(found);
    }
  }
  if (!best) return std::nullopt;
  return std::move(best->program);
}

/// The same with the mean costs for every stage, all times so many times as long that the means
/// are whole: an order must not depend on how they would be rounded. Throws TimeOverflow if they
/// get too long.
Problem with_equal_stages(Problem problem) {
  Int128 forward = 0;
  Int128 backward = 0;
  Int128 weight = 0;
  for (const StageCosts& costs : problem.costs) {
    forward += costs.forward.count;
    backward += costs.backward.count;
    weight += costs.weight.value_or(Ticks{}).count;
  }
  const Int128 stages = problem.stages();
  const Int128 divisor = greatest_common_divisor(
      stages, greatest_common_divisor(forward, greatest_common_divisor(backward, weight)));
  const auto factor = static_cast<std::int64_t>(stages / divisor);
  if (std::max(forward, backward) / divisor > std::numeric_limits<std::int64_t>::max()) {
    throw TimeOverflow();
  }
  const auto mean = [&](Int128 sum) { return Ticks{static_cast<std::int64_t>(sum / divisor)}; };
  problem.durations.clear();
  problem.costs.assign(problem.costs.size(),
                       stage_costs(mean(forward), mean(backward), mean(weight)));
  Communication& communication = problem.communication;
  for (Link* const link : {&communication.intra, &communication.inter}) {
    *link = {.latency = link->latency * factor, .occupancy = link->occupancy * factor};
  }
  for (Ticks& latency : communication.latencies) latency = latency * factor;
  problem.launch_overhead = problem.launch_overhead * factor;
  return problem;
}

std::optional<Program> by_rule_for_equal_stages(const Problem& problem,
                                                const std::vector<std::int64_t>& budgets) {
  try {
    return by_rule(with_equal_stages(problem), budgets);
  } catch (const TimeOverflow&) {
    return std::nullopt;  // near the end of what can be counted the other rules must do
  }
}

/// Keeps an order that runs and is better: by its longest span, then by T_total.
void keep_better(const Problem& problem, const std::optional<Program>& program,
                 std::optional<Candidate>& best) {
  if (!program) return;
  auto candidate = try_out(problem, *program);
  if (!candidate) return;
  const auto rank = [](const Candidate& of) { return std::pair(of.span, of.t_total); };
  if (!best || rank(*candidate) < rank(*best)) best = std::move(candidate);
}

Program build(const Problem& problem, const Parameters& parameters) {
  std::optional<Candidate> best;
  for (const int messages : buffered_messages(problem)) {
    const std::vector<std::int64_t> budgets = budgets_of(problem, parameters, messages);
    keep_better(problem, by_rule(problem, budgets), best);
    keep_better(problem, by_rule_for_equal_stages(problem, budgets), best);
    keep_better(problem, place_greedily(problem, budgets).program(), best);
  }
  // Where nothing runs, the run itself says why.
  return best ? best->program : place_greedily(problem, budgets_of(problem, parameters)).program();
}

}  // namespace

extern const Schedule schedule_v_zb;
const Schedule schedule_v_zb = {
    .info = {.name = "v_zb",
             .summary =
                 "the V placement's smallest bubbles found under a limit on memory, by search",
             .source = "Qi et al., Zero Bubble, arXiv 2401.10241v1, section 6",
             .placement = kVStages,
             .peak = "min(4 limit - 1, 2m)",
             .backward = BackwardPass::split,
             .unrolls = true,
             .parameters = {{.name = kLimit,
                             .type = ParameterType::integer,
                             .minimum = 1,
                             .summary = "microbatches whose activations a device may hold; absent: "
                                        "memory.limit if there is one, else p"}}},
    .place = place_v_stages,
    .plan = plan_limit,
    .check = check_limit,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
