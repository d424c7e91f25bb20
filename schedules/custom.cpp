// An order that is given step by step, for what no schedule here makes.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr auto kOrder = "order";
constexpr auto kPlacement = "placement";

[[noreturn]] void fail(std::string pointer, std::string what, std::string allowed) {
  throw Error(
      Fault{.pointer = std::move(pointer), .what = std::move(what), .allowed = std::move(allowed)});
}

const StepOrders& orders(const Parameters& parameters) {
  const auto found = parameters.find(kOrder);
  if (found == parameters.end()) {
    fail("/schedule/order", "missing",
         "required: an array with a string of tokens for each device, such as \"0F0 0F1 0B0 0B1\"");
  }
  return std::get<StepOrders>(found->second);
}

/// The number of stages that an order names: one more than the largest.
int stages_of(const StepOrders& lanes) {
  constexpr std::int32_t kMost = 1 << 20;
  std::int32_t largest = -1;
  for (const auto& lane : lanes) {
    for (const Step& step : lane) {
      largest =
          std::max({largest, step.op.stage.value, step.overlapped.value_or(step.op).stage.value});
    }
  }
  if (largest >= kMost) {
    fail("/schedule/order", fmt::format("stage {}", largest),
         fmt::format("stages 0 to {}", kMost - 1));
  }
  return largest + 1;
}

Placement named_placement(const std::string& name, int devices, int stages) {
  if (name == "v") {
    if (stages != 2 * devices) {
      fail("/placement", fmt::format("\"v\" with {} stages", stages),
           fmt::format("2p = {} stages", 2 * devices));
    }
    return v_placement(devices);
  }
  if (name == "bidirectional") {
    if (stages != devices) {
      fail("/placement", fmt::format("\"bidirectional\" with {} stages", stages),
           fmt::format("p = {} stages in each direction", devices));
    }
    return bidirectional_placement(devices);
  }
  if (stages == 0 || stages % devices != 0) {
    fail("/schedule/order", fmt::format("{} stages on p = {} devices", stages, devices),
         "a multiple of p, or a placement with the device of each stage");
  }
  return loop_placement(devices, stages / devices);
}

Placement place(int devices, const Parameters& parameters) {
  const StepOrders& lanes = orders(parameters);
  if (lanes.size() != static_cast<std::size_t>(devices)) {
    fail("/schedule/order", fmt::format("array of {}", lanes.size()),
         fmt::format("an array of p = {} strings, one for each device", devices));
  }
  const int stages = stages_of(lanes);
  const auto given = parameters.find(kPlacement);
  if (given == parameters.end()) return named_placement("loop", devices, stages);
  if (const auto* name = std::get_if<std::string>(&given->second)) {
    return named_placement(*name, devices, stages);
  }
  const auto& device_of = std::get<StageDevices>(given->second);
  if (device_of.size() < static_cast<std::size_t>(stages)) {
    fail("/placement", fmt::format("array of {}", device_of.size()),
         fmt::format("an array of {} values, one for each stage of the order", stages));
  }
  return {.device_of = {device_of}};
}

Program build(const Problem& /*problem*/, const Parameters& parameters) {
  Program program;
  const StepOrders& lanes = orders(parameters);
  program.lanes.reserve(lanes.size());
  for (const auto& lane : lanes) {
    LaneOrder order;
    order.reserve(lane.size());
    for (const Step& step : lane) order.push_back({.what = step, .stride = 0});
    program.lanes.push_back(std::move(order));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_custom;
const Schedule schedule_custom = {
    .info = {.name = "custom",
             .summary = "the order that is given, step by step",
             .source = "tokens as in torch.distributed.pipelining's schedules",
             .placement = "the config's",
             .peak = "as the order says",
             .backward = BackwardPass::mixed,
             .parameters = {{.name = kOrder,
                             .type = ParameterType::orders,
                             .summary = "a string of tokens for each device: 0F0 is stage 0, "
                                        "forward of microbatch 0; required"},
                            {.name = kPlacement,
                             .type = ParameterType::placement,
                             .summary = "the config's key placement: loop, v, bidirectional or "
                                        "the device of each stage; absent: loop"}}},
    .place = place,
    .build = build,
};

}  // namespace pipesim
