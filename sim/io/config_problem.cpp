#include "sim/io/config_problem.hpp"

#include <fmt/format.h>

#include <limits>
#include <numeric>

namespace pipesim {

namespace {

[[noreturn]] void fail(std::string pointer, std::string what, std::string allowed) {
  throw Error(
      Fault{.pointer = std::move(pointer), .what = std::move(what), .allowed = std::move(allowed)});
}

std::vector<bool> recomputing(const RunConfig& config, std::size_t stages) {
  if (config.recompute.all) return std::vector<bool>(stages, true);
  if (config.recompute.stages.empty()) return {};
  std::vector<bool> result(stages);
  for (const std::int32_t stage : config.recompute.stages) {
    const auto index = static_cast<std::size_t>(stage);
    if (index >= stages) {
      fail("/recompute", fmt::format("there is no stage {}", stage),
           fmt::format("stages 0 to {}", stages - 1));
    }
    result[index] = true;
  }
  return result;
}

bool any_time(const std::vector<Ticks>& times) {
  for (const Ticks time : times) {
    if (time > Ticks{}) return true;
  }
  return false;
}

std::vector<Ticks> by_device(const TimeSpec& given, std::int32_t devices,
                             const std::string& pointer) {
  const auto count = static_cast<std::size_t>(devices);
  if (!given.is_list) return std::vector<Ticks>(count, given.values.front());
  if (given.values.size() != count) {
    fail(pointer, fmt::format("array of {}", given.values.size()),
         fmt::format("an array of p = {} values, or one value for all", devices));
  }
  return given.values;
}

Iterations make_iterations(const RunConfig& config, const StageMap& map) {
  const IterationsConfig& given = config.iterations;
  Iterations iterations;
  iterations.count = given.count;
  iterations.overlap_grad_sync = given.overlap_grad_sync;
  iterations.barrier = given.barrier;
  if (given.grad_sync) {
    iterations.grad_sync = map.spread(*given.grad_sync, "/iterations/grad_sync");
    if (!any_time(iterations.grad_sync)) iterations.grad_sync.clear();
  }
  if (given.optimizer) {
    iterations.optimizer = by_device(*given.optimizer, map.devices(), "/iterations/optimizer");
    if (!any_time(iterations.optimizer)) iterations.optimizer.clear();
  }
  return iterations;
}

std::vector<Straggler> make_stragglers(const RunConfig& config) {
  std::vector<Straggler> stragglers;
  stragglers.reserve(config.variation.stragglers.size());
  for (const StragglerConfig& given : config.variation.stragglers) {
    if (given.device >= config.p) {
      fail(fmt::format("/variation/stragglers/{}/device", stragglers.size()),
           fmt::format("there is no device {}", given.device),
           fmt::format("devices 0 to {}", config.p - 1));
    }
    const std::int64_t divisor = std::gcd(given.factor.billionths, Decimal::kOne);
    stragglers.push_back(
        {.device = Device{given.device},
         .numerator = given.factor.billionths / divisor,
         .denominator = Decimal::kOne / divisor,
         .from = given.from,
         .to = given.to.value_or(Ticks{std::numeric_limits<std::int64_t>::max()})});
  }
  return stragglers;
}

void require_countable(const RunConfig& config) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::int64_t all = std::int64_t{config.m} * config.iterations.count;
  if (all <= kMost) return;
  fail("/iterations/count", fmt::format("{} microbatches in all steps", all),
       fmt::format("at most {}", kMost));
}

/// Steps that nothing separates are one step.
void join_steps(Problem& problem) {
  problem.iterations.joined = problem.iterations.count;
  problem.microbatches *= problem.iterations.count;
  problem.iterations.count = 1;
}

}  // namespace

StageMap::StageMap(std::int32_t devices, const Placement& placement)
    : devices_(devices), stages_on_(static_cast<std::size_t>(devices)) {
  for (const auto& flow : placement.device_of) {
    for (const Device device : flow) {
      if (device.value >= 0 && device.value < devices) continue;
      fail("/placement", fmt::format("a stage is on device {}", device.value),
           fmt::format("devices 0 to {}", devices - 1));
    }
  }
  device_of_ = placement.device_of.front();
  for (const Device device : device_of_) ++stages_on_[static_cast<std::size_t>(device.value)];
}

std::int64_t StageMap::stages_beside(std::size_t stage) const {
  return stages_on_[static_cast<std::size_t>(device_of_[stage].value)];
}

std::vector<std::int64_t> StageMap::spread(const BytesSpec& given,
                                           const std::string& pointer) const {
  const auto devices = static_cast<std::size_t>(devices_);
  const std::size_t size = given.values.size();
  if (given.is_list && size == stages()) return given.values;
  if (given.is_list && size != devices) {
    fail(pointer, fmt::format("array of {}", size),
         stages() == devices
             ? fmt::format("an array of p = {} values, or one value for all", devices_)
             : fmt::format("an array of p = {} or of {} values, one for each stage, "
                           "or one value for all",
                           devices_, stages()));
  }
  std::vector<std::int64_t> seen(devices);
  std::vector<std::int64_t> result;
  result.reserve(stages());
  for (std::size_t stage = 0; stage < stages(); ++stage) {
    const auto device = static_cast<std::size_t>(device_of_[stage].value);
    const std::int64_t total = given.values[given.is_list ? device : 0];
    const std::int64_t parts = stages_on_[device];
    const bool takes_remainder = seen[device]++ < total % parts;
    result.push_back(total / parts + (takes_remainder ? 1 : 0));
  }
  return result;
}

std::vector<Ticks> StageMap::spread(const TimeSpec& given, const std::string& pointer) const {
  BytesSpec counts{.values = {}, .is_list = given.is_list};
  counts.values.reserve(given.values.size());
  for (const Ticks time : given.values) counts.values.push_back(time.count);
  std::vector<Ticks> result;
  result.reserve(stages());
  for (const std::int64_t count : spread(counts, pointer)) result.emplace_back(count);
  return result;
}

Problem make_problem(const RunConfig& given, const Placement& placement, const Integers& slices) {
  require_countable(given);
  const StageMap map(given.p, placement);
  const RunConfig config = with_model_costs(given, placement);
  Problem problem;
  problem.devices = config.p;
  problem.microbatches = config.m;
  problem.placement = placement;
  problem.iterations = make_iterations(config, map);
  problem.recompute = recomputing(config, map.stages());
  if (!config.iterations.flush.value) join_steps(problem);
  if (config.costs.file.empty()) {
    problem.costs = make_costs(config, map);
  } else {
    apply_cost_table(config, map, problem);
  }
  apply_microbatch_scale(config, problem);
  problem.communication = make_communication(
      config, share_of_slice(config.p2p.bytes, static_cast<std::int64_t>(slices.size())));
  problem.launch_overhead = config.variation.launch_overhead;
  problem.stragglers = make_stragglers(config);
  validate_problem(problem);
  if (!problem.durations.empty() && !any_time(problem.durations)) {
    fail(config.variation.microbatch_scale.empty() ? "/costs" : "/variation/microbatch_scale",
         "T_ideal is 0: no op takes any time", "at least one time above 0");
  }
  apply_memory(config, map, problem);
  apply_slices(slices, problem);
  return problem;
}

}  // namespace pipesim
