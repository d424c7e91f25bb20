#include <fmt/format.h>
#include <xxhash.h>

#include <array>

#include "sim/error.hpp"
#include "sim/io/config.hpp"
#include "sim/io/json_text.hpp"

namespace pipesim {

namespace {

// In the order of TransferMode and RecvPosting.
constexpr std::array<std::string_view, 4> kModes = {"free", "async", "single_stream", "rendezvous"};
constexpr std::array<std::string_view, 2> kPostings = {"eager", "just_in_time"};

/// A JSON object as it grows.
class Object {
 public:
  void add(std::string_view key, std::string_view json) {
    members_ += fmt::format("{}\"{}\": {}", members_.empty() ? "" : ", ", key, json);
  }
  bool empty() const { return members_.empty(); }
  const std::string& members() const { return members_; }
  std::string json() const { return fmt::format("{{{}}}", members_); }

 private:
  std::string members_;
};

template <class List, class Write>
std::string array_json(const List& list, Write write) {
  std::string text;
  for (const auto& value : list)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", write(value));
  return fmt::format("[{}]", text);
}

template <class Value, class Write>
std::string spread_json(const Spread<Value>& spread, Write write) {
  PIPESIM_CHECK(!spread.values.empty());
  return spread.is_list ? array_json(spread.values, write) : write(spread.values.front());
}

std::string bytes_json(std::int64_t bytes) { return fmt::format("\"{}\"", bytes_text(bytes)); }

std::string lane_json(const std::vector<Step>& lane) {
  std::string text;
  for (const Step& step : lane) text += fmt::format("{}{}", text.empty() ? "" : " ", token(step));
  return json_string(text);
}

struct ParameterWriter {
  std::string operator()(std::int64_t number) const { return std::to_string(number); }
  std::string operator()(const std::string& text) const { return json_string(text); }
  std::string operator()(const Integers& integers) const {
    return array_json(integers, [](std::int64_t number) { return std::to_string(number); });
  }
  std::string operator()(const StepOrders& orders) const { return array_json(orders, lane_json); }
  std::string operator()(const Program& program) const { return json_string(to_text(program)); }
  std::string operator()(const StageDevices& devices) const {
    return array_json(devices, [](Device device) { return std::to_string(device.value); });
  }
};

/// The members of the resolved config that say what is simulated. A section of which only
/// defaults hold is left out.
class SimulatedMembers {
 public:
  explicit SimulatedMembers(const RunConfig& config) : config_(config) {}

  std::string text() {
    object_.add("schema_version", "1");
    object_.add("p", std::to_string(config_.p));
    object_.add("m", std::to_string(config_.m));
    object_.add("time_unit", fmt::format("\"{}\"", name(config_.time_unit)));
    add_costs();
    add_schedule();
    add_section("p2p", p2p());
    add_section("memory", memory());
    if (config_.recompute.all) object_.add("recompute", "true");
    if (!config_.recompute.stages.empty()) {
      object_.add("recompute", array_json(config_.recompute.stages, [](std::int32_t stage) {
                    return std::to_string(stage);
                  }));
    }
    add_section("iterations", iterations());
    add_section("variation", variation());
    return object_.members();
  }

 private:
  std::string time(Ticks ticks) const { return format_time(ticks, config_.time_unit); }
  std::string times(const TimeSpec& spec) const {
    return spread_json(spec, [this](Ticks ticks) { return time(ticks); });
  }

  void add_section(std::string_view key, const Object& section) {
    if (!section.empty()) object_.add(key, section.json());
  }

  void add_costs() {
    const auto add = [this](std::string_view key, const std::optional<TimeSpec>& spec) {
      if (spec) object_.add(key, times(*spec));
    };
    if (config_.model) {
      add_model(*config_.model);
    } else if (config_.costs.file.empty()) {
      add("t_f", config_.t_f);
      add("t_b", config_.t_b);
      add("t_w", config_.t_w);
    } else {
      object_.add("costs", json_string(config_.costs.file));
    }
    add("t_fb", config_.t_fb);
    add("t_r", config_.t_r);
    add_section("first", extra(config_.first));
    add_section("last", extra(config_.last));
  }

