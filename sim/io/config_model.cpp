// The sections model, parallel and hardware of a config.
#include <fmt/format.h>

#include <algorithm>

#include "sim/io/config_section_readers.hpp"
#include "sim/layer_split.hpp"

namespace pipesim {

namespace {

const std::vector<std::string> kModelKeys = {
    "layers",        "layer_count", "hidden",     "heads",           "kv_heads", "ffn",
    "vocab",         "seq",         "microbatch", "experts",         "top_k",    "activation",
    "normalization", "positions",   "bias",       "tied_embeddings", "dtype",    "recompute"};
const std::vector<std::string> kParallelKeys = {"tp", "sp", "ep", "dp", "tp_overlap"};
const std::vector<std::string> kHardwareKeys = {
    "preset", "peak_flops", "achievable", "memory_bandwidth", "intra", "inter", "devices_per_node"};
const std::vector<std::string> kConnectionKeys = {"latency", "bandwidth"};
// In the order of LayerRecompute.
const std::vector<std::string> kRecomputes = {"none", "selective", "full"};
// In the order of their types.
const std::vector<std::string> kActivations = {"gelu", "swiglu"};
const std::vector<std::string> kNormalizations = {"layernorm", "rmsnorm"};
const std::vector<std::string> kPositions = {"learned", "rotary"};

// Far beyond any model, and such that no product of them leaves 128 bits.
constexpr IntegerRange kLayers = {1, 10'000};
constexpr IntegerRange kLayersOfStage = {0, 10'000};
constexpr IntegerRange kWidth = {1, 1 << 22};
constexpr IntegerRange kHeads = {1, 1 << 16};
constexpr IntegerRange kLength = {1, 1 << 24};
constexpr IntegerRange kSequences = {1, 1 << 20};
constexpr IntegerRange kRanks = {1, 1 << 20};

constexpr std::string_view kLayersAllowed =
    "a number of layers, an array with one for each stage, a layout such as \"Et*12|t*12L\", or "
    "\"balance\"";
constexpr std::string_view kAchievableAllowed = "a fraction above 0, at most 1";
constexpr std::string_view kOverlapAllowed = "a fraction from 0 to 1";

/// Reads one section: what is missing or wrong reads as its default.
class SectionReader {
 public:
  SectionReader(ConfigValues& values, const ConfigValue& section)
      : values_(values), section_(section) {}

  std::optional<ConfigValue> find(std::string_view key) const {
    return values_.find(section_, key);
  }

  template <class Integer>
  void integer(std::string_view key, IntegerRange range, Integer& result) {
    if (const auto value = find(key)) {
      result = static_cast<Integer>(values_.integer(*value, range).value_or(0));
    }
  }

  void required(std::string_view key, IntegerRange range, std::int64_t& result) {
    const auto allowed = fmt::format("an integer from {} to {}", range.minimum, range.maximum);
    if (values_.require(section_, key, allowed)) integer(key, range, result);
  }

  std::size_t choice(std::string_view key, const std::vector<std::string>& names,
                     std::size_t otherwise) {
    const auto value = find(key);
    if (!value) return otherwise;
    return values_.choice(*value, names, alternatives(names)).value_or(otherwise);
  }

  bool boolean(std::string_view key, bool otherwise) {
    const auto value = find(key);
    return value ? values_.boolean(*value).value_or(otherwise) : otherwise;
  }

  /// A fraction of at most 1.
  void fraction(std::string_view key, std::string_view allowed, bool may_be_0, Decimal& result) {
    const auto value = find(key);
    if (!value) return;
    const auto read = values_.decimal(*value, allowed);
    if (!read) return;
    const bool is_0 = read->billionths == 0;
    if (read->billionths > Decimal::kOne || (is_0 && !may_be_0)) {
      const std::string shown = values_.tree().shown(value->id);
      values_.add_fault(*value, shown + (is_0 ? " is too small" : " is too large"), allowed);
      return;
    }
    result = *read;
  }

 private:
  ConfigValues& values_;
  const ConfigValue& section_;
};

class ModelReader {
 public:
  ModelReader(const SectionContext& context, const ConfigValue& root, RunConfig& config)
      : context_(context), values_(context.values), root_(root), config_(config) {}

  void read() {
    if (const auto section = section_of("model", kModelKeys)) {
      model_section_ = *section;
      read_model();
    }
    if (const auto section = section_of("parallel", kParallelKeys)) {
      parallel_section_ = *section;
      read_parallel();
    }
    if (values_.require(root_, "hardware",
                        "an object with a preset, or with the rates of a machine")) {
      if (const auto section = section_of("hardware", kHardwareKeys)) read_hardware(*section);
    }
    check_divisible();
    reject_contradictions();
    config_.model = std::move(model_);
  }

 private:
  std::optional<ConfigValue> section_of(std::string_view key,
                                        const std::vector<std::string>& keys) {
    const auto given = values_.find(root_, key);
    return given ? values_.object(*given, keys) : std::nullopt;
  }

  void read_model() {
    SectionReader reader(values_, model_section_);
    Transformer& model = model_.transformer;
    read_layers();
    reader.required("hidden", kWidth, model.hidden);
    reader.required("heads", kHeads, model.heads);
    model.kv_heads = model.heads;
    reader.integer("kv_heads", kHeads, model.kv_heads);
    model.ffn = 4 * model.hidden;
    reader.integer("ffn", kWidth, model.ffn);
    reader.required("vocab", kLength, model.vocab);
    reader.required("seq", kLength, model.seq);
    model.microbatch = 1;
    reader.integer("microbatch", kSequences, model.microbatch);
    reader.integer("experts", kHeads, model.experts);
    reader.integer("top_k", {1, std::max<std::int64_t>(1, model.experts)}, model.top_k);
    model.activation = static_cast<Activation>(reader.choice("activation", kActivations, 0));
    model.normalization =
        static_cast<Normalization>(reader.choice("normalization", kNormalizations, 0));
    model.positions = static_cast<Positions>(reader.choice("positions", kPositions, 0));
    model.bias = reader.boolean("bias", true) ? LinearBias::added : LinearBias::none;
    model.embeddings =
        reader.boolean("tied_embeddings", true) ? Embeddings::tied : Embeddings::untied;
    model.dtype = static_cast<Dtype>(
        reader.choice("dtype", dtype_names(), static_cast<std::size_t>(Dtype::bf16)));
    model.recompute = static_cast<LayerRecompute>(reader.choice("recompute", kRecomputes, 0));
  }

  void read_layers() {
    LayersConfig& layers = model_.layers;
    const auto given = values_.require(model_section_, "layers", kLayersAllowed);
    const auto count = values_.find(model_section_, "layer_count");
    if (count) layers.count = values_.integer(*count, kLayers).value_or(0);
    if (!given) return;
    const JsonTree& tree = values_.tree();
    switch (tree.kind(given->id)) {
      case JsonKind::number:
        if (count) {
          values_.add_fault(*count, "layer_count beside a number of layers",
                            "only with a list, a layout or \"balance\"");
        }
        layers.count = values_.integer(*given, kLayers).value_or(0);
        return;
      case JsonKind::array:
        layers.kind = LayersKind::by_stage;
        read_list(*given);
        return;
      case JsonKind::string:
        read_text(*given);
        return;
      default:
        values_.add_fault(*given, tree.described(given->id), kLayersAllowed);
    }
  }

  void read_list(const ConfigValue& given) {
    LayersConfig& layers = model_.layers;
    std::int64_t sum = 0;
    for (const JsonTree::Id id : values_.tree().children(given.id)) {
      const ConfigValue one = {
          id, child_pointer(given.pointer, std::to_string(layers.by_stage.size()))};
      const std::int64_t number = values_.integer(one, kLayersOfStage).value_or(0);
      layers.by_stage.push_back(static_cast<std::int32_t>(number));
      sum += number;
    }
    if (sum == 0) values_.add_fault(given, "no layers", kLayersAllowed);
    if (layers.count > 0 && sum > 0 && sum != layers.count) {
      values_.add_fault(given, fmt::format("{} layers on all stages", sum),
                        fmt::format("layer_count = {}", layers.count));
    }
  }

  void read_text(const ConfigValue& given) {
    LayersConfig& layers = model_.layers;
    layers.layout = values_.tree().string(given.id);
    if (layers.layout == "balance") {
      layers.kind = LayersKind::balance;
      layers.layout.clear();
      values_.require(model_section_, "layer_count", "the number of layers to balance");
      return;
    }
    layers.kind = LayersKind::layout;
    try {
      const LayerLayout layout = parse_layer_layout(layers.layout, given.pointer);
      layers.by_stage = layout.layers;
      check_layout(given, layout);
    } catch (const Error& error) {
      const Fault& fault = error.faults().front();
      values_.add_fault(given, fault.what, fault.allowed);
    }
  }

  void check_layout(const ConfigValue& given, const LayerLayout& layout) {
    const std::int64_t has = static_cast<std::int64_t>(layout.layer_at.size());
    const std::int64_t wanted = model_.layers.count;
    if (has == 0 || has > kLayers.maximum) {
      values_.add_fault(given, fmt::format("{} layers", has),
                        fmt::format("{} to {} layers", kLayers.minimum, kLayers.maximum));
    } else if (wanted > 0 && has > wanted) {
      values_.add_fault(
          given,
          fmt::format("character {}: layer {} of {}",
                      layout.layer_at[static_cast<std::size_t>(wanted)], wanted + 1, has),
          fmt::format("layer_count = {}", wanted));
    } else if (has < wanted) {
      values_.add_fault(given,
                        fmt::format("character {}: the end after {} layers", layout.end, has),
                        fmt::format("layer_count = {}", wanted));
    }
  }

  void read_parallel() {
    SectionReader reader(values_, parallel_section_);
    ModelParallel& parallel = model_.parallel;
    reader.integer("tp", kRanks, parallel.tp);
    if (const auto value = reader.find("sp")) {
      parallel.sp = values_.boolean(*value).value_or(false);
      if (parallel.sp && parallel.tp == 1) {
        values_.add_fault(*value, "sp with tp = 1", "a tp above 1, whose ranks share a sequence");
      }
    }
    reader.integer("ep", kRanks, parallel.ep);
    reader.integer("dp", kRanks, parallel.dp);
    reader.fraction("tp_overlap", kOverlapAllowed, true, parallel.tp_overlap);
  }

  void read_hardware(const ConfigValue& section) {
    SectionReader reader(values_, section);
    Hardware& hardware = model_.hardware;
    hardware.devices_per_node = 8;
    const HardwarePreset* const preset = read_preset(section);
    if (preset != nullptr) hardware = preset->hardware;
    const auto named = values_.find(section, "preset");
    const bool needs_all = !named;
    if (needs_all) {
      values_.require(section, "peak_flops", kFlopRateAllowed);
      values_.require(section, "memory_bandwidth", kBandwidthAllowed);
    }
    if (const auto value = reader.find("peak_flops")) {
      hardware.peak = values_.flop_rate(*value).value_or(FlopRate{});
    } else if (named && preset != nullptr) {
      take_peak(*named, *preset);
    }
    values_.require(section, "achievable", kAchievableAllowed);
    reader.fraction("achievable", kAchievableAllowed, false, hardware.achievable);
    if (const auto value = reader.find("memory_bandwidth")) {
      hardware.memory = values_.bandwidth(*value).value_or(Bandwidth{});
    }
    reader.integer("devices_per_node", kRanks, hardware.devices_per_node);
    read_connection(section, "intra", needs_all, hardware.intra);
    read_connection(section, "inter", needs_all, hardware.inter);
  }

  const HardwarePreset* read_preset(const ConfigValue& section) {
    const auto value = values_.find(section, "preset");
    if (!value) return nullptr;
    std::vector<std::string> names;
    for (const HardwarePreset& preset : hardware_presets()) names.emplace_back(preset.name);
    const auto chosen = values_.choice(*value, names, alternatives(names));
    return chosen ? &hardware_presets()[*chosen] : nullptr;
  }

  void take_peak(const ConfigValue& value, const HardwarePreset& preset) {
    const Dtype dtype = model_.transformer.dtype;
    const FlopRate peak_8_bit = preset.peak_8_bit.value_or(FlopRate{});
    model_.hardware.peak = dtype == Dtype::fp32  ? preset.peak_32_bit
                           : dtype == Dtype::fp8 ? peak_8_bit
                                                 : preset.peak_16_bit;
    if (model_.hardware.peak == FlopRate{}) {
      values_.add_fault(value, fmt::format("{} does not compute in {}", preset.name, name(dtype)),
                        "another dtype, or hardware.peak_flops");
    }
  }

  void read_connection(const ConfigValue& hardware, std::string_view key, bool required,
                       Connection& connection) {
    if (required && !values_.require(hardware, key, "an object with latency and bandwidth")) return;
    const auto given = values_.find(hardware, key);
    if (!given) return;
    const auto section = values_.object(*given, kConnectionKeys);
    if (!section) return;
    if (required) values_.require(*section, "bandwidth", kBandwidthAllowed);
    if (const auto value = values_.find(*section, "bandwidth")) {
      connection.bandwidth = values_.bandwidth(*value).value_or(Bandwidth{});
    }
    if (const auto value = values_.find(*section, "latency")) {
      connection.latency = values_.time(*value, context_.unit).value_or(Ticks{});
    }
  }

  /// The key of the section, or the section where the key has its default.
  ConfigValue place_of(const ConfigValue& section, std::string_view key) const {
    return values_.find(section, key).value_or(section);
  }

  bool divides(std::int64_t divisor, std::string_view divisor_name, std::int64_t number,
               const ConfigValue& place, std::string_view name, const std::string& allowed) {
    if (divisor == 0 || number == 0 || number % divisor == 0) return true;
    values_.add_fault(place,
                      fmt::format("{} = {} is not divisible by {} = {}: {} % {} = {}", name, number,
                                  divisor_name, divisor, number, divisor, number % divisor),
                      allowed);
    return false;
  }

  void check_divisible() {
    const Transformer& model = model_.transformer;
    const ModelParallel& parallel = model_.parallel;
    const auto of_model = [&](std::int64_t divisor, std::string_view divisor_name,
                              std::int64_t number, std::string_view key,
                              const std::string& allowed) {
      return divides(divisor, divisor_name, number, place_of(model_section_, key), key, allowed);
    };
    of_model(model.heads, "heads", model.hidden, "hidden", "heads of equal width");
    of_model(model.kv_heads, "kv_heads", model.heads, "heads",
             "as many heads for each of keys and values");
    const std::int64_t tp = parallel.tp;
    of_model(tp, "tp", model.hidden, "hidden", "a part for each rank");
    const bool heads_fit = of_model(tp, "tp", model.heads, "heads", "whole heads on each rank");
    if (heads_fit) of_model(tp, "tp", model.kv_heads, "kv_heads", "whole heads on each rank");
    if (values_.find(model_section_, "ffn")) {
      of_model(tp, "tp", model.ffn, "ffn", "a part for each rank");
    }
    if (tp > 0) {
      of_model(tp, "tp", model.vocab, "vocab",
               fmt::format("a part for each rank: pad it to {}", (model.vocab / tp + 1) * tp));
    }
    if (parallel.sp) of_model(tp, "tp", model.seq, "seq", "with sp, a part for each rank");
    of_model(parallel.ep, "ep", model.experts, "experts", "as many experts on each rank");
    if (parallel.ep > 0) {
      divides(parallel.ep, "ep", parallel.dp, place_of(parallel_section_, "dp"), "dp",
              "replicas in groups that share the experts");
    }
  }

  void reject_contradictions() {
    const ModelParallel& parallel = model_.parallel;
    if (model_.transformer.has_mixture() && parallel.tp > 1 && !parallel.sp) {
      values_.add_fault(
          place_of(model_section_, "experts"),
          fmt::format("experts with tp = {} without sp: every rank would send the same tokens",
                      parallel.tp),
          "parallel.sp true, so that each sends its own positions; or tp 1");
    }
    const auto again = values_.find(root_, "recompute");
    const bool is_off = again && values_.tree().raw(again->id) == "false";
    if (again && !is_off && model_.transformer.recompute == LayerRecompute::full) {
      values_.add_fault(*again, "recompute beside model.recompute full",
                        "one of the two: every layer is computed again already");
    }
  }

  const SectionContext& context_;
  ConfigValues& values_;
  const ConfigValue& root_;
  RunConfig& config_;
  ModelConfig model_{};
  ConfigValue model_section_{};
  ConfigValue parallel_section_{};
};

}  // namespace

bool has_model(const ConfigValues& values, const ConfigValue& root) {
  return values.find(root, "model").has_value();
}

void read_model(const SectionContext& context, const ConfigValue& root, RunConfig& config) {
  if (has_model(context.values, root)) return ModelReader(context, root, config).read();
  for (const std::string_view key : {"parallel", "hardware"}) {
    if (const auto value = context.values.find(root, key)) {
      context.values.add_fault(*value, fmt::format("{} without model", key),
                               "model, whose costs it decides");
    }
  }
}

}  // namespace pipesim
