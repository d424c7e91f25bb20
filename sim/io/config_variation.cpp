// The sections iterations and variation of a config.
#include <fmt/format.h>

#include <array>
#include <limits>

#include "sim/io/config_section_readers.hpp"

namespace pipesim {

namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
constexpr IntegerRange kCount = {1, kMost};
constexpr IntegerRange kTrials = {1, 10'000'000};
constexpr IntegerRange kDevice = {0, kMost};
constexpr IntegerRange kSeed = {0, std::numeric_limits<std::int64_t>::max()};

const std::vector<std::string> kIterationsKeys = {
    "count", "flush", "grad_sync", "overlap_grad_sync", "optimizer", "barrier"};
const std::vector<std::string> kVariationKeys = {
    "microbatch_scale", "launch_overhead", "stragglers", "jitter", "seed", "trials"};
const std::vector<std::string> kStragglerKeys = {"device", "factor", "from", "to"};
const std::vector<std::string> kJitterKeys = {"kind", "cv"};
constexpr std::string_view kScaleAllowed = "a number of at least 0 such as 1.25";
constexpr std::string_view kFactorAllowed = "a number above 0 such as 1.5";
constexpr std::string_view kCvAllowed = "a coefficient of variation such as 0.1";
// In the order of JitterKind.
const std::vector<std::string> kJitterKinds = {"lognormal", "normal"};

std::vector<ConfigValue> elements(const ConfigValues& values, const ConfigValue& array) {
  std::vector<ConfigValue> result;
  for (const JsonTree::Id id : values.tree().children(array.id)) {
    result.push_back({id, child_pointer(array.pointer, std::to_string(result.size()))});
  }
  return result;
}

bool is_array(ConfigValues& values, const ConfigValue& value, std::string_view allowed) {
  if (values.tree().kind(value.id) == JsonKind::array) return true;
  values.add_fault(value, values.tree().described(value.id), allowed);
  return false;
}

class VariationReader {
 public:
  VariationReader(const SectionContext& context, VariationConfig& variation)
      : context_(context), values_(context.values), variation_(variation) {}

  void read(const ConfigValue& section) {
    if (const auto value = values_.find(section, "microbatch_scale")) read_scale(*value);
    if (const auto value = values_.find(section, "launch_overhead")) {
      variation_.launch_overhead = time(*value).value_or(Ticks{});
    }
    if (const auto value = values_.find(section, "stragglers")) read_stragglers(*value);
    if (const auto value = values_.find(section, "jitter")) read_jitter(*value);
    if (const auto value = values_.find(section, "seed")) {
      variation_.seed = values_.integer(*value, kSeed).value_or(0);
    }
    if (const auto value = values_.find(section, "trials")) {
      variation_.trials = static_cast<std::int32_t>(values_.integer(*value, kTrials).value_or(1));
      if (variation_.trials > 1 && !values_.find(section, "jitter")) {
        values_.add_fault(*value, "trials without jitter are all the same",
                          "trials with variation.jitter");
      }
    }
  }

 private:
  std::optional<Ticks> time(const ConfigValue& value) { return values_.time(value, context_.unit); }

  void read_scale(const ConfigValue& value) {
    if (!is_array(values_, value, "an array with a number for each microbatch")) return;
    for (const ConfigValue& element : elements(values_, value)) {
      variation_.microbatch_scale.push_back(
          values_.decimal(element, kScaleAllowed).value_or(Decimal{}));
    }
    if (variation_.microbatch_scale.empty()) {
      values_.add_fault(value, "array of 0", "an array with a number for each microbatch");
    }
  }

  void read_stragglers(const ConfigValue& value) {
    if (!is_array(values_, value, "an array of objects with the keys: device, factor, from, to")) {
      return;
    }
    for (const ConfigValue& element : elements(values_, value)) {
      if (const auto section = values_.object(element, kStragglerKeys)) {
        variation_.stragglers.push_back(read_straggler(*section));
      }
    }
  }

