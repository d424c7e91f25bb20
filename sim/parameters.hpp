// Parameters of schedules: what a schedule declares, and what a user gave.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pipesim {

enum class ParameterType { integer, text };

/// One parameter that a schedule takes, as config, help and messages describe it.
struct ParameterSpec {
  std::string name;
  ParameterType type = ParameterType::integer;
  /// For integers, the allowed range, both ends included.
  std::int64_t minimum = 1;
  std::int64_t maximum = std::numeric_limits<std::int32_t>::max();
  std::string summary;  ///< one line: meaning, unit, and what holds when it is absent
};

/// What a config reader must know of a schedule: its name and its parameters.
struct ScheduleSignature {
  std::string name;
  std::vector<ParameterSpec> parameters;
};

using ParameterValue = std::variant<std::int64_t, std::string>;

/// The parameters of one run by name; one that was not given is absent. Ordered, so that they
/// print the same on every run.
using Parameters = std::map<std::string, ParameterValue>;

/// The integer of that name, or nothing if it was not given. Requires that it is no text.
inline std::optional<std::int64_t> integer(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::nullopt;
  return std::get<std::int64_t>(found->second);
}

}  // namespace pipesim
