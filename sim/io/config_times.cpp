// The costs of a config: t_f, t_b, t_w, t_fb, t_r, first, last and costs.
#include <fmt/format.h>

#include "sim/io/config_section_readers.hpp"

namespace pipesim {

namespace {

const std::vector<std::string> kExtraKeys = {"t_f", "t_b", "t_w"};

/// Refuses the keys that a costs file or a model stands in place of.
void reject_beside(ConfigValues& values, const ConfigValue& root, std::string_view other,
                   std::string_view allowed) {
  for (const std::string_view key : {"t_f", "t_b", "t_w", "t_r", "first", "last", "costs"}) {
    if (key == other) continue;
    if (const auto value = values.find(root, key)) {
      values.add_fault(*value, fmt::format("{} beside {}", key, other), allowed);
    }
  }
}

void read_extra(const SectionContext& context, const ConfigValue& root, std::string_view key,
                ExtraCosts& extra) {
  ConfigValues& values = context.values;
  const auto given = values.find(root, key);
  if (!given) return;
  const auto section = values.object(*given, kExtraKeys);
  if (!section) return;
  const auto read = [&](std::string_view name, Ticks& time) {
    if (const auto value = values.find(*section, name)) {
      time = values.time(*value, context.unit).value_or(Ticks{});
    }
  };
  read("t_f", extra.forward);
  read("t_b", extra.backward);
  read("t_w", extra.weight);
  if (const auto value = values.find(*section, "t_w"); value && !values.find(root, "t_w")) {
    values.add_fault(*value, fmt::format("{}.t_w without t_w", key),
                     "t_w, the weight gradient's part of t_b");
  }
}

}  // namespace

TimeSpec read_time_spec(const SectionContext& context, const ConfigValue& value) {
  return read_spread<Ticks>(context.values, value, [&](const ConfigValue& one) {
    return context.values.time(one, context.unit);
  });
}

void read_costs(const SectionContext& context, const ConfigValue& root, RunConfig& config) {
  ConfigValues& values = context.values;
  const auto optional_times = [&](std::string_view key, std::optional<TimeSpec>& times) {
    if (const auto value = values.find(root, key)) times = read_time_spec(context, *value);
  };
  optional_times("t_fb", config.t_fb);
  if (has_model(values, root)) {
    reject_beside(values, root, "model",
                  "one of the two: all of a stage's costs follow from the model");
    return;
  }
  if (const auto costs = values.find(root, "costs")) {
    reject_beside(values, root, "costs", "one of the two: the file holds all of a stage's costs");
    config.costs.file = values.text(*costs, "the name of a file").value_or("");
    if (config.costs.file.find('\0') != std::string::npos) {
      values.add_fault(*costs, values.tree().shown(costs->id) + " is no name of a file",
                       "the name of a file");
    }
    return;
  }
  const auto times = [&](std::string_view key, TimeSpec& required) {
    const auto value = values.require(root, key, kTimeAllowed);
    if (value) required = read_time_spec(context, *value);
  };
  times("t_f", config.t_f);
  times("t_b", config.t_b);
  optional_times("t_w", config.t_w);
  optional_times("t_r", config.t_r);
  read_extra(context, root, "first", config.first);
  read_extra(context, root, "last", config.last);
}

}  // namespace pipesim