  StragglerConfig read_straggler(const ConfigValue& section) {
    StragglerConfig straggler;
    if (const auto value = values_.require(section, "device", "a device from 0 to p - 1")) {
      straggler.device = static_cast<std::int32_t>(values_.integer(*value, kDevice).value_or(0));
    }
    if (const auto value = values_.require(section, "factor", kFactorAllowed)) {
      const auto factor = values_.decimal(*value, kFactorAllowed);
      straggler.factor = factor.value_or(Decimal{Decimal::kOne});
      if (straggler.factor.billionths == 0) {
        values_.add_fault(*value, values_.tree().shown(value->id) + " is too small",
                          kFactorAllowed);
      }
    }
    if (const auto value = values_.find(section, "from")) {
      straggler.from = time(*value).value_or(Ticks{});
    }
    if (const auto value = values_.find(section, "to")) {
      straggler.to = time(*value);
      if (straggler.to && *straggler.to <= straggler.from) {
        values_.add_fault(*value, "the window ends before it begins", "a time after from");
      }
    }
    return straggler;
  }

  void read_jitter(const ConfigValue& value) {
    const auto section = values_.object(value, kJitterKeys);
    if (!section) return;
    JitterConfig jitter;
    if (const auto kind = values_.find(*section, "kind")) {
      const auto chosen = values_.choice(*kind, kJitterKinds, alternatives(kJitterKinds));
      if (chosen) jitter.kind = static_cast<JitterKind>(*chosen);
    }
    if (const auto cv = values_.require(*section, "cv", kCvAllowed)) {
      jitter.cv = values_.decimal(*cv, kCvAllowed).value_or(Decimal{});
      if (jitter.cv.billionths > kMostVariation * Decimal::kOne) {
        values_.add_fault(*cv, values_.tree().shown(cv->id) + " is too large",
                          fmt::format("0 to {}", kMostVariation));
      }
    }
    variation_.jitter = jitter;
  }

  const SectionContext& context_;
  ConfigValues& values_;
  VariationConfig& variation_;
};

}  // namespace

std::string_view name(JitterKind kind) { return kJitterKinds[static_cast<std::size_t>(kind)]; }

void read_iterations(const SectionContext& context, const ConfigValue& root,
                     IterationsConfig& iterations) {
  ConfigValues& values = context.values;
  const auto given = values.find(root, "iterations");
  if (!given) return;
  const auto section = values.object(*given, kIterationsKeys);
  if (!section) return;
  if (const auto value = values.find(*section, "count")) {
    iterations.count = static_cast<std::int32_t>(values.integer(*value, kCount).value_or(1));
  }
  const auto read_flag = [&](std::string_view key, bool& flag) {
    const auto value = values.find(*section, key);
    if (value) flag = values.boolean(*value).value_or(flag);
  };
  iterations.flush.is_given = values.find(*section, "flush").has_value();
  read_flag("flush", iterations.flush.value);
  read_flag("overlap_grad_sync", iterations.overlap_grad_sync);
  read_flag("barrier", iterations.barrier);
  const auto read_times = [&](std::string_view key, std::optional<TimeSpec>& times) {
    if (const auto value = values.find(*section, key)) times = read_time_spec(context, *value);
  };
  read_times("grad_sync", iterations.grad_sync);
  read_times("optimizer", iterations.optimizer);
  const auto overlap = values.find(*section, "overlap_grad_sync");
  const bool has_reduction = iterations.grad_sync || has_model(values, root);
  if (overlap && iterations.overlap_grad_sync && !has_reduction && iterations.flush.value) {
    values.add_fault(*overlap, "there is no reduction to overlap", "iterations.grad_sync with it");
  }
  if (iterations.flush.value) return;
  for (const char* const key : {"grad_sync", "overlap_grad_sync", "optimizer", "barrier"}) {
    const auto value = values.find(*section, key);
    const bool is_off = value && values.tree().raw(value->id) == "false";
    if (value && !is_off) {
      values.add_fault(*value, fmt::format("{} with flush false", key),
                       "flush true: without a flush no step ends before the next begins");
    }
  }
}

void read_variation(const SectionContext& context, const ConfigValue& root, RunConfig& config) {
  const auto given = context.values.find(root, "variation");
  if (!given) return;
  const auto section = context.values.object(*given, kVariationKeys);
  if (!section) return;
  VariationReader(context, config.variation).read(*section);
}

}  // namespace pipesim
