#include "tests/config_fuzz/config_classes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

#include "sim/io/csv_fields.hpp"
#include "sim/io/program_text.hpp"
#include "sim/io/quantities.hpp"
#include "tests/config_fuzz/schema_walk.hpp"
#include "tests/places.hpp"

namespace pipesim::test {

namespace {

constexpr std::string_view kEven = "splits evenly";
constexpr std::string_view kRemainder = "leaves a remainder";

/// What the schema allows and the reader does not, or what has no meaning.
const std::set<std::string> kNone = {
    "/memory/limit: text 0",                 // nothing would fit
    "/p2p/latency/*: array of 0",            // a row has p values
    "/variation/stragglers/*/to: number 0",  // it is after from
    "/variation/stragglers/*/to: text 0",
    "/iterations/optimizer: splits evenly",  // is a device's and not split
    "/iterations/optimizer: leaves a remainder"};

/// "0", "1", "below 16" or "16 and more".
std::string size_class(double value) {
  if (value == 0) return "0";
  if (value == 1) return "1";
  return value < 16 ? "below 16" : "16 and more";
}

std::vector<std::string> number_classes(const Json& node) {
  const bool excludes_0 = node.contains("exclusiveMinimum");
  const double least =
      excludes_0 ? node.at("exclusiveMinimum").get<double>() : node.at("minimum").get<double>();
  const double most = node.value("maximum", 1e300);
  std::vector<std::string> classes;
  if (least == 0 && !excludes_0) classes.emplace_back("0");
  if (least <= 1) classes.emplace_back("1");
  if (most > 1) classes.emplace_back("below 16");
  if (most >= 16) classes.emplace_back("16 and more");
  if (node.at("type") == "number") classes.emplace_back("fraction");
  return classes;
}

std::string length_class(std::size_t size) {
  return size < 2 ? fmt::format("array of {}", size) : "longer array";
}

std::string joined(const Json& names) {
  std::string text;
  for (const Json& name : names) text += " " + name.get<std::string>();
  return text;
}

bool is_split(const Json& node) {
  const std::string reference = node.value("$ref", "");
  return reference == "#/definitions/times" || reference == "#/definitions/spread_bytes";
}

}  // namespace

const Json& config_schema() {
  static const Json kSchema = [] {
    std::ifstream file(source_directory() + "/docs/config.schema.json");
    return Json::parse(file);
  }();
  return kSchema;
}

ConfigClasses::ConfigClasses(std::span<const ScheduleSignature> schedules)
    : schedules_(schedules.begin(), schedules.end()) {
  declare_node(config_schema(), "");
  for (const ScheduleSignature& schedule : schedules_) declare_schedule(schedule);
  for (const char* const kinds : {"F B", "F B W", "F B I", "F I W", "F B I W", "R", "microbatch"}) {
    declare("/costs (file)", kinds);
  }
  for (const std::string& none : kNone) {
    const std::size_t colon = none.find(": ");
    counts_.at(none.substr(0, colon)).erase(none.substr(colon + 2));
  }
}

void ConfigClasses::declare_node(const Json& given, const std::string& key) {
  if (is_split(given)) {
    declare(key, std::string(kEven));
    declare(key, std::string(kRemainder));
  }
  const Json& node = resolved(given);
  for (const char* const choice : {"oneOf", "anyOf"}) {
    if (!node.contains(choice)) continue;
    for (const Json& alternative : node.at(choice)) {
      if (alternative.contains("required") && !alternative.contains("type")) {
        declare(key, "with" + joined(alternative.at("required")));
      } else {
        declare_node(alternative, key);
      }
    }
  }
  if (node.contains("const")) declare(key, node.at("const").dump());
  if (node.contains("enum")) {
    for (const Json& member : node.at("enum")) declare(key, member);
  }
  if (!node.contains("type")) return;
  const std::string type = node.at("type");
  if (type == "object") {
    declare_object(node, key);
  } else if (type == "array") {
    if (!node.contains("minItems")) declare(key, length_class(0));
    declare(key, length_class(1));
    declare(key, length_class(2));
    if (node.contains("items")) declare_node(node.at("items"), key + "/*");
  } else if (type == "boolean") {
    declare(key, "true");
    declare(key, "false");
  } else if (type == "string") {
    for (const std::string& name : text_classes(node)) declare(key, name);
  } else {
    for (const std::string& name : number_classes(node)) declare(key, "number " + name);
  }
}

void ConfigClasses::declare_object(const Json& node, const std::string& key) {
  if (key == "/schedule") return declare(key, "object");
  const Json required = node.value("required", Json::array());
  const Json properties = node.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    const std::string inner = fmt::format("{}/{}", key, name);
    if (std::find(required.begin(), required.end(), name) == required.end()) {
      declare(inner, "absent");
    }
    declare_node(property, inner);
  }
  if (node.contains("additionalProperties") && node.at("additionalProperties").is_object()) {
    declare_node(node.at("additionalProperties"), key + "/*");
  }
}