  static std::string layers(const LayersConfig& config) {
    switch (config.kind) {
      case LayersKind::even:
        return std::to_string(config.count);
      case LayersKind::by_stage:
        return array_json(config.by_stage,
                          [](std::int32_t layers) { return std::to_string(layers); });
      case LayersKind::layout:
        return json_string(config.layout);
      case LayersKind::balance:
        return quoted("balance");
    }
    return "";
  }

  void add_model(const ModelConfig& config) {
    const Transformer& model = config.transformer;
    Object object;
    const auto add = [](Object& to, std::string_view key, std::int64_t number) {
      to.add(key, std::to_string(number));
    };
    object.add("layers", layers(config.layers));
    if (config.layers.kind != LayersKind::even && config.layers.count > 0) {
      add(object, "layer_count", config.layers.count);
    }
    add(object, "hidden", model.hidden);
    add(object, "heads", model.heads);
    add(object, "kv_heads", model.kv_heads);
    add(object, "ffn", model.ffn);
    add(object, "vocab", model.vocab);
    add(object, "seq", model.seq);
    add(object, "microbatch", model.microbatch);
    if (model.experts > 1) {
      add(object, "experts", model.experts);
      add(object, "top_k", model.top_k);
    }
    object.add("activation", quoted(name(model.activation)));
    object.add("normalization", quoted(name(model.normalization)));
    object.add("positions", quoted(name(model.positions)));
    object.add("bias", model.bias == LinearBias::added ? "true" : "false");
    object.add("tied_embeddings", model.embeddings == Embeddings::tied ? "true" : "false");
    object.add("dtype", quoted(name(model.dtype)));
    object.add("recompute", quoted(name(model.recompute)));
    object_.add("model", object.json());
    Object parallel;
    add(parallel, "tp", config.parallel.tp);
    parallel.add("sp", config.parallel.sp ? "true" : "false");
    add(parallel, "ep", config.parallel.ep);
    add(parallel, "dp", config.parallel.dp);
    parallel.add("tp_overlap", to_text(config.parallel.tp_overlap));
    object_.add("parallel", parallel.json());
    object_.add("hardware", hardware(config.hardware).json());
  }

  /// Without the preset's name: its numbers say all.
  Object hardware(const Hardware& config) const {
    const auto connection = [this](const Connection& one) {
      return hop({.latency = one.latency, .bandwidth = one.bandwidth}).json();
    };
    Object object;
    object.add("peak_flops", quoted(to_text(config.peak)));
    object.add("achievable", to_text(config.achievable));
    object.add("memory_bandwidth", quoted(to_text(config.memory)));
    object.add("intra", connection(config.intra));
    object.add("inter", connection(config.inter));
    object.add("devices_per_node", std::to_string(config.devices_per_node));
    return object;
  }

  Object extra(const ExtraCosts& costs) const {
    Object object;
    if (costs.forward != Ticks{}) object.add("t_f", time(costs.forward));
    if (costs.backward != Ticks{}) object.add("t_b", time(costs.backward));
    if (costs.weight != Ticks{}) object.add("t_w", time(costs.weight));
    return object;
  }

  void add_schedule() {
    object_.add("schedule", schedule_json(config_));
    const auto placement = config_.parameters.find("placement");
    if (placement == config_.parameters.end()) return;
    object_.add("placement", std::visit(ParameterWriter{}, placement->second));
  }

  Object hop(const HopConfig& config) const {
    Object object;
    if (config.latency != Ticks{}) object.add("latency", time(config.latency));
    if (config.bandwidth) object.add("bandwidth", quoted(to_text(*config.bandwidth)));
    return object;
  }

  static std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

