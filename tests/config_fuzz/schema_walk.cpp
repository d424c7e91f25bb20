#include "tests/config_fuzz/schema_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <regex>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/quantities.hpp"
#include "tests/config_fuzz/config_classes.hpp"

namespace pipesim::test {

namespace {

/// All texts that a regular expression of letters, [sets], (groups|of alternatives) and ? allows.
class Expansion {
 public:
  explicit Expansion(std::string_view pattern) : rest_(pattern) {}

  std::vector<std::string> alternatives() {
    std::vector<std::string> result = sequence();
    while (!rest_.empty() && rest_.front() == '|') {
      rest_.remove_prefix(1);
      const std::vector<std::string> more = sequence();
      result.insert(result.end(), more.begin(), more.end());
    }
    return result;
  }

 private:
  std::vector<std::string> sequence() {
    std::vector<std::string> result = {""};
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      const std::vector<std::string> next = atom();
      std::vector<std::string> longer;
      for (const std::string& begin : result) {
        for (const std::string& end : next) longer.push_back(begin + end);
      }
      result = std::move(longer);
    }
    return result;
  }

  std::vector<std::string> atom() {
    std::vector<std::string> result;
    if (take('(')) {
      result = alternatives();
      PIPESIM_CHECK(take(')'));
    } else if (take('[')) {
      for (; !take(']'); rest_.remove_prefix(1)) result.emplace_back(1, rest_.front());
    } else {
      result.emplace_back(1, rest_.front());
      rest_.remove_prefix(1);
    }
    if (take('?')) result.emplace_back();
    return result;
  }

  bool take(char character) {
    const bool is_next = !rest_.empty() && rest_.front() == character;
    if (is_next) rest_.remove_prefix(1);
    return is_next;
  }

  std::string_view rest_;
};

bool is_quantity(const std::string& pattern) { return pattern.find("[0-9]+") != pattern.npos; }

/// The alternatives of "^(a|b)$".
std::vector<std::string> top_alternatives(const std::string& pattern) {
  std::vector<std::string> result = {""};
  bool in_set = false;
  for (const char character : pattern.substr(2, pattern.size() - 4)) {
    if (character == '[') in_set = true;
    if (character == ']') in_set = false;
    if (character == '|' && !in_set) {
      result.emplace_back();
    } else {
      result.back() += character;
    }
  }
  return result;
}

}  // namespace

const Json& resolved(const Json& node) {
  if (!node.contains("$ref")) return node;
  const std::string reference = node.at("$ref");
  return resolved(config_schema().at(Json::json_pointer(reference.substr(1))));
}

bool admits(const Json& given, const Json& value) {
  const Json& node = resolved(given);
  if (node.contains("oneOf")) {
    const Json& alternatives = node.at("oneOf");
    return std::any_of(alternatives.begin(), alternatives.end(),
                       [&](const Json& alternative) { return admits(alternative, value); });
  }
  if (node.contains("enum")) {
    const Json& members = node.at("enum");
    return std::find(members.begin(), members.end(), value) != members.end();
  }
  const std::string type = node.at("type");
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "boolean") return value.is_boolean();
  if (type == "string") return value.is_string();
  return value.is_number();
}

std::vector<std::string> units_of(const std::string& pattern) {
  const std::size_t begin = pattern.find(" ?") + 2;
  return Expansion(std::string_view(pattern).substr(begin, pattern.size() - 1 - begin))
      .alternatives();
}

std::vector<std::string> text_classes(const Json& node) {
  const std::string pattern = node.value("pattern", "");
  if (pattern.empty()) return {"text"};
  std::vector<std::string> classes;
  if (!is_quantity(pattern)) {
    for (const std::string& alternative : top_alternatives(pattern)) {
      classes.push_back("text " + alternative);
    }
    return classes;
  }
  const std::vector<std::string> units = units_of(pattern);
  const bool is_rate = units.front().ends_with("/s");  // a rate of 0 is none
  classes = {"text 1",        "text below 16", "text 16 and more",
             "text fraction", "text exponent", "text with a space"};
  if (!is_rate) classes.emplace_back("text 0");
  for (const std::string& unit : units) classes.push_back("unit " + unit);
  return classes;
}

