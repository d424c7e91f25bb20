#include "tests/config_fuzz/random_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace pipesim::test {

namespace {

/// The values of a parameter that are no texts.
std::int64_t most_of(const ParameterSpec& spec, const ConfigShape& shape) {
  if (spec.name == "v") return 8;
  if (spec.name == "waves" || spec.name == "k") return 3;
  if (spec.name == "slices") return 4;
  if (spec.name == "limit" || spec.name == "flush_every") return 2 * shape.p;
  return std::min<std::int64_t>(spec.maximum, 4);
}

std::int32_t draw_p(QuantityDraws& draws) {
  const std::int64_t kind = draws.integer(0, 99);
  return static_cast<std::int32_t>(kind < 8    ? 1
                                   : kind < 12 ? draws.integer(17, 20)
                                   : kind < 16 ? draws.integer(7, 9)
                                               : draws.integer(2, 6));
}

std::int32_t draw_m(QuantityDraws& draws, const ConfigShape& shape) {
  const std::string_view name = shape.schedule->info.name;
  const std::int64_t p = shape.p;
  std::int64_t m = draws.chance(6)    ? 1
                   : draws.chance(92) ? draws.integer(2, 12)
                                      : draws.integer(16, 40);
  if (p > 10) m = std::min<std::int64_t>(m, 8);
  if (name == "dualpipe") m = 2 * p + 2 * draws.integer(0, 4);
  if (name == "pipedream_2bw") m = std::max(m, p - 1);
  if (name == "interleaved_zero_bubble" && m > p) m -= m % (m / p);
  return static_cast<std::int32_t>(m);
}

/// A group of interleaved_1f1b, or 0 where it takes none.
std::int64_t draw_group(QuantityDraws& draws, const ConfigShape& shape) {
  std::vector<std::int64_t> groups;
  for (std::int64_t group = shape.p; group <= shape.m; ++group) {
    const std::int64_t rest = shape.m % group;
    if (rest == 0 || rest >= shape.p) groups.push_back(group);
  }
  return groups.empty() ? 0 : draws.pick(groups);
}

Json draw_parameter(QuantityDraws& draws, const ConfigShape& shape, const ParameterSpec& spec) {
  if (spec.name == "group") {
    const std::int64_t group = draw_group(draws, shape);
    return group == 0 ? Json() : Json(group);
  }
  if (!spec.choices.empty() && (spec.type == ParameterType::text || draws.chance(50))) {
    return draws.pick(spec.choices);
  }
  if (spec.type == ParameterType::integers) {
    Json values = Json::array();
    for (std::int64_t left = draws.integer(1, 4); left > 0; --left) {
      values.push_back(draws.pick(std::vector<int>{1, 1, 2, 4, 8}));
    }
    return values;
  }
  const std::int64_t low =
      draws.chance(25) ? spec.minimum : std::min(spec.minimum + 1, spec.maximum);
  const std::int64_t most =
      draws.chance(85) ? std::min<std::int64_t>(most_of(spec, shape), 3) : most_of(spec, shape);
  return draws.integer(low, std::max(low, most));
}

ParameterValue value_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) return value.get<Integers>();
  return value.get<std::int64_t>();
}

/// The slices' costs add up to a power of two, so that even times are split without a remainder.
void make_even(Json& costs) {
  std::int64_t sum = 0;
  for (const Json& cost : costs) sum += cost.get<std::int64_t>();
  std::int64_t power = 1;
  while (power < sum) power *= 2;
  costs.back() = costs.back().get<std::int64_t>() + power - sum;
}

