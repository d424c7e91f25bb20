#include "sim/io/config.hpp"

#include <fmt/format.h>

#include "sim/io/config_costs.hpp"
#include "sim/io/config_order_file.hpp"
#include "sim/io/config_overrides.hpp"
#include "sim/io/config_reader.hpp"
#include "sim/io/json_text.hpp"
#include "sim/io/json_tree.hpp"

namespace pipesim {

std::string_view name(OutputFormat format) {
  switch (format) {
    case OutputFormat::table:
      return "table";
    case OutputFormat::json:
      return "json";
    case OutputFormat::csv:
      return "csv";
  }
  return "";
}

LoadedConfig read_config(const std::optional<ConfigText>& file, std::span<const Override> overrides,
                         std::span<const ScheduleSignature> schedules) {
  const auto tree = std::make_shared<JsonTree>();
  JsonFaults faults;
  const JsonTree::Id root = read_document(*tree, file, faults);
  normalise_schedule(*tree, root);
  apply_overrides(*tree, root, overrides, faults);
  return load_config(tree, root, schedules, faults);
}

LoadedConfig load_config(std::shared_ptr<const JsonTree> tree, JsonTree::Id root,
                         std::span<const ScheduleSignature> schedules, JsonFaults& faults) {
  RunConfig config = interpret_config(*tree, root, schedules, faults);
  faults.throw_if_any();
  ConfigPlaces places(std::move(tree), root);
  try {
    if (!config.costs.file.empty()) {
      config.costs = read_cost_table(config.costs.file, config.time_unit);
    }
    if (!config.order_file.empty()) read_order_file(schedules, config);
  } catch (const Error& error) {
    throw places.located(error);
  }
  return {.config = std::move(config), .places = std::move(places)};
}

ConfigPlaces::ConfigPlaces(std::shared_ptr<const JsonTree> tree, std::uint32_t root)
    : tree_(std::move(tree)), root_(root) {}

Fault ConfigPlaces::located(Fault fault) const {
  if (tree_ == nullptr || !fault.place.empty() || fault.pointer.empty()) return fault;
  const JsonTree::Found found = tree_->nearest(root_, fault.pointer);
  if (found.exact && fault.value.empty()) fault.value = tree_->excerpt(found.id);
  return tree_->placed(std::move(fault), tree_->position(found.id));
}

Error ConfigPlaces::located(const Error& error) const {
  std::vector<Fault> faults;
  for (const Fault& fault : error.faults()) faults.push_back(located(fault));
  return Error(std::move(faults), error.kind());
}

std::string list_to_json(std::string_view text) {
  if (text.find(',') == std::string_view::npos || is_json(text)) return std::string(text);
  std::string list;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view element = text.substr(0, comma);
    list += list.empty() ? "[" : ", ";
    list += is_json(element) ? std::string(element) : json_string(element);
    if (comma == std::string_view::npos) return list + "]";
    text.remove_prefix(comma + 1);
  }
}

}  // namespace pipesim