  Object p2p() const {
    const P2pConfig& config = config_.p2p;
    Object object;
    if (config == P2pConfig{}) return object;
    object.add("mode", quoted(kModes[static_cast<std::size_t>(config.mode)]));
    if (config.mode == TransferMode::single_stream || config.mode == TransferMode::rendezvous) {
      object.add("recv_posting", quoted(kPostings[static_cast<std::size_t>(config.recv_posting)]));
    }
    if (!config.latencies.empty()) {
      object.add("latency", array_json(config.latencies, [this](const std::vector<Ticks>& row) {
                   return array_json(row, [this](Ticks ticks) { return time(ticks); });
                 }));
    } else if (config.hop.latency != Ticks{}) {
      object.add("latency", time(config.hop.latency));
    }
    if (config.bytes > 0) object.add("bytes", bytes_json(config.bytes));
    const Bandwidth bandwidth = config.hop.bandwidth.value_or(Bandwidth{});
    if (config.hop.bandwidth) object.add("bandwidth", quoted(to_text(bandwidth)));
    if (config.devices_per_node) {
      object.add("devices_per_node", std::to_string(*config.devices_per_node));
    }
    if (config.intra) object.add("intra", hop(*config.intra).json());
    if (config.inter) object.add("inter", hop(*config.inter).json());
    if (config.shared_link) {
      object.add("shared_link", hop({.latency = {}, .bandwidth = config.shared_link}).json());
    }
    return object;
  }

  Object memory() const {
    Object object;
    if (config_.memory_limit) {
      const std::string limit = to_text(*config_.memory_limit);
      object.add("limit", config_.memory_limit->bytes ? quoted(limit) : limit);
    }
    const auto add = [&](std::string_view key, const std::optional<BytesSpec>& bytes) {
      if (bytes) object.add(key, spread_json(*bytes, bytes_json));
    };
    add("activation", config_.memory.activation);
    add("activation_w", config_.memory.activation_w);
    add("parameters", config_.memory.parameters);
    add("optimizer", config_.memory.optimizer);
    return object;
  }

  Object iterations() const {
    const IterationsConfig& config = config_.iterations;
    Object object;
    if (config == IterationsConfig{}) return object;
    object.add("count", std::to_string(config.count));
    object.add("flush", config.flush.value ? "true" : "false");
    if (config.grad_sync) object.add("grad_sync", times(*config.grad_sync));
    if (config.overlap_grad_sync) object.add("overlap_grad_sync", "true");
    if (config.optimizer) object.add("optimizer", times(*config.optimizer));
    if (config.barrier) object.add("barrier", "true");
    return object;
  }

  std::string straggler(const StragglerConfig& config) const {
    Object object;
    object.add("device", std::to_string(config.device));
    object.add("factor", to_text(config.factor));
    object.add("from", time(config.from));
    if (config.to) object.add("to", time(*config.to));
    return object.json();
  }

  Object variation() const {
    const VariationConfig& config = config_.variation;
    Object object;
    if (config == VariationConfig{}) return object;
    if (!config.microbatch_scale.empty()) {
      object.add("microbatch_scale",
                 array_json(config.microbatch_scale, [](Decimal scale) { return to_text(scale); }));
    }
    if (config.launch_overhead != Ticks{}) {
      object.add("launch_overhead", time(config.launch_overhead));
    }
    if (!config.stragglers.empty()) {
      object.add("stragglers", array_json(config.stragglers, [this](const StragglerConfig& one) {
                   return straggler(one);
                 }));
    }
    if (config.jitter) {
      object.add("jitter", fmt::format(R"({{"kind": "{}", "cv": {}}})", name(config.jitter->kind),
                                       to_text(config.jitter->cv)));
    }
    object.add("seed", std::to_string(config.seed));
    object.add("trials", std::to_string(config.trials));
    return object;
  }

  const RunConfig& config_;
  Object object_;
};

std::string simulated_members(const RunConfig& config) { return SimulatedMembers(config).text(); }

}  // namespace

std::string to_text(const MemoryLimit& limit) {
  if (limit.bytes) return bytes_text(*limit.bytes);
  return limit.microbatches ? to_text(*limit.microbatches) : "";
}

std::string schedule_json(const RunConfig& config) {
  std::string text = "{\"name\": " + json_string(config.schedule);
  for (const auto& [name, value] : config.parameters) {
    if (name == "placement") continue;
    text += fmt::format(", {}: {}", json_string(name), std::visit(ParameterWriter{}, value));
  }
  return text + "}";
}

std::string resolved_json(const RunConfig& config) {
  return fmt::format(R"({{{}, "output": {{"format": "{}"}}}})", simulated_members(config),
                     name(config.output.format));
}

std::string content_hash(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string config_hash(const RunConfig& config) {
  return content_hash("{" + simulated_members(config) + "}");
}

}  // namespace pipesim
