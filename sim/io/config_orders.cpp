// A placement and the order of every device, as configs write them.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/io/config_section_readers.hpp"

namespace pipesim {

namespace {

constexpr std::string_view kTokens = "tokens such as 0F0, 1B3, 1I3, 1W3 or (0F3;7B1)";
constexpr std::string_view kOrderAllowed =
    "an array with a string of tokens for each device, such as \"0F0 0F1 0B0 0B1\"";
constexpr std::string_view kPairMark = "OVERLAP_F_B";
constexpr IntegerRange kDevice = {0, std::numeric_limits<std::int32_t>::max()};

const std::vector<std::string> kPlacements = {"loop", "v", "bidirectional"};

/// A step, or why the token is none.
struct ParsedStep {
  Step step;
  std::string what{};
  std::string_view allowed = kTokens;
};

ParsedStep parse_single(std::string_view token) {
  const auto op = parse_token(token);
  if (!op) return {.step = {}, .what = "is no op"};
  if (!is_ordered(op->kind)) {
    return {.step = {},
            .what = "is a transfer",
            .allowed = "ops that compute: transfers follow from their order"};
  }
  return {.step = {.op = *op}};
}

ParsedStep parse_step(std::string_view token) {
  if (!token.starts_with('(')) return parse_single(token);
  if (token.ends_with(kPairMark)) token.remove_suffix(kPairMark.size());
  const std::size_t middle = token.find(';');
  if (middle == std::string_view::npos || !token.ends_with(')')) {
    return {.step = {}, .what = "is no pair"};
  }
  const ParsedStep first = parse_single(token.substr(1, middle - 1));
  const ParsedStep second = parse_single(token.substr(middle + 1, token.size() - middle - 2));
  if (!first.what.empty() || !second.what.empty()) return {.step = {}, .what = "is no pair"};
  if (first.step.op.kind != OpKind::forward || role(second.step.op.kind) != Role::gradient) {
    return {.step = {},
            .what = "overlaps other ops than a forward and a gradient",
            .allowed = "a forward, then a full backward or an input gradient: (0F3;7B1)"};
  }
  return {.step = {.op = first.step.op, .overlapped = second.step.op}};
}

std::vector<Step> read_lane(ConfigValues& values, const ConfigValue& value) {
  std::vector<Step> steps;
  const JsonTree& tree = values.tree();
  if (tree.kind(value.id) != JsonKind::string) {
    values.add_fault(value, tree.described(value.id), "a string of " + std::string(kTokens));
    return steps;
  }
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::string text = tree.string(value.id);
  std::size_t begin = text.find_first_not_of(kBlanks);
  for (std::size_t number = 1; begin != std::string::npos; ++number) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    const std::string_view token = std::string_view(text).substr(begin, end - begin);
    const ParsedStep parsed = parse_step(token);
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

StepOrders read_orders(ConfigValues& values, const ConfigValue& value) {
  StepOrders orders;
  const JsonTree& tree = values.tree();
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
