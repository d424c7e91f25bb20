// What a model says of a run on a placement: layers, times, links and memory by stage.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/io/config_problem.hpp"
#include "sim/layer_split.hpp"

namespace pipesim {

namespace {

[[noreturn]] void fail(std::string pointer, std::string what, std::string allowed) {
  throw Error(
      Fault{.pointer = std::move(pointer), .what = std::move(what), .allowed = std::move(allowed)});
}

/// What `compute` returns; where a time leaves the range of Ticks it is the model's.
template <class Compute>
auto within_range(Compute compute) {
  try {
    return compute();
  } catch (const TimeOverflow&) {
    fail("/model", "a microbatch's time on a stage does not fit in 64 bits of picoseconds",
         "at most some 106.75 days: a smaller model or faster hardware");
  }
}

std::string stages_of(const RunConfig& config, std::int64_t stages) {
  if (stages == config.p) return fmt::format("p = {} stages", stages);
  return fmt::format("{} stages on p = {} devices", stages, config.p);
}

PassTimes times_of(const ModelConfig& model, ModelPart part) {
  return pass_times(model.transformer, model.parallel, model.hardware, part);
}

Ticks step_time(const ModelConfig& model, ModelPart part) {
  const PassTimes times = times_of(model, part);
  return times.forward + times.input + times.weight;
}

std::vector<std::int32_t> even_layers(const RunConfig& config, std::int64_t count,
                                      std::int64_t stages) {
  if (count % stages != 0) {
    fail("/model/layers",
         fmt::format("{} layers do not split evenly over {}: {} % {} = {}", count,
                     stages_of(config, stages), count, stages, count % stages),
         "a multiple, an array with a number for each stage, a layout, or \"balance\"");
  }
  return std::vector<std::int32_t>(static_cast<std::size_t>(stages),
                                   static_cast<std::int32_t>(count / stages));
}

/// A layout with another number of stages, and where in it that shows.
[[noreturn]] void fail_layout(const RunConfig& config, const LayersConfig& layers,
                              std::int64_t stages) {
  const LayerLayout layout = parse_layer_layout(layers.layout, "/model/layers");
  const auto has = static_cast<std::int64_t>(layout.layers.size());
  const std::string what =
      has > stages ? fmt::format("character {}: stage {} of {} begins",
                                 layout.stage_at[static_cast<std::size_t>(stages)], stages, has)
                   : fmt::format("character {}: the end after {} stages", layout.end, has);
  fail("/model/layers", what, fmt::format("a layout of {}", stages_of(config, stages)));
}

Spread<Ticks> by_stage(std::vector<Ticks> times) {
  return {.values = std::move(times), .is_list = true};
}

/// The sums of the parts that are on each stage.
class StageSums {
 public:
  StageSums(const RunConfig& config, const Placement& placement)
      : model_(*config.model), layers_(layers_by_stage(config, placement)) {
    const auto& devices = placement.device_of.front();
    shares_embedding_ =
        model_.transformer.embeddings == Embeddings::tied && devices.front() == devices.back();
  }

  std::size_t stages() const { return layers_.size(); }

  /// `value` of a part, summed by stage.
  template <class Value, class Of>
  std::vector<Value> sums(Of value) const {
    const Value embedding = value(ModelPart::embedding);
    const Value layer = value(ModelPart::layer);
    const Value head = value(ModelPart::head);
    std::vector<Value> result;
    result.reserve(layers_.size());
    for (const std::int32_t layers : layers_) result.push_back(layer * layers);
    result.front() += embedding;
    result.back() += head;
    return result;
  }

  TimeSpec times(Ticks PassTimes::*pass) const {
    return by_stage(sums<Ticks>([&](ModelPart part) { return times_of(model_, part).*pass; }));
  }

  TimeSpec gradient_sync() const {
    return by_stage(sums<Ticks>([&](ModelPart part) {
      return pipesim::gradient_sync(model_.transformer, model_.parallel, model_.hardware,
                                    held(part));
    }));
  }

  BytesSpec bytes(Bytes RankMemory::*field, const std::string& name) const {
    BytesSpec spec{.values = {}, .is_list = true};
    for (const Bytes sum : sums<Bytes>([&](ModelPart part) {
           return rank_memory(model_.transformer, model_.parallel, held(part)).*field;
         })) {
      if (sum.count > std::numeric_limits<std::int64_t>::max()) {
        fail("/model", fmt::format("the {} of a stage are too large", name), "below 2^63 bytes");
      }
      spec.values.push_back(static_cast<std::int64_t>(sum.count));
    }
    return spec;
  }

 private:
  /// The part as far as its parameters are held where it is.
  ModelPart held(ModelPart part) const {
    return part == ModelPart::head && shares_embedding_ ? ModelPart::tied_head : part;
  }

