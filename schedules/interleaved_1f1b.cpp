// Interleaved 1F1B (Narayanan et al., 2104.04473, section 2.2): every device has v chunks, and
// groups of N microbatches take turns on them. Device i warms up with 2(p-1-i) + (v-1)N forwards,
// then alternates one forward and one backward, then drains. The last group is N microbatches or
// fewer. Megatron-LM (microbatch_group_size_per_vp_stage) asks for p <= N <= m and a last group of
// at least p, without which a chunk waits for one that its device runs later. With extra_warmup
// the warm-up is one forward longer, and each forward overlaps the backward after it, which needs
// nothing of it (Megatron-LM's overlap_moe_expert_parallel_comm).
#include <fmt/format.h>

#include <algorithm>

#include "schedules/interleaving.hpp"
#include "schedules/schedule.hpp"
#include "sim/error.hpp"
#include "sim/streaming.hpp"
#include "sim/task_graph.hpp"

namespace pipesim {

namespace {

constexpr auto kGroup = "group";
constexpr auto kExtraWarmUp = "extra_warmup";

bool last_group_fills_the_pipeline(const Problem& problem, std::int64_t group) {
  const std::int64_t rest = problem.microbatches % group;
  return rest == 0 || rest >= problem.devices;
}

/// The smallest group that Megatron-LM accepts: p, if p divides m. Where m has fewer than two
/// groups' worth it is all of m, also where m is below p.
std::int64_t smallest_group(const Problem& problem) {
  const std::int64_t m = problem.microbatches;
  std::int64_t group = std::min<std::int64_t>(problem.devices, m);
  while (!last_group_fills_the_pipeline(problem, group)) ++group;
  return group;
}

bool overlaps(const Parameters& parameters) {
  return integer(parameters, kExtraWarmUp).value_or(0) == 1;
}

std::int64_t warm_up(const Problem& problem, const Parameters& parameters, std::int64_t group,
                     Device device) {
  const std::int64_t v = problem.stages() / problem.devices;
  const std::int64_t forwards = 2 * std::int64_t{problem.devices - 1 - device.value} +
                                (v - 1) * group + (overlaps(parameters) ? 1 : 0);
  return std::min(forwards, v * problem.microbatches);
}

Program grouped(const Problem& problem, const Parameters& parameters, std::int64_t group) {
  const SameSlot same_slot =
      overlaps(parameters) ? SameSlot::overlapped : SameSlot::one_after_another;
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    const Device device{i};
    const std::int64_t delay = warm_up(problem, parameters, group, device);
    program.lanes.push_back(in_step({interleaved(OpKind::forward, device, problem, group, 0),
                                     interleaved(OpKind::backward, device, problem, group, delay)},
                                    same_slot));
  }
  return program;
}

/// Whether groups deadlock does not depend on how results cross.
/// PyTorch's group, m / max(1, m / p), both rounded down: as many rounds as there are whole p.
std::int64_t usual_group(const Problem& problem) {
  const int m = problem.microbatches;
  return m / std::max(1, m / problem.devices);
}

/// The usual group, or where its last group is so short that it deadlocks, the smallest one that
/// Megatron-LM accepts.
std::int64_t default_group(const Problem& problem, const Parameters& parameters) {
  const std::int64_t usual = usual_group(problem);
  const bool runs = last_group_fills_the_pipeline(problem, usual) ||
                    comes_to_its_end(problem, grouped(problem, parameters, usual));
  return runs ? usual : smallest_group(problem);
}

std::int64_t group_of(const Problem& problem, const Parameters& parameters) {
  const auto given = integer(parameters, kGroup);
  return given ? *given : default_group(problem, parameters);
}

Plan plan(const Problem& problem, const Parameters& parameters) {
  Plan plan = plan_chunks(problem, parameters);
  if (integer(parameters, kGroup)) return plan;
  const int p = problem.devices;
  const int m = problem.microbatches;
  const std::int64_t group = default_group(problem, plan.parameters);
  if (m < p) {
    plan.notes.push_back(
        fmt::format("all m = {} microbatches are one group: they are fewer than p = {}", m, p));
  } else if (!last_group_fills_the_pipeline(problem, group)) {
    plan.notes.push_back(fmt::format(
        "groups of {}: the last one, {} microbatches, does not fill the p = {} devices; it would "
        "with group {}",
        group, m % group, p, smallest_group(problem)));
  } else {
    plan.parameters[kGroup] = group;
    if (const std::int64_t usual = usual_group(problem); group != usual) {
      plan.notes.push_back(
          fmt::format("group={} filled in: with {} the last one, {} microbatches, would deadlock p "
                      "= {} devices",
                      group, usual, m % usual, p));
    }
  }
  return plan;
}

void check(const Problem& problem, const Parameters& parameters) {
  const auto group = integer(parameters, kGroup);
  if (!group) return;
  const int p = problem.devices;
  const int m = problem.microbatches;
  const auto fail = [](std::string what, std::string allowed) {
    throw Error(Fault{
        .pointer = "/schedule/group", .what = std::move(what), .allowed = std::move(allowed)});
  };
  if (m < p) {
    fail(fmt::format("{} with m = {} below p = {}", *group, m, p),
         fmt::format("no group: all m = {} microbatches are one", m));
  }
  if (*group < p || *group > m) {
    fail(fmt::format("group = {}", *group), fmt::format("p = {} to m = {}", p, m));
  }
  if (!last_group_fills_the_pipeline(problem, *group)) {
    fail(fmt::format("m % group = {} % {} = {}", m, *group, m % *group),
         fmt::format("0 or at least p = {}, such as with group {}", p, smallest_group(problem)));
  }
}

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device device) {
  const std::int64_t all = std::int64_t{problem.stages() / problem.devices} * problem.microbatches;
  const std::int64_t group = group_of(problem, parameters);
  return std::min(warm_up(problem, parameters, group, device) + 1, all);
}

Program build(const Problem& problem, const Parameters& parameters) {
  return grouped(problem, parameters, group_of(problem, parameters));
}

}  // namespace

extern const Schedule schedule_interleaved_1f1b;
const Schedule schedule_interleaved_1f1b = {
    .info = {.name = "interleaved_1f1b",
             .summary = "1f1b with v stages a device, which groups of microbatches take turns on",
             .source = "Narayanan et al., Megatron-LM, arXiv 2104.04473, section 2.2",
             .placement = "loop of v stages a device",
             .peak = "min(2(p - 1 - i) + (v - 1) group + 1 + extra_warmup, m v)",
             .parameters = {chunks_parameter(),
                            {.name = kGroup,
                             .type = ParameterType::integer,
                             .minimum = 1,
                             .summary = "microbatches that pass a stage one after another, from p "
                                        "to m; absent: m / max(1, m / p) rounded down, or the "
                                        "smallest that runs"},
                            {.name = kExtraWarmUp,
                             .type = ParameterType::integer,
                             .minimum = 0,
                             .maximum = 1,
                             .summary = "1: a warm-up longer by a forward, and forwards that "
                                        "overlap backwards; absent: 0"}}},
    .place = place_chunks,
    .plan = plan,
    .check = check,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
