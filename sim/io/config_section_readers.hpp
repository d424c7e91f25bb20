// The sections of a config document -> their values: what each key means.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/io/config.hpp"
#include "sim/io/config_values.hpp"

namespace pipesim {

/// What every section reader needs: where to read, and how numbers that are times count.
struct SectionContext {
  ConfigValues& values;
  std::optional<TimeUnit> unit;  ///< none: given, but unknown
};

/// A value or a list of values, each read by `read`.
template <class Value, class Read>
Spread<Value> read_spread(ConfigValues& values, const ConfigValue& value, Read read) {
  const JsonTree& tree = values.tree();
  Spread<Value> spread;
  spread.is_list = tree.kind(value.id) == JsonKind::array;
  if (!spread.is_list) {
    spread.values.push_back(read(value).value_or(Value{}));
    return spread;
  }
  const auto elements = tree.children(value.id);
  if (elements.empty()) {
    values.add_fault(value, "array of 0",
                     "a value for each device or for each stage, or one value for all");
  }
  spread.values.reserve(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const ConfigValue element = {elements[i], child_pointer(value.pointer, std::to_string(i))};
    spread.values.push_back(read(element).value_or(Value{}));
  }
  return spread;
}

TimeSpec read_time_spec(const SectionContext& context, const ConfigValue& value);

/// Whether the config has the section model, of which times, links and bytes follow.
bool has_model(const ConfigValues& values, const ConfigValue& root);
/// The sections model, parallel and hardware.
void read_model(const SectionContext& context, const ConfigValue& root, RunConfig& config);
/// t_f, t_b, t_w, t_fb, t_r, first, last and the name of the costs file.
void read_costs(const SectionContext& context, const ConfigValue& root, RunConfig& config);
void read_p2p(const SectionContext& context, const ConfigValue& root, P2pConfig& p2p);
/// memory, of which p2p is known already.
void read_memory(const SectionContext& context, const ConfigValue& root, RunConfig& config);
void read_recompute(const SectionContext& context, const ConfigValue& root,
                    RecomputeConfig& recompute);
void read_iterations(const SectionContext& context, const ConfigValue& root,
                     IterationsConfig& iterations);
void read_variation(const SectionContext& context, const ConfigValue& root, RunConfig& config);

/// `["0F0 0B0", ...]`, the steps of each device, or the text of a program of that many
/// microbatches.
ParameterValue read_orders(ConfigValues& values, const ConfigValue& value,
                           std::int64_t microbatches);
/// "loop", "v", "bidirectional" or the device of every stage.
std::optional<ParameterValue> read_placement(ConfigValues& values, const ConfigValue& value);

}  // namespace pipesim
