#include "sim/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/error.hpp"

namespace pipesim {

Placement loop_placement(int devices, int stages_per_device) {
  std::vector<Device> device_of;
  device_of.reserve(static_cast<std::size_t>(devices) *
                    static_cast<std::size_t>(stages_per_device));
  for (int chunk = 0; chunk < stages_per_device; ++chunk) {
    for (int device = 0; device < devices; ++device) device_of.emplace_back(device);
  }
  return {.device_of = {std::move(device_of)}};
}

Placement v_placement(int devices) { return wave_placement(devices, 1); }

Placement wave_placement(int devices, int waves) {
  std::vector<Device> device_of;
  device_of.reserve(2 * static_cast<std::size_t>(devices) * static_cast<std::size_t>(waves));
  for (int wave = 0; wave < waves; ++wave) {
    for (int device = 0; device < devices; ++device) device_of.emplace_back(device);
    for (int device = devices - 1; device >= 0; --device) device_of.emplace_back(device);
  }
  return {.device_of = {std::move(device_of)}};
}

Placement bidirectional_placement(int devices) {
  std::vector<Device> down;
  down.reserve(static_cast<std::size_t>(devices));
  for (int device = 0; device < devices; ++device) down.emplace_back(device);
  std::vector<Device> up(down.rbegin(), down.rend());
  return {.device_of = {std::move(down), std::move(up)}};
}

StageCosts stage_costs(Ticks forward, Ticks backward, std::optional<Ticks> weight) {
  return {.forward = forward,
          .backward = backward,
          .weight = weight,
          .fused = std::nullopt,
          .recompute = forward};
}

Flow Problem::flow(Microbatch microbatch) const {
  if (placement.flows() == 1) return Flow{0};
  const int in_step = microbatch.value % microbatches;
  return Flow{in_step < first_microbatch(Flow{1}).value ? 0 : 1};
}

Device Problem::device(Stage stage, Microbatch microbatch) const {
  return placement.device_of[static_cast<std::size_t>(flow(microbatch).value)]
                            [static_cast<std::size_t>(stage.value)];
}

Ticks StageCosts::duration(OpKind kind) const {
  switch (kind) {
    case OpKind::forward:
      return forward;
    case OpKind::backward:
      return backward;
    case OpKind::backward_input:
      return backward - weight.value_or(Ticks{});
    case OpKind::backward_weight:
      return weight.value_or(Ticks{});
    case OpKind::recompute:
      return recompute;
    default:
      break;
  }
  PIPESIM_CHECK(is_compute(kind));
  return {};
}

Ticks Problem::duration(const Op& op) const {
  if (is_parking(op.kind)) {
    return parking.copy_time.empty() ? Ticks{}
                                     : parking.copy_time[static_cast<std::size_t>(op.stage.value)];
  }
  if (!durations.empty()) {
    const std::size_t row =
        static_cast<std::size_t>(op.kind) * costs.size() + static_cast<std::size_t>(op.stage.value);
    return durations[row * static_cast<std::size_t>(microbatches) +
                     static_cast<std::size_t>(op.microbatch.value % microbatches)];
  }
  return costs[static_cast<std::size_t>(op.stage.value)].duration(op.kind);
}

namespace {

/// Rounded half up to a tick.
Ticks scaled(Ticks duration, std::int64_t numerator, std::int64_t denominator) {
  const Int128 doubled = Int128{2} * duration.count * numerator;
  const Int128 rounded = (doubled + denominator) / (Int128{2} * denominator);
  if (rounded > std::numeric_limits<std::int64_t>::max()) throw_time_overflow();
  return Ticks{static_cast<std::int64_t>(rounded)};
}

}  // namespace

Ticks Problem::duration(const Op& op, const std::optional<Op>& overlapped) const {
  if (is_parking(op.kind)) return duration(op);
  if (!overlapped) return launch_overhead + duration(op);
  const std::optional<Ticks>& fused = costs[static_cast<std::size_t>(op.stage.value)].fused;
  const Ticks apart = duration(op) + duration(*overlapped);
  if (!fused || durations.empty()) return launch_overhead + fused.value_or(apart);
  const Ticks usually =
      costs[static_cast<std::size_t>(op.stage.value)].duration(op.kind) +
      costs[static_cast<std::size_t>(overlapped->stage.value)].duration(overlapped->kind);
  return launch_overhead +
         (usually == Ticks{} ? *fused : scaled(*fused, apart.count, usually.count));
}

Ticks Problem::slowed(Ticks duration, Device device, Ticks start) const {
  for (const Straggler& straggler : stragglers) {
    if (straggler.device != device || start < straggler.from || start >= straggler.to) continue;
    duration = scaled(duration, straggler.numerator, straggler.denominator);
  }
  return duration;
}

Link Problem::link(Device from, Device to) const {
  if (from == to) return {};
  const bool same_node = communication.node(from) == communication.node(to);
  Link link = same_node ? communication.intra : communication.inter;
  if (!communication.latencies.empty()) {
    link.latency =
        communication
            .latencies[static_cast<std::size_t>(from.value) * static_cast<std::size_t>(devices) +
                       static_cast<std::size_t>(to.value)];
  }
  return link;
}

std::int32_t weight_versions(const Problem& problem, Device device) {
  if (problem.weight_versions.empty()) return 1;
  return problem.weight_versions[static_cast<std::size_t>(device.value)];
}

namespace {

void require(bool holds, const char* pointer, std::string what, std::string allowed) {
  if (holds) return;
  throw Error(Fault{.pointer = pointer, .what = std::move(what), .allowed = std::move(allowed)});
}

void validate_placement(const Problem& problem) {
  require(problem.placement.flows() >= 1 && problem.stages() >= 1, "/p", "no stage is placed",
          "at least one flow of at least one stage");
  const auto stages = static_cast<std::size_t>(problem.stages());
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
}

void validate_costs(const Problem& problem) {
  const auto stages = static_cast<std::size_t>(problem.stages());
  require(problem.costs.size() == stages, "/t_f",
          fmt::format("costs of {} stages", problem.costs.size()),
          fmt::format("costs of {} stages", stages));
  bool any_work = problem.launch_overhead > Ticks{0};
  for (const StageCosts& costs : problem.costs) {
    const Ticks weight = costs.weight.value_or(Ticks{0});
    require(costs.forward >= Ticks{0}, "/t_f", "a forward takes less than no time", "at least 0");
    require(costs.backward >= Ticks{0}, "/t_b", "a backward takes less than no time", "at least 0");
    require(weight >= Ticks{0} && weight <= costs.backward, "/t_w",
            "a weight gradient takes longer than the whole backward", "at most t_b");
    any_work = any_work || costs.forward > Ticks{0} || costs.backward > Ticks{0};
  }
  require(any_work, "/t_f", "T_ideal is 0: no op takes any time", "at least one time above 0");
}

}  // namespace

void validate_problem(const Problem& problem) {
  require(problem.devices >= 1, "/p", fmt::format("{} devices", problem.devices), "at least 1");
  require(problem.microbatches >= 1, "/m", fmt::format("{} microbatches", problem.microbatches),
          "at least 1");
  validate_placement(problem);
  validate_costs(problem);
}

std::int64_t op_count(const Problem& problem) {
  const auto recomputing = std::count(problem.recompute.begin(), problem.recompute.end(), true);
  return (std::int64_t{2} * problem.stages() + recomputing) * problem.total_microbatches();
}

}  // namespace pipesim
