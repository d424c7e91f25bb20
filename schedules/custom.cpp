// An order that is given step by step or as loops, for what no schedule here makes.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "schedules/parking.hpp"
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

/// The order that is given: loops, or step by step.
Program given_program(const Parameters& parameters) {
  const auto found = parameters.find(kOrder);
  if (found == parameters.end()) {
    fail("/schedule/order", "missing",
         "required: an array with a string of tokens for each device, such as \"0F0 0F1 0B0 0B1\", "
         "or a file");
  }
  if (const auto* program = std::get_if<Program>(&found->second)) return *program;
  return unrolled(std::get<StepOrders>(found->second));
}

/// Where the order has each stage's ops.
class OrderedStages {
 public:
  explicit OrderedStages(const Program& program) {
    for (std::size_t device = 0; device < program.lanes.size(); ++device) {
      add(program.lanes[device], Device{device});
    }
  }

  /// One more than the largest.
  int count() const { return static_cast<int>(devices_.size()); }

  /// The device of every stage. Fails for a stage on none or on two.
  Placement placement() const {
    StageDevices device_of;
    for (std::size_t stage = 0; stage < devices_.size(); ++stage) {
      const auto& [first, other] = devices_[stage];
      if (!first) {
        fail("/schedule/order", fmt::format("no op of stage {}", stage),
             fmt::format("stages 0 to {}", devices_.size() - 1));
      }
      if (other) {
        fail("/schedule/order",
             fmt::format("stage {} is on device {} and on device {}", stage, first->value,
                         other->value),
             "one device, or the placement bidirectional");
      }
      device_of.push_back(*first);
    }
    return {.device_of = {std::move(device_of)}};
  }

 private:
  void add(const LaneOrder& items, Device device) {
    for (const Item& item : items) {
      if (const Loop* loop = std::get_if<Loop>(&item.what)) {
        add(loop->body, device);
        continue;
      }
      for_each_step(item, [&](const Step& step) {
        add(step.op.stage, device);
        if (step.overlapped) add(step.overlapped->stage, device);
      });
    }
  }

  void add(Stage stage, Device device) {
    constexpr std::int32_t kMost = 1 << 20;
    if (stage.value >= kMost) {
      fail("/schedule/order", fmt::format("stage {}", stage.value),
           fmt::format("stages 0 to {}", kMost - 1));
    }
    const auto index = static_cast<std::size_t>(stage.value);
    if (index >= devices_.size()) devices_.resize(index + 1);
    auto& [first, other] = devices_[index];
    if (!first) first = device;
    if (first != device) other = device;
  }

  struct Devices {
    std::optional<Device> first;
    std::optional<Device> other;
  };
  std::vector<Devices> devices_;  // by stage
};

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
  const Program program = given_program(parameters);
  if (program.lanes.size() != static_cast<std::size_t>(devices)) {
    fail("/schedule/order", fmt::format("array of {}", program.lanes.size()),
         fmt::format("an array of p = {} strings, one for each device", devices));
  }
  const OrderedStages stages(program);
  if (stages.count() == 0) fail("/schedule/order", "no op", "every op of every stage");
  const auto given = parameters.find(kPlacement);
  if (given == parameters.end()) return stages.placement();
  if (const auto* name = std::get_if<std::string>(&given->second)) {
    return named_placement(*name, devices, stages.count());
  }
  const auto& device_of = std::get<StageDevices>(given->second);
  if (device_of.size() < static_cast<std::size_t>(stages.count())) {
    fail("/placement", fmt::format("array of {}", device_of.size()),
         fmt::format("an array of {} values, one for each stage of the order", stages.count()));
  }
  return {.device_of = {device_of}};
}

bool parks(const LaneOrder& items) {
  return std::any_of(items.begin(), items.end(), [](const Item& item) {
    if (const Loop* loop = std::get_if<Loop>(&item.what)) return parks(loop->body);
    bool parks = false;
    for_each_step(item, [&](const Step& step) { parks = parks || is_parking(step.op.kind); });
    return parks;
  });
}

/// An order with EVICT and LOAD parks with the device at the other end, as bpipe does.
std::vector<Device> keepers(int devices, const Parameters& parameters) {
  const std::vector<LaneOrder> lanes = given_program(parameters).lanes;
  return std::any_of(lanes.begin(), lanes.end(), parks) ? mirrored_devices(devices)
                                                        : std::vector<Device>{};
}

Program build(const Problem& /*problem*/, const Parameters& parameters) {
  return given_program(parameters);
}

}  // namespace

extern const Schedule schedule_custom;
const Schedule schedule_custom = {
    .info = {.name = "custom",
             .summary = "the order that is given, in the config or in a file",
             .source = "tokens as in torch.distributed.pipelining's schedules",
             .placement = "the config's",
             .peak = "as the order says",
             .backward = BackwardPass::mixed,
             .unrolls = true,
             .parameters = {{.name = kOrder,
                             .type = ParameterType::orders,
                             .summary = "a string of tokens for each device: 0F0 is stage 0, "
                                        "forward of microbatch 0; or the text of a program; "
                                        "required unless file"},
                            {.name = "file",
                             .type = ParameterType::orders_file,
                             .summary = "a file with the order: the CSV of "
                                        "torch.distributed.pipelining, whose communication is "
                                        "checked, or what pipesim program prints (its first word "
                                        "is device)"},
                            {.name = "b_means",
                             .type = ParameterType::text,
                             .choices = {"full_backward", "input_gradient"},
                             .summary = "how to read B in a CSV file: old files have B for the "
                                        "input gradient and BW for the full backward; absent: "
                                        "full_backward"},
                            {.name = kPlacement,
                             .type = ParameterType::placement,
                             .summary = "the config's key placement: loop, v, bidirectional or "
                                        "the device of each stage; absent: each stage where the "
                                        "order has its ops"}}},
    .place = place,
    .keepers = keepers,
    .build = build,
};

}  // namespace pipesim
