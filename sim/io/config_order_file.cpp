#include "sim/io/config_order_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/program_text.hpp"
#include "sim/io/pytorch_csv.hpp"
#include "sim/io/pytorch_steps.hpp"
#include "sim/io/text_file.hpp"

namespace pipesim {

namespace {

constexpr auto kMeaning = "b_means";

/// The name of the parameter that holds the order.
std::string order_parameter(std::span<const ScheduleSignature> schedules,
                            const std::string& schedule) {
  for (const ScheduleSignature& known : schedules) {
    if (known.name != schedule) continue;
    for (const ParameterSpec& spec : known.parameters) {
      if (spec.type == ParameterType::orders) return spec.name;
    }
  }
  check_failed("a schedule with a file of orders has orders", __FILE__, __LINE__);
}

void require_devices(const RunConfig& config, std::size_t found, std::string_view what) {
  if (found == static_cast<std::size_t>(config.p)) return;
  throw Error(Fault{.place = config.order_file,
                    .what = fmt::format("{} {}", found, what),
                    .allowed = fmt::format("p = {}", config.p)});
}

Program read_program(const RunConfig& config, std::string_view contents) {
  if (text(config.parameters, kMeaning)) {
    throw Error(Fault{.pointer = std::string("/schedule/") + kMeaning,
                      .what = fmt::format("{} is a program", config.order_file),
                      .allowed = "only with a CSV file of PyTorch"});
  }
  const std::int64_t microbatches = std::int64_t{config.m} * config.iterations.count;
  ParsedProgram parsed = parse_program_text(contents, microbatches);
  for (Fault& fault : parsed.faults) {
    fault.place = fmt::format("{}:{}:{}", config.order_file, fault.line, fault.column);
  }
  if (!parsed.faults.empty()) throw Error(std::move(parsed.faults));
  require_devices(config, parsed.program.lanes.size(), "devices");
  return std::move(parsed.program);
}

StepOrders read_csv(const RunConfig& config, std::string_view contents) {
  const bool is_old = text(config.parameters, kMeaning) == "input_gradient";
  const PytorchFile file = parse_pytorch_csv(
      config.order_file, contents, is_old ? PytorchB::input_gradient : PytorchB::full_backward);
  require_devices(config, file.ranks.size(), "rows, one for each rank");
  return step_orders(file);
}

}  // namespace

void read_order_file(std::span<const ScheduleSignature> schedules, RunConfig& config) {
  const std::string order = order_parameter(schedules, config.schedule);
  const std::string contents = read_text_file(config.order_file, "/schedule/file");
  if (is_program_text(contents)) {
    config.parameters[order] = read_program(config, contents);
  } else {
    config.parameters[order] = read_csv(config, contents);
  }
  config.parameters.erase(kMeaning);
}

}  // namespace pipesim
