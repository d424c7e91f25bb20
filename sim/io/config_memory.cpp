// The sections memory and recompute of a config.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/io/config_section_readers.hpp"

namespace pipesim {

namespace {

const std::vector<std::string> kKeys = {"limit", "activation", "activation_w", "parameters",
                                        "optimizer"};
constexpr std::string_view kLimitAllowed =
    "a number of microbatches above 0, or bytes such as \"80GiB\"";
constexpr IntegerRange kStage = {0, std::numeric_limits<std::int32_t>::max() - 1};

MemoryLimit read_limit(ConfigValues& values, const ConfigValue& value) {
  MemoryLimit limit;
  bool is_zero = false;
  if (values.tree().kind(value.id) == JsonKind::string) {
    limit.bytes = values.bytes(value);
    is_zero = limit.bytes == 0;
  } else {
    limit.microbatches = values.decimal(value, kLimitAllowed).value_or(Decimal{1});
    is_zero = limit.microbatches->billionths == 0;
  }
  if (is_zero) {
    values.add_fault(value, values.tree().shown(value.id) + " is too small", kLimitAllowed);
  }
  return limit;
}

}  // namespace

void read_memory(const SectionContext& context, const ConfigValue& root, RunConfig& config) {
  ConfigValues& values = context.values;
  const auto given = values.find(root, "memory");
  if (!given) return;
  const auto section = values.object(*given, kKeys);
  if (!section) return;
  const bool in_bytes = values.find(*section, "activation") || has_model(values, root);
  if (const auto value = values.find(*section, "limit")) {
    config.memory_limit = read_limit(values, *value);
    if (config.memory_limit->bytes && !in_bytes) {
      values.add_fault(*value, "a limit in bytes without memory.activation",
                       "memory.activation, or a number of microbatches");
    } else if (config.memory_limit->microbatches && in_bytes) {
      values.add_fault(*value,
                       fmt::format("a limit in microbatches beside {}",
                                   has_model(values, root) ? "model" : "memory.activation"),
                       "bytes such as \"80GiB\"");
    }
  }
  const auto read = [&](std::string_view key, std::optional<BytesSpec>& bytes) {
    const auto value = values.find(*section, key);
    if (!value) return;
    bytes = read_spread<std::int64_t>(values, *value,
                                      [&](const ConfigValue& one) { return values.bytes(one); });
    if (!in_bytes) {
      values.add_fault(*value, fmt::format("{} without activation", key),
                       "memory.activation: without it memory is counted in microbatches");
    }
  };
  read("activation", config.memory.activation);
  read("activation_w", config.memory.activation_w);
  read("parameters", config.memory.parameters);
  read("optimizer", config.memory.optimizer);
}

void read_recompute(const SectionContext& context, const ConfigValue& root,
                    RecomputeConfig& recompute) {
  ConfigValues& values = context.values;
  const auto value = values.find(root, "recompute");
  if (!value) return;
  const JsonTree& tree = values.tree();
  if (tree.kind(value->id) == JsonKind::boolean) {
    recompute.all = values.boolean(*value).value_or(false);
    return;
  }
  if (tree.kind(value->id) != JsonKind::array) {
    values.add_fault(*value, tree.described(value->id), "true, false or an array of stages");
    return;
  }
  const auto elements = tree.children(value->id);
  recompute.stages.reserve(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const ConfigValue element = {elements[i], child_pointer(value->pointer, std::to_string(i))};
    const auto stage = values.integer(element, kStage);
    if (stage) recompute.stages.push_back(static_cast<std::int32_t>(*stage));
  }
  std::sort(recompute.stages.begin(), recompute.stages.end());
  const auto twice = std::adjacent_find(recompute.stages.begin(), recompute.stages.end());
  if (twice != recompute.stages.end()) {
    values.add_fault(*value, fmt::format("stage {} stands twice", *twice), "each stage once");
  }
}

}  // namespace pipesim
