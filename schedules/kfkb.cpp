// kFkB (Ada-Grouper: Wang et al., 2303.01675): 1F1B over groups of k microbatches. A group's
// forwards are one unit and its backwards another, so that the transfers of all but the last of a
// group have the next one's computation to hide behind. The last group may be shorter.
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/streams.hpp"

namespace pipesim {

namespace {

constexpr auto kGroup = "k";

std::int64_t group_of(const Parameters& parameters) {
  return integer(parameters, kGroup).value_or(2);
}

Plan plan(const Problem& /*problem*/, const Parameters& parameters) {
  Plan plan{parameters, {}};
  plan.parameters[kGroup] = group_of(parameters);
  return plan;
}

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device device) {
  const std::int64_t k = std::min<std::int64_t>(group_of(parameters), problem.microbatches);
  return std::min<std::int64_t>(k * (problem.devices - device.value), problem.microbatches);
}

/// The ops of a kind, a group in each slot.
Stream groups(OpKind kind, Stage stage, std::int64_t microbatches, std::int64_t k,
              std::int64_t delay) {
  const std::int64_t rest = microbatches % k;
  const Item group = with_stride(repeat(k, {item(kind, stage, 0)}), k);
  const Item last = repeat(rest, {item(kind, stage, microbatches - rest)});
  return {.delay = delay,
          .tail = {{.first = group, .count = microbatches / k},
                   {.first = last, .count = rest > 0 ? 1 : 0}}};
}

Program build(const Problem& problem, const Parameters& parameters) {
  const std::int64_t m = problem.microbatches;
  const std::int64_t k = std::min(group_of(parameters), m);
  const std::int64_t all_groups = (m + k - 1) / k;
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    const Stage stage{i};
    const std::int64_t warm_up = std::min<std::int64_t>(problem.devices - 1 - i, all_groups);
    program.lanes.push_back(in_step(
        {groups(OpKind::forward, stage, m, k, 0), groups(OpKind::backward, stage, m, k, warm_up)}));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_kfkb;
const Schedule schedule_kfkb = {
    .info = {.name = "kfkb",
             .summary = "1f1b over groups of k microbatches, to hide latency",
             .source = "Wang et al., Ada-Grouper, arXiv 2303.01675",
             .peak = "min(k (p - i), m)",
             .parameters = {{.name = kGroup,
                             .type = ParameterType::integer,
                             .minimum = 1,
                             .summary = "microbatches of a group; absent: 2"}}},
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
