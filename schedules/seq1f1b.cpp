// Seq1F1B (Sun et al., 2406.03488, section 3): every microbatch is cut into slices of its sequence,
// and 1F1B runs over slices. Device i warms up with p - i - 2 + slices forwards. The slices of a
// microbatch go forward in order and backward in reverse: with causal attention a slice needs the
// keys and values of those before it, and its gradient those of the ones after it. Ops are numbered
// by slice: u = microbatch * slices + slice.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr auto kSlices = "slices";
constexpr auto kSliceCosts = "slice_costs";
constexpr std::int64_t kDefaultSlices = 2;
constexpr std::size_t kMostSlices = 1024;

Integers slices(const Parameters& parameters) {
  Integers costs = integers(parameters, kSliceCosts);
  const auto count = integer(parameters, kSlices);
  if (costs.empty()) {
    return Integers(static_cast<std::size_t>(count.value_or(kDefaultSlices)), 1);
  }
  if (costs.size() > kMostSlices) {
    throw Error(Fault{.pointer = "/schedule/slice_costs",
                      .what = fmt::format("array of {}", costs.size()),
                      .allowed = fmt::format("at most {} slices", kMostSlices)});
  }
  if (count && costs.size() != static_cast<std::size_t>(*count)) {
    throw Error(Fault{.pointer = "/schedule/slice_costs",
                      .what = fmt::format("array of {} for {} slices", costs.size(), *count),
                      .allowed = "one value for each slice"});
  }
  return costs;
}

Plan plan(const Problem& problem, const Parameters& parameters) {
  Plan plan{parameters, {}};
  plan.parameters[kSlices] = std::int64_t{problem.slices};
  return plan;
}

std::int64_t warm_up(const Problem& problem, int device) {
  return std::min(problem.devices - device - 2 + problem.slices, problem.microbatches);
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device device) {
  return std::min(problem.devices - 1 - device.value + problem.slices, problem.microbatches);
}

Item descending(Item item) { return with_stride(std::move(item), -1); }

/// `count` whole microbatches from `first` on, each from its last slice to its first.
Item backwards(Stage stage, std::int64_t count, std::int64_t first, std::int64_t slices) {
  return repeat(
      count,
      {with_stride(repeat(slices, {descending(backward(stage, first + slices - 1))}), slices)});
}

LaneOrder lane(const Problem& problem, Stage stage) {
  const std::int64_t s = problem.slices;
  const std::int64_t all = problem.microbatches;
  const std::int64_t warm = warm_up(problem, stage.value);
  const std::int64_t whole = (all - warm) / s;  // microbatches whose backward is in steady state
  const std::int64_t rest = (all - warm) % s;   // slices of the next one's
  const std::int64_t begun = whole * s;
  const std::int64_t left = rest == 0 ? 0 : s - rest;
  const std::int64_t drained = begun + (rest == 0 ? 0 : s);
  return {
      repeat(warm, {forward(stage, 0)}),
      repeat(whole, {with_stride(
                        repeat(s, {forward(stage, warm), descending(backward(stage, s - 1))}), s)}),
      repeat(rest, {forward(stage, warm + begun), descending(backward(stage, begun + s - 1))}),
      repeat(left, {descending(backward(stage, begun + left - 1))}),
      backwards(stage, (all - drained) / s, drained, s),
  };
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  Program program;
  for (int i = 0; i < problem.devices; ++i) program.lanes.push_back(lane(problem, Stage{i}));
  return program;
}

}  // namespace

extern const Schedule schedule_seq1f1b;
const Schedule schedule_seq1f1b = {
    .info = {.name = "seq1f1b",
             .summary = "1f1b over slices of each microbatch's sequence",
             .source = "Sun et al., Seq1F1B, arXiv 2406.03488, section 3",
             .peak = "min(p - 1 - i + slices, m * slices) slices",
             .parameters = {{.name = kSlices,
                             .type = ParameterType::integer,
                             .minimum = 1,
                             .maximum = kMostSlices,
                             .summary = "slices of each microbatch; absent: 2, or as many as "
                                        "slice_costs"},
                            {.name = kSliceCosts,
                             .type = ParameterType::integers,
                             .minimum = 1,
                             .maximum = 1'000'000'000,
                             .summary = "relative cost of each slice, for attention that grows "
                                        "with the position: [1, 3, 5, 7]; absent: all equal"}}},
    .slices = slices,
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
