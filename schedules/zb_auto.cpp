// The automatic schedule of Zero Bubble (Qi et al., 2401.10241, section 3.1): searches, under a
// limit on memory, for an order in which the longest span of a device, from its first start to its
// last end, is short. It runs the paper's heuristic (zero_bubble_search.hpp) with all its choices.
//
// The shortest span is not the shortest T_total, and the two can exclude each other: with p = 2,
// m = 3, F = 20 and 18, B = 7 and 13, W = 6 and 13 by stage, latency 1 and a limit of 2
// microbatches every order with ZB-H1's T_total of 153 has a span of at least 141; the heuristic's
// has 157 and 136. So there are two objectives. For "span", the paper's, the result has no longer
// span than the paper's heuristic, 1F1B and ZB-H1; of all such orders found it is one that has no
// longer T_total than 1F1B and ZB-H1 either, if there is one; and of those the one with the
// shortest span. For "t_total" it is the order with the shortest T_total, never longer than that
// of 1F1B and ZB-H1.
//
// So that more often one order is good for both, the heuristic also runs with other measures of
// what makes a device slow than the paper's, and beside it a greedy rule, which is better where
// memory is tight. 1F1B and ZB-H1 run with as few warm-up forwards as the limit demands, so that
// there is an order under any limit.
#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "schedules/candidate.hpp"
#include "schedules/limit.hpp"
#include "schedules/schedule.hpp"
#include "schedules/warm_up.hpp"
#include "schedules/zero_bubble_search.hpp"
#include "sim/list_schedule.hpp"