void draw_parameters(QuantityDraws& draws, ConfigShape& shape, Json& document) {
  Json given = {{"name", shape.schedule->info.name}};
  for (const ParameterSpec& spec : shape.schedule->info.parameters) {
    if (draws.chance(45)) continue;
    Json value = draw_parameter(draws, shape, spec);
    if (value.is_null()) continue;
    if (spec.name == "slice_costs") {
      make_even(value);
    }
    given[spec.name] = value;
  }
  if (given.contains("slice_costs") && given.contains("slices")) {
    given["slices"] = given["slice_costs"].size();
  }
  if (draws.is_even() && given.value("slices", 0) == 3 && !given.contains("slice_costs")) {
    given["slices"] = 4;
  }
  if (draws.is_even() && given.contains("v") && given["v"] == 6) given["v"] = 8;
  for (const auto& [name, value] : given.items()) {
    if (name != "name") shape.parameters[name] = value_of(value);
  }
  document["schedule"] = given.size() == 1 && draws.chance(50) ? given["name"] : given;
}

const Schedule& draw_schedule(QuantityDraws& draws) {
  const Registry registry = general_schedules();
  if (draws.chance(15)) {  // of those for which most is promised, more
    return *find_schedule(registry,
                          draws.pick(std::vector<std::string>{"gpipe", "1f1b", "eager_1f1b"}));
  }
  return *draws.pick(registry);
}

void draw_recompute(QuantityDraws& draws, const ConfigShape& shape, Json& document) {
  if (!draws.chance(20)) return;
  const bool does =
      document.contains("model") && document["model"].value("recompute", "") == "full";
  if (does || draws.chance(50)) {
    document["recompute"] = !does && draws.chance(70);
    return;
  }
  Json stages = Json::array();
  for (std::int64_t stage = 0; stage < shape.stages(); ++stage) {
    if (draws.chance(40)) stages.push_back(stage);
  }
  document["recompute"] = draws.chance(10) ? Json::array() : stages;
}

}  // namespace

Json draw_spread(QuantityDraws& draws, const ConfigShape& shape,
                 const std::function<Json(QuantityDraws&)>& value) {
  const std::int64_t form = draws.integer(0, 3);
  if (form < 2) return value(draws);
  Json values = Json::array();
  for (std::int64_t left = form == 2 ? shape.p : shape.stages(); left > 0; --left) {
    values.push_back(value(draws));
  }
  return values;
}

ConfigShape draw_shape(QuantityDraws& draws, Json& document) {
  ConfigShape shape;
  shape.schedule = &draw_schedule(draws);
  shape.p = draw_p(draws);
  const std::string_view name = shape.schedule->info.name;
  const bool is_even = name == "chimera" || name == "dualpipe";
  if (is_even) shape.p += shape.p % 2;
  shape.m = draw_m(draws, shape);
  document["p"] = shape.p;
  document["m"] = shape.m;
  draw_parameters(draws, shape, document);
  shape.placement = place(*shape.schedule, shape.p, shape.parameters);
  return shape;
}

DrawnConfig random_config(std::mt19937_64& random, const std::string& directory) {
  DrawnConfig config;
  Json& document = config.document;
  const auto unit = static_cast<TimeUnit>(draw(random, 0, 4));
  QuantityDraws draws(random, unit, draw(random, 0, 1) == 1);
  if (draws.chance(30)) document["schema_version"] = 1;
  if (unit != TimeUnit::ms || draws.chance(50)) document["time_unit"] = name(unit);
  const ConfigShape shape = draw_shape(draws, document);
  if (draws.chance(25)) {
    draw_model(draws, shape, document);
  } else {
    draw_costs(draws, shape, directory, config);
  }
  draw_p2p(draws, shape, document);
  draw_memory(draws, shape, document);
  draw_recompute(draws, shape, document);
  draw_iterations(draws, shape, document);
  draw_variation(draws, shape, document);
  config.is_even = draws.is_even() && !document.contains("model") &&
                   !(document.contains("t_fb") && document.contains("variation") &&
                     document["variation"].contains("microbatch_scale"));
  config.stages_on.resize(static_cast<std::size_t>(shape.p));
  for (const Device device : shape.placement.device_of.front()) {
    ++config.stages_on[static_cast<std::size_t>(device.value)];
  }
  if (draws.chance(8)) config = with_custom_order(draws, config, directory);
  draw_output(draws, shape, directory, document);
  draw_sweep(draws, shape, document);
  return config;
}

}  // namespace pipesim::test
