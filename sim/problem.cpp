#include "sim/problem.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/error.hpp"

namespace pipesim {

Placement one_stage_per_device(int devices) {
  std::vector<Device> device_of;
  device_of.reserve(static_cast<std::size_t>(devices));
  for (int device = 0; device < devices; ++device) device_of.emplace_back(device);
  return {.device_of = {std::move(device_of)}};
}

Device Problem::device(const Op& op) const {
  return placement
      .device_of[static_cast<std::size_t>(op.flow.value)][static_cast<std::size_t>(op.stage.value)];
}

Ticks Problem::duration(const Op& op) const {
  const StageCosts& stage = costs[static_cast<std::size_t>(op.stage.value)];
  return op.kind == OpKind::forward ? stage.forward : stage.backward;
}

void validate_problem(const Problem& problem) {
  const auto require = [](bool holds, const char* pointer, std::string what, std::string allowed) {
    if (holds) return;
    throw Error(Fault{.pointer = pointer, .what = std::move(what), .allowed = std::move(allowed)});
  };
  require(problem.devices >= 1, "/p", fmt::format("{} devices", problem.devices), "at least 1");
  require(problem.microbatches >= 1, "/m", fmt::format("{} microbatches", problem.microbatches),
          "at least 1");
  require(problem.placement.flows() >= 1 && problem.stages() >= 1, "/p", "no stage is placed",
          "at least one flow of at least one stage");
  const auto stages = static_cast<std::size_t>(problem.stages());
  require(problem.costs.size() == stages, "/t_f",
          fmt::format("costs of {} stages", problem.costs.size()),
          fmt::format("costs of {} stages", stages));
  for (const StageCosts& costs : problem.costs) {
    require(costs.forward >= Ticks{0}, "/t_f", "a forward takes less than no time", "at least 0");
    require(costs.backward >= Ticks{0}, "/t_b", "a backward takes less than no time", "at least 0");
  }
  std::vector<bool> used(static_cast<std::size_t>(problem.devices));
  for (const auto& flow : problem.placement.device_of) {
    require(flow.size() == stages, "/placement", "flows differ in their number of stages",
            fmt::format("{} stages in each", stages));
    for (const Device device : flow) {
      require(device.value >= 0 && device.value < problem.devices, "/placement",
              fmt::format("a stage is on device {}", device.value),
              fmt::format("devices 0 to {}", problem.devices - 1));
      used[static_cast<std::size_t>(device.value)] = true;
    }
  }
  const auto empty = std::find(used.begin(), used.end(), false);
  require(empty == used.end(), "/placement",
          fmt::format("device {} has no stage", empty - used.begin()), "a stage on every device");
  const std::vector<Ticks> work = work_per_device(problem);
  require(*std::max_element(work.begin(), work.end()) > Ticks{0}, "/t_f",
          "T_ideal is 0: no op takes any time", "at least one time above 0");
}

std::vector<Ticks> work_per_device(const Problem& problem) {
  std::vector<Ticks> work(static_cast<std::size_t>(problem.devices));
  for (int stage = 0; stage < problem.stages(); ++stage) {
    const StageCosts& costs = problem.costs[static_cast<std::size_t>(stage)];
    const Op op{.kind = OpKind::forward, .flow = {}, .stage = Stage{stage}, .microbatch = {}};
    work[static_cast<std::size_t>(problem.device(op).value)] +=
        (costs.forward + costs.backward) * problem.microbatches;
  }
  return work;
}

std::int64_t op_count(const Problem& problem) {
  return std::int64_t{kOpKinds} * problem.microbatches * problem.stages();
}

}  // namespace pipesim
