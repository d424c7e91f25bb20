// Parameters of schedules: what a schedule declares, and what a user gave.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

enum class ParameterType {
  integer,
  text,
  integers,  ///< one or more, each in the range
  orders,    ///< the steps of every device, by device; as a config a string of tokens each, or the
             ///< text of a program
  orders_file,  ///< the name of a file with them: its reader puts them into the parameter of type
                ///< orders, and no schedule sees the file
  placement  ///< where stages live; not in the schedule's object but the config's key of that name
};

/// One parameter that a schedule takes, as config, help and messages describe it.
struct ParameterSpec {
  std::string name;
  ParameterType type = ParameterType::integer;
  /// For integers, the allowed range, both ends included.
  std::int64_t minimum = 1;
  std::int64_t maximum = std::numeric_limits<std::int32_t>::max();
  /// For texts, the only ones allowed (none: any); for integers, texts allowed besides.
  std::vector<std::string> choices{};
  std::string summary;  ///< one line: meaning, unit, and what holds when it is absent
};

/// What a config reader must know of a schedule: its name and its parameters.
struct ScheduleSignature {
  std::string name;
  std::vector<ParameterSpec> parameters;
};

/// The steps of every device, by device.
using StepOrders = std::vector<std::vector<Step>>;
/// The device of every stage, by stage.
using StageDevices = std::vector<Device>;

using Integers = std::vector<std::int64_t>;

/// Orders are steps or a program; a placement is a text ("loop", "v", "bidirectional") or the
/// device of every stage.
using ParameterValue =
    std::variant<std::int64_t, std::string, Integers, StepOrders, Program, StageDevices>;

/// The parameters of one run by name; one that was not given is absent. Ordered, so that they
/// print the same on every run.
using Parameters = std::map<std::string, ParameterValue>;

/// The text of that name, or nothing if it was not given as a text.
inline std::optional<std::string> text(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::nullopt;
  const auto* given = std::get_if<std::string>(&found->second);
  return given ? std::optional(*given) : std::nullopt;
}

/// The integers of that name; empty if they were not given.
inline Integers integers(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? Integers{} : std::get<Integers>(found->second);
}

/// The integer of that name, or nothing if it was not given as an integer.
inline std::optional<std::int64_t> integer(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::nullopt;
  const auto* given = std::get_if<std::int64_t>(&found->second);
  return given ? std::optional(*given) : std::nullopt;
}

}  // namespace pipesim

/// An order in a heading: too long to be shown, so only its size is.
template <>
struct fmt::formatter<pipesim::StepOrders> : fmt::formatter<std::string_view> {
  auto format(const pipesim::StepOrders& orders, format_context& context) const {
    std::size_t steps = 0;
    for (const auto& lane : orders) steps += lane.size();
    return fmt::format_to(context.out(), "[{} steps on {} devices]", steps, orders.size());
  }
};

template <>
struct fmt::formatter<pipesim::Integers> : fmt::formatter<std::string_view> {
  auto format(const pipesim::Integers& integers, format_context& context) const {
    return fmt::format_to(context.out(), "[{}]", fmt::join(integers, ","));
  }
};

template <>
struct fmt::formatter<pipesim::Program> : fmt::formatter<std::string_view> {
  auto format(const pipesim::Program& program, format_context& context) const {
    return fmt::format_to(context.out(), "[a program of {} devices]", program.lanes.size());
  }
};

template <>
struct fmt::formatter<pipesim::StageDevices> : fmt::formatter<std::string_view> {
  auto format(const pipesim::StageDevices& devices, format_context& context) const {
    return fmt::format_to(context.out(), "[{} stages]", devices.size());
  }
};
