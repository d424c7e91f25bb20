#include <fmt/format.h>
#include <xxhash.h>

#include "sim/io/config.hpp"
#include "sim/io/json_text.hpp"

namespace pipesim {

namespace {

std::size_t index(Device device) { return static_cast<std::size_t>(device.value); }

/// Splits each device's time evenly over its stages, in whole ticks.
std::vector<Ticks> split(const std::vector<Ticks>& time_of_device,
                         const std::vector<Device>& device_of_stage) {
  std::vector<std::int64_t> stages_on(time_of_device.size());
  for (const Device device : device_of_stage) ++stages_on[index(device)];
  std::vector<std::int64_t> stages_seen(time_of_device.size());
  std::vector<Ticks> time_of_stage;
  time_of_stage.reserve(device_of_stage.size());
  for (const Device device : device_of_stage) {
    const std::int64_t total = time_of_device[index(device)].count;
    const std::int64_t parts = stages_on[index(device)];
    const bool takes_remainder = stages_seen[index(device)]++ < total % parts;
    time_of_stage.emplace_back(total / parts + (takes_remainder ? 1 : 0));
  }
  return time_of_stage;
}

std::vector<Ticks> per_stage(const TimeSpec& times, const std::string& pointer, std::int32_t p,
                             const std::vector<Device>& device_of_stage) {
  const auto devices = static_cast<std::size_t>(p);
  const std::size_t stages = device_of_stage.size();
  if (!times.is_list) {
    return split(std::vector<Ticks>(devices, times.values.front()), device_of_stage);
  }
  if (times.values.size() == stages) return times.values;
  if (times.values.size() == devices) return split(times.values, device_of_stage);
  throw Error(
      Fault{.pointer = pointer,
            .what = fmt::format("array of {}", times.values.size()),
            .allowed = fmt::format("an array of p = {} or of {} values, one for each stage, "
                                   "or one value for all",
                                   p, stages)});
}

std::string time_json(const TimeSpec& times, TimeUnit unit) {
  if (!times.is_list) return format_time(times.values.front(), unit);
  std::string text;
  for (const Ticks time : times.values) {
    text += (text.empty() ? "" : ", ") + format_time(time, unit);
  }
  return "[" + text + "]";
}

std::string schedule_json(const RunConfig& config) {
  std::string text = "{\"name\": " + json_string(config.schedule);
  for (const auto& [name, value] : config.parameters) {
    const auto* number = std::get_if<std::int64_t>(&value);
    text += fmt::format(
        ", {}: {}", json_string(name),
        number != nullptr ? std::to_string(*number) : json_string(std::get<std::string>(value)));
  }
  return text + "}";
}

/// The members of the resolved config that say what is simulated.
std::string simulated_members(const RunConfig& config) {
  std::string text = fmt::format(
      R"("schema_version": 1, "p": {}, "m": {}, "time_unit": "{}", "t_f": {}, "t_b": {}, "schedule": {})",
      config.p, config.m, name(config.time_unit), time_json(config.t_f, config.time_unit),
      time_json(config.t_b, config.time_unit), schedule_json(config));
  if (config.memory_limit) {
    text += fmt::format(R"(, "memory": {{"limit": {}}})", *config.memory_limit);
  }
  return text;
}

}  // namespace

Problem make_problem(const RunConfig& config, const Placement& placement) {
  const std::vector<Device>& device_of_stage = placement.device_of.front();
  const auto forward = per_stage(config.t_f, "/t_f", config.p, device_of_stage);
  const auto backward = per_stage(config.t_b, "/t_b", config.p, device_of_stage);
  Problem problem{.devices = config.p,
                  .microbatches = config.m,
                  .placement = placement,
                  .costs = {},
                  .memory_limit = config.memory_limit};
  for (std::size_t stage = 0; stage < forward.size(); ++stage) {
    problem.costs.push_back({.forward = forward[stage], .backward = backward[stage]});
  }
  validate_problem(problem);
  return problem;
}

std::string resolved_json(const RunConfig& config) {
  return fmt::format(R"({{{}, "output": {{"format": "{}"}}}})", simulated_members(config),
                     name(config.output.format));
}

std::string config_hash(const RunConfig& config) {
  const std::string text = "{" + simulated_members(config) + "}";
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace pipesim