void ConfigClasses::declare_schedule(const ScheduleSignature& schedule) {
  const std::string key = "/schedule " + schedule.name;
  declare(key, "drawn");
  for (const ParameterSpec& spec : schedule.parameters) {
    if (spec.type == ParameterType::placement) continue;
    const std::string inner = fmt::format("{}/{}", key, spec.name);
    declare(inner, "absent");
    for (const std::string& choice : spec.choices) declare(inner, choice);
    switch (spec.type) {
      case ParameterType::integer:
        declare(inner, "the least");
        declare(inner, "more");
        break;
      case ParameterType::integers:
        declare(inner, length_class(1));
        declare(inner, length_class(2));
        break;
      case ParameterType::orders:
        declare(inner, "tokens");
        declare(inner, "program");
        break;
      case ParameterType::orders_file:
        declare(inner, "CSV");
        declare(inner, "program");
        break;
      case ParameterType::text:
      case ParameterType::placement:
        break;
    }
  }
}

void ConfigClasses::add(const DrawnConfig& config) {
  find_all(config);
  for (std::int64_t* const count : found_) ++*count;
}

bool ConfigClasses::has_new(const DrawnConfig& config) {
  find_all(config);
  return std::any_of(found_.begin(), found_.end(), [](const auto* count) { return *count == 0; });
}

void ConfigClasses::find_all(const DrawnConfig& config) {
  found_.clear();
  stages_on_ = config.stages_on;
  unit_ = unit_of(config.document);
  count_node(config_schema(), config.document, "");
  count_schedule(config);
  if (config.document.contains("costs")) {
    count_costs_file(config.files.at(config.document.at("costs")));
  }
}

void ConfigClasses::count_node(const Json& given, const Json& value, const std::string& key) {
  if (is_split(given) && key != "/iterations/optimizer") count_split(given, value, key);
  const Json& node = resolved(given);
  for (const char* const choice : {"oneOf", "anyOf"}) {
    if (!node.contains(choice)) continue;
    for (const Json& alternative : node.at(choice)) {
      if (!alternative.contains("required") || alternative.contains("type")) {
        if (admits(alternative, value)) count_node(alternative, value, key);
        continue;
      }
      const Json& required = alternative.at("required");
      if (std::all_of(required.begin(), required.end(),
                      [&](const Json& name) { return value.contains(name.get<std::string>()); })) {
        count(key, "with" + joined(required));
      }
    }
  }
  if (node.contains("const")) count(key, value.dump());
  if (node.contains("enum")) count(key, value.get<std::string>());
  if (!node.contains("type")) return;
  const std::string type = node.at("type");
  if (type == "object") {
    count_object(node, value, key);
  } else if (type == "array") {
    count(key, length_class(value.size()));
    if (!node.contains("items")) return;
    for (const Json& element : value) count_node(node.at("items"), element, key + "/*");
  } else if (type == "boolean") {
    count(key, value.dump());
  } else if (type == "string") {
    for (const std::string& name : classes_of_text(node, value)) count(key, name);
  } else {
    const bool is_fraction = value.dump().find('.') != std::string::npos;
    count(key, "number " + (is_fraction ? "fraction" : size_class(value.get<double>())));
  }
}

