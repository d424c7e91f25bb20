#include <fmt/format.h>

#include "sim/io/json_text.hpp"
#include "sim/io/output_file.hpp"
#include "tools/driver.hpp"

namespace pipesim {

namespace {

std::string_view type_name(ParameterType type) {
  switch (type) {
    case ParameterType::integer:
      return "integer";
    case ParameterType::text:
      return "text";
    case ParameterType::integers:
      return "integers";
    case ParameterType::orders:
      return "orders";
    case ParameterType::orders_file:
      return "file";
    case ParameterType::placement:
      return "placement";
  }
  return "";
}

std::string range_of(const ParameterSpec& parameter) {
  std::string range = parameter.type == ParameterType::integer
                          ? fmt::format("integer, {} to {}", parameter.minimum, parameter.maximum)
                          : std::string(type_name(parameter.type));
  for (const std::string& choice : parameter.choices) range += fmt::format(", {}", choice);
  return range;
}

std::string as_table(const Registry& registry) {
  std::string text;
  for (const Schedule* schedule : registry) {
    const ScheduleInfo& info = schedule->info;
    text += fmt::format("{}\n  {}\n  source: {}\n", info.name, info.summary, info.source);
    for (const ParameterSpec& parameter : info.parameters) {
      text +=
          fmt::format("  {} ({}): {}\n", parameter.name, range_of(parameter), parameter.summary);
    }
  }
  return text;
}

std::string as_json(const Registry& registry) {
  std::string schedules;
  for (const Schedule* schedule : registry) {
    const ScheduleInfo& info = schedule->info;
    std::string parameters;
    for (const ParameterSpec& parameter : info.parameters) {
      const bool is_integer = parameter.type == ParameterType::integer;
      parameters += fmt::format("{}{{\"name\": {}, \"type\": \"{}\",{} \"summary\": {}}}",
                                parameters.empty() ? "" : ", ", json_string(parameter.name),
                                is_integer ? "integer" : "text",
                                is_integer ? fmt::format(" \"minimum\": {}, \"maximum\": {},",
                                                         parameter.minimum, parameter.maximum)
                                           : "",
                                json_string(parameter.summary));
    }
    schedules += fmt::format(
        "{}\n    {{\"name\": {}, \"summary\": {}, \"source\": {}, \"parameters\": [{}]}}",
        schedules.empty() ? "" : ",", json_string(info.name), json_string(info.summary),
        json_string(info.source), parameters);
  }
  return fmt::format("{{\n  \"schema_version\": 1,\n  \"schedules\": [{}\n  ]\n}}\n", schedules);
}

}  // namespace

int list(const Registry& registry, OutputFormat format) {
  OutputFile result("/dev/stdout", "");
  result.write(format == OutputFormat::json ? as_json(registry) : as_table(registry));
  result.commit();
  return 0;
}

}  // namespace pipesim
