#include "sim/io/shapes_config.hpp"

#include <array>
#include <memory>
#include <string>

#include "sim/io/config_overrides.hpp"
#include "sim/io/config_values.hpp"

namespace pipesim {

namespace {

const std::vector<std::string> kKeys = {
    "batch",    "seq",   "hidden",  "tp",    "dtype", "pairing",           "ffn",   "heads",
    "kv_heads", "vocab", "experts", "top_k", "ep",    "sequence_parallel", "output"};
const std::vector<std::string> kOutputKeys = {"format"};
const std::vector<std::string> kFormats = {"table", "json"};

constexpr IntegerRange kSizes{1, kLargestSize};
constexpr IntegerRange kRanks{1, kMostRanks};

class ShapesReader {
 public:
  ShapesReader(const JsonTree& tree, JsonFaults& faults) : values_(tree, faults) {}

  ShapesConfig read(const ConfigValue& root) {
    values_.object(root, kKeys);
    LayerSizes& sizes = config_.sizes;
    sizes.batch = required(root, "batch", kSizes);
    sizes.seq = required(root, "seq", kSizes);
    sizes.hidden = required(root, "hidden", kSizes);
    sizes.tp = required(root, "tp", kRanks);
    sizes.ffn = optional(root, "ffn", kSizes);
    sizes.heads = optional(root, "heads", kSizes);
    sizes.kv_heads = optional(root, "kv_heads", kSizes);
    sizes.vocab = optional(root, "vocab", kSizes);
    sizes.experts = optional(root, "experts", kRanks);
    sizes.top_k = optional(root, "top_k", kRanks);
    sizes.ep = optional(root, "ep", kRanks);
    if (const auto value = values_.find(root, "sequence_parallel")) {
      sizes.sequence_parallel = values_.boolean(*value).value_or(false);
    }
    read_dtype(root);
    read_pairing(root);
    read_format(root);
    return config_;
  }

 private:
  std::int64_t required(const ConfigValue& root, std::string_view key, IntegerRange range) {
    const auto value = values_.require(root, key, "an integer");
    return value ? values_.integer(*value, range).value_or(1) : 1;
  }

  std::optional<std::int64_t> optional(const ConfigValue& root, std::string_view key,
                                       IntegerRange range) {
    const auto value = values_.find(root, key);
    return value ? values_.integer(*value, range) : std::nullopt;
  }

  void read_dtype(const ConfigValue& root) {
    const auto value = values_.find(root, "dtype");
    if (!value) return;
    const std::vector<std::string> names = dtype_names();
    if (const auto chosen = values_.choice(*value, names, alternatives(names))) {
      config_.sizes.dtype = static_cast<Dtype>(*chosen);
    }
  }

  void read_pairing(const ConfigValue& root) {
    config_.pairings = {kColumnRow};
    const auto value = values_.find(root, "pairing");
    if (!value) return;
    if (values_.find(root, "experts")) {
      values_.add_fault(*value, "experts are split column/row over tp",
                        "no pairing beside experts");
      return;
    }
    std::vector<std::string> names;
    names.reserve(kPairings.size() + 1);
    for (const Pairing& pairing : kPairings) names.push_back(name(pairing));
    names.emplace_back("all");
    const auto chosen = values_.choice(*value, names, alternatives(names));
    if (!chosen) return;
    if (*chosen < kPairings.size()) {
      config_.pairings = {kPairings[*chosen]};
    } else {
      config_.pairings.assign(kPairings.begin(), kPairings.end());
    }
  }

  void read_format(const ConfigValue& root) {
    const auto given = values_.find(root, "output");
    const auto output = given ? values_.object(*given, kOutputKeys) : std::nullopt;
    const auto format = output ? values_.find(*output, "format") : std::nullopt;
    if (!format) return;
    const auto chosen = values_.choice(*format, kFormats, alternatives(kFormats));
    if (chosen) config_.format = *chosen == 0 ? OutputFormat::table : OutputFormat::json;
  }

  ConfigValues values_;
  ShapesConfig config_{};
};

}  // namespace

ShapesConfig read_shapes_config(const std::optional<ConfigText>& file,
                                std::span<const Override> overrides) {
  const auto tree = std::make_shared<JsonTree>();
  JsonFaults faults;
  const JsonTree::Id root = read_document(*tree, file, faults);
  apply_overrides(*tree, root, overrides, faults);
  ShapesConfig config = ShapesReader(*tree, faults).read({root, ""});
  faults.throw_if_any();
  try {
    check(config.sizes, config.pairings);
  } catch (const Error& error) {
    throw ConfigPlaces(tree, root).located(error);
  }
  return config;
}

}  // namespace pipesim
