#include "sim/io/result_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>

#include "sim/error.hpp"

namespace pipesim {

namespace {

enum class Unit { none, time, memory, sent, microbatches, bytes };

struct Field {
  std::string_view path;
  std::string_view label;  // "": the path
  Unit unit = Unit::none;
};

// Those whose unit or whose name on an axis is not what their path says; a path that ends in a
// point stands for all below it.
constexpr std::array kFields = {
    Field{"p", "devices p"},
    Field{"m", "microbatches m"},
    Field{"t_total", "T_total", Unit::time},
    Field{"t_ideal", "T_ideal", Unit::time},
    Field{"t_ideal_mean", "T_ideal, mean of the devices", Unit::time},
    Field{"bubble_ratio", "bubble ratio (T_total / T_ideal)"},
    Field{"bubble_overhead", "bubble overhead ((T_total - T_ideal) / T_ideal)"},
    Field{"bubble_fraction", "bubble fraction (idle / (p T_total))"},
    Field{"span_bubble_rate", "span bubble rate ((span - T_ideal) / span)"},
    Field{"lower_bound", "lower bound", Unit::time},
    Field{"gap", "gap (T_total / lower bound - 1)"},
    Field{"peak_activations", "peak live activations of a device", Unit::microbatches},
    Field{"time_per_microbatch", "time per microbatch", Unit::time},
    Field{"critical_path.", "", Unit::time},
    Field{"iteration_time", "iteration time", Unit::time},
    Field{"copies", "copies of the parameters"},
    Field{"sent.amount", "sent between devices", Unit::sent},
    Field{"sent", "sent between devices", Unit::sent},
    Field{"idle_causes.", "", Unit::time},
    Field{"memory.peak", "peak memory of a device", Unit::memory},
    Field{"peak_memory", "peak memory of a device", Unit::memory},
    Field{"steady_state.time_per_microbatch", "time of one microbatch more", Unit::time},
    Field{"steady_state.measured_slope", "time of one microbatch more, measured", Unit::time},
    Field{"model.parameters", "parameters of the model"},
    Field{"model.devices", "devices"},
    Field{"model.tokens_per_iteration", "tokens per iteration"},
    Field{"model.tokens_per_second", "tokens/s"},
    Field{"model.model_flops", "model FLOPs of a step"},
    Field{"model.hardware_flops", "hardware FLOPs of a step"},
    Field{"model.model_flops_utilisation", "model FLOPs utilisation"},
    Field{"model.hardware_flops_utilisation", "hardware FLOPs utilisation"},
    Field{"variation.trials", "trials"},
    Field{"variation.seed", "seed"},
    Field{"variation.", "", Unit::time},
    Field{"closed_form.t_total", "T_total by the formula", Unit::time},
    Field{"config.schedule.name", "schedule"},
    Field{"config.schedule.", ""},
    Field{"config.t_f", "t_f", Unit::time},
    Field{"config.t_b", "t_b", Unit::time},
    Field{"config.t_w", "t_w", Unit::time},
    Field{"config.t_fb", "t_fb", Unit::time},
    Field{"config.t_r", "t_r", Unit::time},
    Field{"config.first.", "", Unit::time},
    Field{"config.last.", "", Unit::time},
    Field{"config.p2p.latency", "p2p.latency", Unit::time},
    Field{"config.p2p.bytes", "p2p.bytes", Unit::bytes},
    Field{"config.iterations.grad_sync", "iterations.grad_sync", Unit::time},
    Field{"config.iterations.optimizer", "iterations.optimizer", Unit::time},
    Field{"config.variation.launch_overhead", "variation.launch_overhead", Unit::time},
    Field{"config.memory.limit", "memory limit of a device", Unit::memory},
    Field{"config.memory.", "", Unit::bytes},
};

const Field* known(std::string_view path) {
  const auto* const found = std::find_if(kFields.begin(), kFields.end(), [&](const Field& field) {
    return field.path.ends_with('.') ? path.starts_with(field.path) : path == field.path;
  });
  return found == kFields.end() ? nullptr : found;
}

std::string_view without_config(std::string_view path) {
  constexpr std::string_view kConfig = "config.";
  return path.starts_with(kConfig) ? path.substr(kConfig.size()) : path;
}

/// Of the first of the paths that the row has.
std::string text_of(const ResultRow& row, std::initializer_list<std::string_view> paths) {
  for (const std::string_view path : paths) {
    if (const ResultValue* const value = row.find(path)) return value->text;
  }
  return "";
}

std::vector<std::string> paths_of(const std::vector<ResultRow>& rows) {
  std::vector<std::string> paths;
  std::set<std::string_view> seen;
  for (const ResultRow& row : rows) {
    for (const ResultValue& value : row.values) {
      if (seen.insert(value.path).second) paths.push_back(value.path);
    }
  }
  return paths;
}

}  // namespace

std::string field_label(std::string_view path) {
  const Field* const field = known(path);
  return std::string(field && !field->label.empty() ? field->label : without_config(path));
}

std::string field_unit(const ResultRow& row, const ResultValue& value) {
  const Field* const field = known(value.path);
  switch (field ? field->unit : Unit::none) {
    case Unit::none:
      break;
    case Unit::time:
      return text_of(row, {"time_unit"});
    case Unit::memory:
      return text_of(row, {"memory.unit", "memory_unit"});
    case Unit::sent:
      return text_of(row, {"sent.unit", "sent_unit"});
    case Unit::microbatches:
      return "microbatches";
    case Unit::bytes:
      return "bytes";
  }
  return "";
}

Better better(std::string_view path) {
  const bool is_higher =
      path.ends_with("tokens_per_second") || path.ends_with("_flops_utilisation");
  return is_higher ? Better::higher : Better::lower;
}

std::string find_field(const std::vector<ResultRow>& rows, std::string_view given,
                       std::string_view option) {
  const std::vector<std::string> paths = paths_of(rows);
  for (const std::string& path : {std::string(given), fmt::format("config.{}", given)}) {
    if (std::find(paths.begin(), paths.end(), path) != paths.end()) return path;
  }
  std::vector<std::string> ends;
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    if (path.ends_with(fmt::format(".{}", given))) ends.push_back(path);
    names.emplace_back(without_config(path));
    names.push_back(path.substr(path.rfind('.') + 1));
  }
  if (ends.size() == 1) return ends.front();
  Fault fault{.place = fmt::format("command line: {}", option), .value = std::string(given)};
  if (ends.empty()) {
    fault.what = fmt::format("no result has a field \"{}\"", given);
    fault.allowed = "a key of the results or of their config";
    fault.nearest = nearest_name(given, names);
  } else {
    fault.what = fmt::format("\"{}\" is the end of more than one field", given);
    fault.allowed = fmt::format("{}", fmt::join(ends, " or "));
  }
  throw Error(std::move(fault));
}

}  // namespace pipesim
