// A problem of whole microbatches as one of their slices.
#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "sim/io/config_problem.hpp"

namespace pipesim {

namespace {

/// The part of each slice, in proportion to its cost; the ticks that are left to the first ones.
std::vector<Ticks> parts(Ticks whole, const Integers& costs) {
  const std::int64_t all = std::accumulate(costs.begin(), costs.end(), std::int64_t{0});
  std::vector<Ticks> result;
  result.reserve(costs.size());
  Ticks left = whole;
  for (const std::int64_t cost : costs) {
    result.emplace_back(static_cast<std::int64_t>(Int128{whole.count} * cost / all));
    left -= result.back();
  }
  for (std::size_t slice = 0; left > Ticks{}; ++slice, left -= Ticks{1}) result[slice] += Ticks{1};
  return result;
}

/// Of every slice of one microbatch, the costs on a stage: a split backward stays the sum of its
/// parts.
std::vector<StageCosts> sliced(const StageCosts& whole, const Integers& relative) {
  const Ticks weight = whole.weight.value_or(Ticks{});
  const std::vector<Ticks> forward = parts(whole.forward, relative);
  const std::vector<Ticks> input = parts(whole.backward - weight, relative);
  const std::vector<Ticks> weights = parts(weight, relative);
  const std::vector<Ticks> recompute = parts(whole.recompute, relative);
  std::vector<StageCosts> slices(relative.size());
  for (std::size_t slice = 0; slice < slices.size(); ++slice) {
    slices[slice] = stage_costs(forward[slice], input[slice] + weights[slice]);
    if (whole.weight) slices[slice].weight = weights[slice];
    slices[slice].recompute = recompute[slice];
  }
  return slices;
}

void slice_memory(std::int64_t slices, Memory& memory) {
  if (!memory.in_bytes) {
    memory.units_per_microbatch *= slices;
    if (memory.limit && __builtin_mul_overflow(*memory.limit, slices, &*memory.limit)) {
      memory.limit.reset();  // beyond what can be held
    }
    return;
  }
  for (StageMemory& stage : memory.stages) {
    stage.activation = share_of_slice(stage.activation, slices);
    stage.kept_for_weight = share_of_slice(stage.kept_for_weight, slices);
    stage.input = share_of_slice(stage.input, slices);
  }
  memory.message = share_of_slice(memory.message, slices);
}

}  // namespace

std::int64_t share_of_slice(std::int64_t bytes, std::int64_t slices) {
  return bytes / slices + (bytes % slices == 0 ? 0 : 1);
}

void apply_slices(const Integers& relative_costs, Problem& problem) {
  const auto slices = static_cast<std::int64_t>(relative_costs.size());
  if (slices == 1) return;
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (slices * problem.total_microbatches() > kMost) {
    throw Error(Fault{
        .pointer = "/schedule",
        .what = fmt::format("{} slices of {} microbatches", slices, problem.total_microbatches()),
        .allowed = fmt::format("at most {} slices in all", kMost)});
  }
  Problem whole = problem;
  problem.microbatches *= static_cast<std::int32_t>(slices);
  problem.slices = static_cast<std::int32_t>(slices);
  problem.durations.clear();
  make_room_for_durations(problem);
  bool differ = !whole.durations.empty();
  for (std::size_t stage = 0; stage < problem.costs.size(); ++stage) {
    for (std::size_t microbatch = 0; microbatch < microbatches_of(whole); ++microbatch) {
      const std::vector<StageCosts> costs =
          sliced(costs_of(whole, stage, microbatch), relative_costs);
      for (std::size_t slice = 0; slice < costs.size(); ++slice) {
        set_durations(problem, stage, microbatch * costs.size() + slice, costs[slice]);
        differ = differ || costs[slice] != costs.front();
      }
    }
    problem.costs[stage] = sliced(whole.costs[stage], relative_costs).front();
  }
  if (!differ) problem.durations.clear();
  slice_memory(slices, problem.memory);
}

}  // namespace pipesim