std::vector<std::string> classes_of_text(const Json& node, const std::string& text) {
  const std::string pattern = node.value("pattern", "");
  if (pattern.empty()) return {"text"};
  if (!is_quantity(pattern)) {
    for (const std::string& alternative : top_alternatives(pattern)) {
      if (std::regex_match(text, std::regex(alternative))) return {"text " + alternative};
    }
    return {};
  }
  const std::size_t end = text.find_last_of("0123456789") + 1;
  const std::string number = text.substr(0, end);
  const bool has_space = text[end] == ' ';
  double value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  std::vector<std::string> classes = {fmt::format("text {}", value == 0   ? "0"
                                                             : value == 1 ? "1"
                                                             : value < 16 ? "below 16"
                                                                          : "16 and more"),
                                      "unit " + text.substr(end + (has_space ? 1 : 0))};
  if (has_space) classes.emplace_back("text with a space");
  if (number.find('.') != number.npos) classes.emplace_back("text fraction");
  if (number.find_first_of("eE") != number.npos) classes.emplace_back("text exponent");
  return classes;
}

std::int64_t ticks_of(const Json& time, TimeUnit unit) {
  const ParsedTime parsed = time.is_string() ? parse_time_with_unit(time.get<std::string>())
                                             : parse_time(time.dump(), unit);
  return parsed.ticks.value().count;
}

std::int64_t bytes_of(const Json& bytes) {
  return bytes.is_string() ? parse_bytes(bytes.get<std::string>()).value.value()
                           : bytes.get<std::int64_t>();
}

TimeUnit unit_of(const Json& config) { return time_unit(config.value("time_unit", "ms")).value(); }

namespace {

std::string longer(std::int64_t ticks, std::int64_t factor) {
  return fmt::format("{}ps", ticks * factor);
}

/// Makes all times in a value of that node longer.
void lengthen(const Json& given, Json& value, TimeUnit unit, std::int64_t factor) {
  const std::string reference = given.value("$ref", "");
  if (reference == "#/definitions/time") {
    value = longer(ticks_of(value, unit), factor);
    return;
  }
  if (reference == "#/definitions/bandwidth") {
    const Bandwidth bandwidth = parse_bandwidth(value.get<std::string>()).value.value();
    value = to_text(Bandwidth{bandwidth.bits_per_second / factor});
    return;
  }
  const Json& node = resolved(given);
  if (node.contains("properties")) {
    for (const auto& [name, property] : node.at("properties").items()) {
      if (value.contains(name)) lengthen(property, value.at(name), unit, factor);
    }
  } else if (node.contains("oneOf")) {
    for (const Json& alternative : node.at("oneOf")) {
      if (!admits(alternative, value)) continue;
      lengthen(alternative, value, unit, factor);
      break;
    }
  } else if (node.contains("items") && value.is_array()) {
    for (Json& element : value) lengthen(node.at("items"), element, unit, factor);
  }
}

/// The same for a file of costs, whose last column are times.
std::string longer_costs(std::string_view text, TimeUnit unit, std::int64_t factor) {
  std::string result = fmt::format("{}\n", take_line(text));
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t time = line.rfind(',') + 1;
    const Json number = Json::parse(line.substr(time), nullptr, false);
    const Json value = number.is_discarded() ? Json(line.substr(time)) : number;
    result += fmt::format("{}{}\n", line.substr(0, time), longer(ticks_of(value, unit), factor));
  }
  return result;
}

}  // namespace

DrawnConfig with_longer_times(const DrawnConfig& config, std::int64_t factor) {
  DrawnConfig result = config;
  const TimeUnit unit = unit_of(config.document);
  result.document.erase("output");
  lengthen(config_schema(), result.document, unit, factor);
  if (config.document.contains("costs")) {
    std::string& file = result.files.at(config.document.at("costs"));
    file = longer_costs(file, unit, factor);
  }
  return result;
}

}  // namespace pipesim::test