namespace pipesim {

namespace {

constexpr auto kObjective = "objective";

/// Which time is to be short.
enum class Objective { span, t_total };

/// Where an order comes from.
enum class Origin {
  rule,    ///< 1F1B or ZB-H1
  paper,   ///< the heuristic as in the paper
  variant  ///< other searches
};

/// An order that was tried out.
struct Found {
  Origin origin = Origin::variant;
  Candidate candidate;
};

/// How the orders with one forward and one gradient in turn run their backwards.
enum class Weights {
  fused,    ///< in a full backward
  at_once,  ///< after their input gradient: 1F1B, but that the input gradient leaves earlier
  delayed   ///< on device i by i microbatches (ZB-H1: 2401.10241, section 2.2)
};

/// How many of that size an amount holds.
std::int64_t most(Int128 amount, std::int64_t size) {
  return size == 0 ? kNoBudget : static_cast<std::int64_t>(amount / size);
}

/// 1F1B or ZB-H1 where they fit, else with the warm-up and the delay that do.
Program one_forward_one_gradient(const Problem& problem, const std::vector<std::int64_t>& budgets,
                                 Weights weights) {
  const std::vector<ActivationUse> uses = activation_uses(problem);
  Program program;
  std::int64_t warm_up = problem.microbatches;  // never more than on the device before
  for (int i = 0; i < problem.devices; ++i) {
    const ActivationUse& use = uses[static_cast<std::size_t>(i)];
    const Int128 budget = Int128{budgets[static_cast<std::size_t>(i)]} - use.recompute;
    warm_up = std::min<std::int64_t>(warm_up, problem.devices - 1 - i);
    warm_up = std::min(warm_up, most(budget - use.forward, use.forward));
    const std::int64_t delay =
        std::min<std::int64_t>(i, most(budget - use.forward * Int128{warm_up + 1}, use.pending));
    const std::int64_t m = problem.microbatches;
    program.lanes.push_back(
        weights == Weights::fused
            ? warm_up_lane(Stage{i}, warm_up, m)
            : split_warm_up_lane(Stage{i}, warm_up, weights == Weights::delayed ? delay : 0, m));
  }
  return program;
}

bool stages_differ(const Problem& problem) {
  const auto differs = [&](const StageCosts& costs) { return costs != problem.costs.front(); };
  return std::any_of(problem.costs.begin(), problem.costs.end(), differs) ||
         !problem.durations.empty() || !problem.recompute.empty();
}

/// All choices of the heuristic, the paper's in the order in which its authors try them.
std::vector<ZeroBubbleChoices> all_choices(const Problem& problem) {
  std::vector<ZeroBubbleChoices> all;
  for (const bool counts_work : {false, true}) {
    // Where all devices have the same work, counting it changes nothing.
    if (counts_work && !stages_differ(problem)) break;
    for (const bool counts_first_wait : {false, true}) {
      for (const bool ends_early : {true, false}) {
        for (const bool may_skip : {true, false}) {
          for (const bool fills : {true, false}) {
            all.push_back({ends_early, may_skip, fills, counts_work, counts_first_wait});
          }
        }
      }
    }
  }
  return all;
}

/// Appends what the search finds within the budgets and memory.limit.
void search(const Problem& problem, const std::vector<std::int64_t>& budgets,
            std::vector<Found>& found) {
  const auto add = [&](Origin origin, Program program) {
    auto candidate = try_out(problem, std::move(program));
    if (candidate) found.push_back({.origin = origin, .candidate = std::move(*candidate)});
  };
  std::set<std::pair<Ticks, Ticks>> known;  // runs that end alike, which most choices make
  const auto add_run = [&](Origin origin, const ListSchedule& schedule) {
    const auto [run, is_new] = known.emplace(schedule.longest_span(), schedule.makespan());
    if (!is_new) return;
    if (!ListSchedule::has_exact_times(problem)) return add(origin, schedule.program());
    found.push_back(
        {.origin = origin,
         .candidate = {.program = schedule.program(), .span = run->first, .t_total = run->second}});
  };
  for (const ZeroBubbleChoices& choices : all_choices(problem)) {
    const bool as_in_paper = !choices.counts_work && !choices.counts_first_wait;
    if (const auto schedule = zero_bubble_search(problem, budgets, choices)) {
      add_run(as_in_paper ? Origin::paper : Origin::variant, *schedule);
    }
  }
  add_run(Origin::variant, place_greedily(problem, budgets));
  add(Origin::rule, one_forward_one_gradient(problem, budgets, Weights::delayed));
  add(Origin::rule, one_forward_one_gradient(problem, budgets, Weights::at_once));
  // Two gradients can take longer than one backward only where each op has an overhead or a time
  // of its own.
  if (problem.launch_overhead > Ticks{} || !problem.durations.empty()) {
    add(Origin::rule, one_forward_one_gradient(problem, budgets, Weights::fused));
  }
}

/// The best by the rule at the top of this file. Requires one.
const Program& best(const std::vector<Found>& found, Objective objective) {
  constexpr Ticks kNever{std::numeric_limits<std::int64_t>::max()};
  Ticks span = kNever;  // that must not be exceeded
  Ticks t_total = kNever;
  for (const auto& [origin, candidate] : found) {
    if (origin != Origin::variant) span = std::min(span, candidate.span);
    if (origin == Origin::rule) t_total = std::min(t_total, candidate.t_total);
  }
  const auto rank = [&](const Candidate& candidate) {
    return objective == Objective::span
               ? std::tuple(candidate.span > span, candidate.t_total > t_total, candidate.span,
                            candidate.t_total)
               : std::tuple(false, false, candidate.t_total, candidate.span);
  };
  return std::min_element(found.begin(), found.end(),
                          [&](const Found& left, const Found& right) {
                            return rank(left.candidate) < rank(right.candidate);
                          })
      ->candidate.program;
}

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device device) {
  const auto budgets = memory_budgets(problem, limit_of(problem, parameters));
  return most_activations(problem, budgets)[static_cast<std::size_t>(device.value)];
}

Program build(const Problem& problem, const Parameters& parameters) {
  const auto limit = limit_of(problem, parameters);
  std::vector<Found> found;
  for (const int messages : buffered_messages(problem)) {
    search(problem, memory_budgets(problem, limit, messages), found);
  }
  // Where nothing runs, the run itself says why.
  if (found.empty()) {
    return one_forward_one_gradient(problem, memory_budgets(problem, limit), Weights::at_once);
  }
  const bool is_total = text(parameters, kObjective) == "t_total";
  return best(found, is_total ? Objective::t_total : Objective::span);
}

}  // namespace

extern const Schedule schedule_zb_auto;
const Schedule schedule_zb_auto = {
    .info = {.name = "zb_auto",
             .summary = "the shortest span found under a limit on memory, by search",
             .source = "Qi et al., Zero Bubble, arXiv 2401.10241, section 3.1",
             .peak = "min(2 limit - 1, m)",
             .backward = BackwardPass::split,
             .unrolls = true,
             .parameters = {{.name = kLimit,
                             .type = ParameterType::integer,
                             .minimum = 1,
                             .choices = {"1p", "2p"},
                             .summary = "microbatches whose activations a device may hold, or "
                                        "\"1p\", \"2p\" for p, 2p; absent: memory.limit if there "
                                        "is one, else no limit"},
                            {.name = kObjective,
                             .type = ParameterType::text,
                             .choices = {"span", "t_total"},
                             .summary = "what is to be short: the longest span of a device, or "
                                        "T_total; absent: the span"}}},
    .plan = plan_limit,
    .check = check_limit,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
