// A placement and the order of every device, as configs write them.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/io/config_section_readers.hpp"
#include "sim/io/program_text.hpp"
#include "sim/io/step_token.hpp"

namespace pipesim {

namespace {

constexpr std::string_view kOrderAllowed =
    "an array with a string of tokens for each device, such as \"0F0 0F1 0B0 0B1\"";
constexpr IntegerRange kDevice = {0, std::numeric_limits<std::int32_t>::max()};

const std::vector<std::string> kPlacements = {"loop", "v", "bidirectional"};

std::vector<Step> read_lane(ConfigValues& values, const ConfigValue& value) {
  std::vector<Step> steps;
  const JsonTree& tree = values.tree();
  if (tree.kind(value.id) != JsonKind::string) {
    values.add_fault(value, tree.described(value.id), "a string of " + std::string(kStepTokens));
    return steps;
  }
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::string text = tree.string(value.id);
  std::size_t begin = text.find_first_not_of(kBlanks);
  for (std::size_t number = 1; begin != std::string::npos; ++number) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    const std::string_view token = std::string_view(text).substr(begin, end - begin);
    const ParsedStep parsed = parse_compute_step(token);
    if (parsed.what.empty()) {
      steps.push_back(parsed.step);
    } else {
      values.add_fault(value,
                       fmt::format("token {} \"{}\" at character {} {}", number, abbreviated(token),
                                   begin + 1, parsed.what),
                       parsed.allowed);
    }
    begin = text.find_first_not_of(kBlanks, end);
  }
  return steps;
}

}  // namespace

ParameterValue read_orders(ConfigValues& values, const ConfigValue& value,
                           std::int64_t microbatches) {
  StepOrders orders;
  const JsonTree& tree = values.tree();
  if (tree.kind(value.id) == JsonKind::string && is_program_text(tree.string(value.id))) {
    ParsedProgram parsed = parse_program_text(tree.string(value.id), microbatches);
    for (const Fault& fault : parsed.faults) {
      values.add_fault(value,
                       fmt::format("line {}, column {}: {}", fault.line, fault.column, fault.what),
                       fault.allowed);
    }
    return std::move(parsed.program);
  }
  if (tree.kind(value.id) != JsonKind::array) {
    values.add_fault(value, tree.described(value.id), kOrderAllowed);
    return orders;
  }
  for (const JsonTree::Id id : tree.children(value.id)) {
    orders.push_back(
        read_lane(values, {id, child_pointer(value.pointer, std::to_string(orders.size()))}));
  }
  return orders;
}

std::optional<ParameterValue> read_placement(ConfigValues& values, const ConfigValue& value) {
  const JsonTree& tree = values.tree();
  if (tree.kind(value.id) != JsonKind::array) {
    const auto chosen = values.choice(value, kPlacements,
                                      alternatives(kPlacements) + ", or the device of each stage");
    if (!chosen) return std::nullopt;
    return kPlacements[*chosen];
  }
  StageDevices devices;
  for (const JsonTree::Id id : tree.children(value.id)) {
    const ConfigValue element = {id, child_pointer(value.pointer, std::to_string(devices.size()))};
    devices.emplace_back(values.integer(element, kDevice).value_or(0));
  }
  if (devices.empty()) values.add_fault(value, "array of 0", "the device of each stage");
  return devices;
}

}  // namespace pipesim
