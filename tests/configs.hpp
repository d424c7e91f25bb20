// Configs for tests, and what the reader says of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/io/config.hpp"

namespace pipesim::test {

/// Known schedules with every kind of parameter, whatever the program has built in.
inline std::vector<ScheduleSignature> test_schedules() {
  const ParameterSpec flush_every{.name = "flush_every", .summary = {}};
  const ParameterSpec file{.name = "file", .type = ParameterType::text, .summary = {}};
  const ParameterSpec v{.name = "v", .minimum = 1, .maximum = 8, .summary = {}};
  const ParameterSpec order{.name = "order", .type = ParameterType::orders, .summary = {}};
  const ParameterSpec placement{
      .name = "placement", .type = ParameterType::placement, .summary = {}};
  return {{.name = "gpipe", .parameters = {flush_every}},
          {.name = "1f1b", .parameters = {}},
          {.name = "custom", .parameters = {file, v, order, placement}}};
}

/// What is given to the reader.
struct Given {
  std::optional<std::string> file{};
  std::vector<Override> overrides{};
};

/// `--set ASSIGNMENT`.
inline Override set(const std::string& assignment) {
  const std::string path = assignment.substr(0, assignment.find('='));
  return {.option = "--set " + path,
          .path = path,
          .value = assignment.substr(path.size() + 1),
          .kind = OverrideKind::json_or_text};
}

inline const std::string kGoodConfig =
    R"({"p": 4, "m": 8, "t_f": 2, "t_b": 4, "schedule": "1f1b"})";

/// A good config under these overrides.
inline Given overridden(std::vector<Override> overrides) {
  return {.file = kGoodConfig, .overrides = std::move(overrides)};
}

inline LoadedConfig load(const Given& given) {
  std::optional<ConfigText> text;
  if (given.file) text = ConfigText{.name = "run.json", .text = *given.file};
  return read_config(text, given.overrides, test_schedules());
}

inline RunConfig config_of(const std::string& file) { return load({.file = file}).config; }

/// The faults of a config, none if it is good.
inline std::vector<Fault> fault_list(const std::string& file) {
  try {
    load({.file = file});
  } catch (const Error& error) {
    return error.faults();
  }
  return {};
}

/// The messages of all faults, a line each; "" if there is none.
inline std::string faults_of(const Given& given) {
  try {
    load(given);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline std::string faults_of(const std::string& file) { return faults_of(Given{.file = file}); }

}  // namespace pipesim::test
