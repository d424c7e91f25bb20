#include "sim/io/report_model.hpp"

#include <fmt/format.h>

#include <array>
#include <numeric>

#include "sim/io/text_table.hpp"

namespace pipesim {

namespace {

constexpr int kDigits = 6;

Int128 product(Int128 left, Int128 right) {
  Int128 result = 0;
  if (__builtin_mul_overflow(left, right, &result)) {
    throw Error(Fault{.pointer = "/model",
                      .what = "the operations of a step are too many",
                      .allowed = "below 2^127 operations"});
  }
  return result;
}

std::int64_t sum(const std::vector<std::int32_t>& layers) {
  return std::accumulate(layers.begin(), layers.end(), std::int64_t{0});
}

std::string percent(const Ratio& ratio) {
  const std::array<Int128, 2> above = {ratio.numerator, 100};
  return format_ratio(ratio_of_products(above, std::array{ratio.denominator}), 4) + " %";
}

/// A row of the table of stages, without the stage.
std::vector<std::string> stage_cells(const Report& report, const ModelReport& model,
                                     std::size_t stage) {
  const StageCosts& costs = report.problem.costs[stage];
  const StageMemory& memory = report.memory.stages[stage];
  const auto time = [&](Ticks ticks) { return format_time(ticks, report.config.time_unit); };
  return {std::to_string(model.layers[stage]),
          time(costs.forward),
          time(costs.backward),
          costs.weight ? time(*costs.weight) : "-",
          format_bytes(memory.activation),
          format_bytes(memory.parameters),
          format_bytes(memory.resident - memory.parameters)};
}

std::string stage_json(const Report& report, const ModelReport& model, std::size_t stage) {
  const StageCosts& costs = report.problem.costs[stage];
  const StageMemory& memory = report.memory.stages[stage];
  const auto time = [&](Ticks ticks) { return format_time(ticks, report.config.time_unit); };
  return fmt::format(
      R"({{"layers": {}, "t_f": {}, "t_b": {}, "t_w": {}, "activation": {}, "parameters": {}, )"
      R"("optimizer": {}}})",
      model.layers[stage], time(costs.forward), time(costs.backward),
      costs.weight ? time(*costs.weight) : "null", memory.activation, memory.parameters,
      memory.resident - memory.parameters);
}

}  // namespace

ModelReport model_report(const RunConfig& config, const Problem& problem, const Metrics& metrics) {
  PIPESIM_CHECK(config.model.has_value());
  const ModelConfig& model = *config.model;
  const ModelParallel& parallel = model.parallel;
  ModelReport report;
  report.layers = layers_by_stage(config, problem.placement);
  const std::int64_t layers = sum(report.layers);
  report.parameters = all_parameters(model.transformer, layers);
  report.devices = std::int64_t{config.p} * parallel.tp * parallel.dp;
  const Int128 microbatches = Int128{config.m} * parallel.dp;
  report.tokens = model.transformer.tokens() * microbatches;
  const StepFlops flops = microbatch_flops(model.transformer, layers);
  report.model_flops = Flops(product(flops.model.count, microbatches));
  report.hardware_flops = Flops(product(flops.hardware.count, microbatches));
  const Ticks mean{metrics.t_total.count / problem.steps()};
  const Ratio time = {metrics.iteration_time.value_or(mean).count, 1};
  constexpr Int128 kTicksPerSecond = 1'000'000'000'000;
  report.tokens_per_second =
      ratio_of_products(std::array{report.tokens, kTicksPerSecond}, std::array{time.numerator});
  const auto used = [&](Flops of_microbatch) {
    return utilisation(of_microbatch, microbatches, time, report.devices, model.hardware.peak);
  };
  report.model_utilisation = used(flops.model);
  report.hardware_utilisation = used(flops.hardware);
  return report;
}

std::string model_heading(const RunConfig& config, const ModelReport& model) {
  PIPESIM_CHECK(config.model.has_value());
  const ModelParallel& parallel = config.model->parallel;
  return fmt::format("{} layers, {} parameters  tp={}{}  dp={}", sum(model.layers),
                     format_int128(model.parameters), parallel.tp, parallel.sp ? " with sp" : "",
                     parallel.dp);
}

std::vector<Fact> model_facts(const ModelReport& model) {
  return {
      {"tokens/s", format_ratio(model.tokens_per_second, kDigits),
       fmt::format("{} tokens a step on {} devices", format_int128(model.tokens), model.devices)},
      {"MFU", percent(model.model_utilisation),
       fmt::format("model FLOPs utilisation: {} FLOPs a step of the devices' peak",
                   format_ratio({model.model_flops.count, 1}, kDigits))},
      {"HFU", percent(model.hardware_utilisation),
       "hardware FLOPs utilisation: the same with what is computed again"}};
}

std::string model_stages(const Report& report, const ModelReport& model) {
  TextTable table;
  table.add({"stage", "layers", "t_f", "t_b", "t_w", "activation", "parameters", "optimizer"});
  for (std::size_t first = 0; first < model.layers.size();) {
    std::vector<std::string> cells = stage_cells(report, model, first);
    std::size_t next = first + 1;
    while (next < model.layers.size() && stage_cells(report, model, next) == cells) ++next;
    cells.insert(cells.begin(),
                 next == first + 1 ? std::to_string(first) : fmt::format("{}-{}", first, next - 1));
    table.add(std::move(cells));
    first = next;
  }
  const std::int32_t slices = report.problem.slices;
  if (slices == 1) return table.text(2);
  return table.text(2) + fmt::format("  times and activations of one of {} slices\n", slices);
}

std::string model_json(const Report& report, const ModelReport& model) {
  std::string stages;
  for (std::size_t stage = 0; stage < model.layers.size(); ++stage) {
    stages += (stage == 0 ? "\n      " : ",\n      ") + stage_json(report, model, stage);
  }
  return fmt::format(
      "{{\n    \"parameters\": {},\n    \"devices\": {},\n    \"tokens_per_iteration\": {},\n"
      "    \"tokens_per_second\": {},\n    \"model_flops\": {},\n    \"hardware_flops\": {},\n"
      "    \"model_flops_utilisation\": {},\n    \"hardware_flops_utilisation\": {},\n"
      "    \"stages\": [{}\n    ]\n  }}",
      format_int128(model.parameters), model.devices, format_int128(model.tokens),
      format_ratio(model.tokens_per_second), format_int128(model.model_flops.count),
      format_int128(model.hardware_flops.count), format_ratio(model.model_utilisation),
      format_ratio(model.hardware_utilisation), stages);
}

}  // namespace pipesim
