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
    text += fmt::format("{}\n  {}\n", info.name, info.summary);
    text += fmt::format("  source: {}\n", info.source);
    text += fmt::format("  placement: {}; backward: {}; copies of the parameters: {}{}\n",
                        info.placement, name(info.backward), info.copies,
                        info.flushes ? "" : "; asynchronous");
    text += fmt::format("  most activations on device i: {}\n", info.peak);
    for (const ParameterSpec& parameter : info.parameters) {
      text +=
          fmt::format("  {} ({}): {}\n", parameter.name, range_of(parameter), parameter.summary);
    }
  }
  return text;
}

std::string choices_of(const ParameterSpec& parameter) {
  std::string choices;
  for (const std::string& choice : parameter.choices) {
    choices += (choices.empty() ? "" : ", ") + json_string(choice);
  }
  return choices.empty() ? "" : fmt::format(" \"choices\": [{}],", choices);
}

std::string as_json(const Registry& registry) {
  std::string schedules;
  for (const Schedule* schedule : registry) {
    const ScheduleInfo& info = schedule->info;
    std::string parameters;
    for (const ParameterSpec& parameter : info.parameters) {
      const bool is_integer = parameter.type == ParameterType::integer;
      parameters += fmt::format("{}{{\"name\": {}, \"type\": \"{}\",{}{} \"summary\": {}}}",
                                parameters.empty() ? "" : ", ", json_string(parameter.name),
                                is_integer ? "integer" : "text",
                                is_integer ? fmt::format(" \"minimum\": {}, \"maximum\": {},",
                                                         parameter.minimum, parameter.maximum)
                                           : "",
                                choices_of(parameter), json_string(parameter.summary));
    }
    schedules += fmt::format(
        "{}\n    {{\"name\": {}, \"summary\": {}, \"source\": {}, \"placement\": {}, "
        "\"backward\": \"{}\", \"peak\": {}, \"copies\": {}, \"flushes\": {}, "
        "\"parameters\": [{}]}}",
        schedules.empty() ? "" : ",", json_string(info.name), json_string(info.summary),
        json_string(info.source), json_string(info.placement), name(info.backward),
        json_string(info.peak), info.copies, info.flushes, parameters);
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