  const ModelConfig& model_;
  std::vector<std::int32_t> layers_;
  bool shares_embedding_ = false;  // a head on the embedding's device uses its weights
};

void fill_links(const ModelConfig& model, P2pConfig& p2p) {
  const bool are_given = p2p.hop != HopConfig{} || !p2p.latencies.empty() || p2p.intra || p2p.inter;
  if (are_given) return;
  const auto hop = [](const Connection& connection) {
    return HopConfig{.latency = connection.latency, .bandwidth = connection.bandwidth};
  };
  // Ranks of one stage are neighbours, replicas of it come next (tp, dp, p).
  const std::int64_t stage = std::int64_t{model.parallel.tp} * model.parallel.dp;
  const std::int64_t stages_in_node = p2p.devices_per_node.value_or(
      static_cast<std::int32_t>(model.hardware.devices_per_node / stage));
  if (stages_in_node <= 1 && !p2p.shared_link) {
    p2p.devices_per_node.reset();
    p2p.hop = hop(model.hardware.inter);
    return;
  }
  p2p.devices_per_node = static_cast<std::int32_t>(std::max<std::int64_t>(1, stages_in_node));
  p2p.intra = hop(model.hardware.intra);
  p2p.inter = hop(model.hardware.inter);
}

void fill_memory(const StageSums& sums, MemoryConfig& memory) {
  const auto fill = [&](std::optional<BytesSpec>& given, Bytes RankMemory::*field,
                        const std::string& name) {
    if (!given) given = sums.bytes(field, name);
  };
  // Of activations that are given, the model does not know the part.
  if (!memory.activation) {
    fill(memory.activation_w, &RankMemory::kept_for_weight, "activations");
  }
  fill(memory.activation, &RankMemory::activation, "activations");
  fill(memory.parameters, &RankMemory::weights, "parameters");
  fill(memory.optimizer, &RankMemory::optimizer, "optimizer's states");
}

}  // namespace

std::vector<std::int32_t> layers_by_stage(const RunConfig& config, const Placement& placement) {
  PIPESIM_CHECK(config.model.has_value());
  const ModelConfig& model = *config.model;
  const LayersConfig& layers = model.layers;
  const std::int64_t stages = placement.stages();
  switch (layers.kind) {
    case LayersKind::even:
      return even_layers(config, layers.count, stages);
    case LayersKind::by_stage:
    case LayersKind::layout:
      if (static_cast<std::int64_t>(layers.by_stage.size()) == stages) return layers.by_stage;
      if (layers.kind == LayersKind::layout) fail_layout(config, layers, stages);
      fail("/model/layers", fmt::format("array of {}", layers.by_stage.size()),
           fmt::format("a number of layers for each of the {}", stages_of(config, stages)));
    case LayersKind::balance:
      break;
  }
  if (layers.count < stages) {
    fail("/model/layer_count",
         fmt::format("{} layers for {}", layers.count, stages_of(config, stages)),
         "at least a layer for each stage to choose from");
  }
  return within_range([&] {
    return balanced_layers(layers.count, placement,
                           {.embedding = step_time(model, ModelPart::embedding),
                            .layer = step_time(model, ModelPart::layer),
                            .head = step_time(model, ModelPart::head)});
  });
}

std::int64_t message_bytes(const RunConfig& config) {
  if (config.p2p.bytes > 0 || !config.model) return config.p2p.bytes;
  const Bytes sent = message(config.model->transformer, config.model->parallel);
  if (sent.count > std::numeric_limits<std::int64_t>::max()) {
    fail("/model", "a message is too large", "below 2^63 bytes");
  }
  return static_cast<std::int64_t>(sent.count);
}

namespace {

RunConfig costs_filled_in(const RunConfig& config, const Placement& placement) {
  PIPESIM_CHECK(config.model.has_value());
  const ModelConfig& model = *config.model;
  RunConfig result = config;
  const StageSums sums(config, placement);
  result.t_f = sums.times(&PassTimes::forward);
  result.t_b = sums.times(&PassTimes::input);
  const TimeSpec weight = sums.times(&PassTimes::weight);
  for (std::size_t stage = 0; stage < sums.stages(); ++stage) {
    result.t_b.values[stage] += weight.values[stage];
  }
  const bool can_split = model.transformer.recompute != LayerRecompute::full;
  if (can_split) result.t_w = weight;
  fill_links(model, result.p2p);
  result.p2p.bytes = message_bytes(config);
  if (model.parallel.dp > 1 && config.iterations.flush.value && !config.iterations.grad_sync) {
    result.iterations.grad_sync = sums.gradient_sync();
  }
  fill_memory(sums, result.memory);
  if (!can_split && !config.memory.activation_w) result.memory.activation_w.reset();
  return result;
}

}  // namespace

RunConfig with_model_costs(const RunConfig& config, const Placement& placement) {
  if (!config.model) return config;
  return within_range([&] { return costs_filled_in(config, placement); });
}

}  // namespace pipesim