void ConfigClasses::count_object(const Json& node, const Json& value, const std::string& key) {
  if (key == "/schedule") return count(key, "object");
  const Json properties = node.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    const std::string inner = fmt::format("{}/{}", key, name);
    if (value.contains(name)) {
      count_node(property, value.at(name), inner);
    } else {
      count(inner, "absent");
    }
  }
  if (!properties.empty()) return;
  for (const auto& [name, property] : value.items()) {
    count_node(node.at("additionalProperties"), property, key + "/*");
  }
}

void ConfigClasses::count_split(const Json& node, const Json& value, const std::string& key) {
  std::int64_t stages = 0;
  for (const std::int64_t on : stages_on_) stages += on;
  const bool by_stage = value.is_array() && std::int64_t(value.size()) == stages;
  if (by_stage) return;
  const bool are_bytes = node.at("$ref") == "#/definitions/spread_bytes";
  bool has_remainder = false;
  bool is_shared = false;
  for (std::size_t device = 0; device < stages_on_.size(); ++device) {
    const Json& one = value.is_array() ? value.at(device) : value;
    const std::int64_t whole = are_bytes ? bytes_of(one) : ticks_of(one, unit_);
    is_shared = is_shared || stages_on_[device] > 1;
    has_remainder = has_remainder || (stages_on_[device] > 0 && whole % stages_on_[device] != 0);
  }
  if (is_shared) count(key, std::string(has_remainder ? kRemainder : kEven));
}

void ConfigClasses::count_schedule(const DrawnConfig& config) {
  const Json& given = config.document.at("schedule");
  const std::string name = given.is_string() ? given : given.at("name");
  const auto signature =
      std::find_if(schedules_.begin(), schedules_.end(),
                   [&](const ScheduleSignature& schedule) { return schedule.name == name; });
  const std::string key = "/schedule " + name;
  count(key, "drawn");
  for (const ParameterSpec& spec : signature->parameters) {
    if (spec.type == ParameterType::placement) continue;
    const std::string inner = fmt::format("{}/{}", key, spec.name);
    if (given.is_string() || !given.contains(spec.name)) {
      count(inner, "absent");
      continue;
    }
    const Json& value = given.at(spec.name);
    if (spec.type == ParameterType::orders) {
      count(inner, value.is_array() ? "tokens" : "program");
    } else if (spec.type == ParameterType::orders_file) {
      count(inner, is_program_text(config.files.at(value)) ? "program" : "CSV");
    } else if (value.is_array()) {
      count(inner, length_class(value.size()));
    } else if (value.is_string()) {
      count(inner, value);
    } else {
      count(inner, value == spec.minimum ? "the least" : "more");
    }
  }
}

void ConfigClasses::count_costs_file(const std::string& text) {
  std::string_view rest = text;
  const bool has_microbatch = take_line(rest).find("microbatch") != std::string_view::npos;
  if (has_microbatch) count("/costs (file)", "microbatch");
  std::set<std::string> kinds;
  while (!rest.empty()) kinds.emplace(csv_fields(take_line(rest)).at(1).text);
  if (kinds.erase("R") > 0) count("/costs (file)", "R");
  const std::vector<std::string> ordered = {"F", "B", "I", "W"};
  std::string name;
  for (const std::string& kind : ordered) {
    if (kinds.contains(kind)) name += (name.empty() ? "" : " ") + kind;
  }
  count("/costs (file)", name);
}

std::vector<std::string> ConfigClasses::missing() const {
  std::vector<std::string> missing;
  for (const auto& [key, classes] : counts_) {
    for (const auto& [name, times] : classes) {
      if (times == 0) missing.push_back(fmt::format("{}: {}", key, name));
    }
  }
  return missing;
}

std::string ConfigClasses::table() const {
  std::string text;
  for (const auto& [key, classes] : counts_) {
    text += fmt::format("{}:", key.empty() ? "/" : key);
    std::string_view separator = " ";
    for (const auto& [name, times] : classes) {
      text += fmt::format("{}{} {}x", separator, name, times);
      separator = ", ";
    }
    text += '\n';
  }
  return text;
}

}  // namespace pipesim::test
