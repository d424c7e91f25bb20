#include "sim/io/config_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

#include "sim/io/config_section_readers.hpp"
#include "sim/io/config_values.hpp"

namespace pipesim {

namespace {

constexpr IntegerRange kDevices = {1, 1 << 20};
constexpr IntegerRange kMicrobatches = {1, std::numeric_limits<std::int32_t>::max()};
constexpr IntegerRange kSchemaVersion = kMicrobatches;

const std::vector<std::string> kKeys = {"schema_version", "p",         "m",        "time_unit",
                                        "schedule",       "t_f",       "t_b",      "t_w",
                                        "t_fb",           "t_r",       "first",    "last",
                                        "costs",          "model",     "parallel", "hardware",
                                        "placement",      "p2p",       "memory",   "recompute",
                                        "iterations",     "variation", "output",   "sweep"};
const std::vector<std::string> kOutputKeys = {
    "format",       "file",     "trace", "trace_per_rank", "trace_per_rank_gzip",
    "trace_window", "timeline", "svg",   "html",           "metrics_only"};

constexpr std::array kTimeUnits = {TimeUnit::s, TimeUnit::ms, TimeUnit::us, TimeUnit::ns,
                                   TimeUnit::ps};
constexpr std::array kFormats = {OutputFormat::table, OutputFormat::json, OutputFormat::csv};

std::string name(const ScheduleSignature& schedule) { return schedule.name; }
std::string name(const ParameterSpec& parameter) { return parameter.name; }

template <class List>
std::vector<std::string> names(const List& list) {
  std::vector<std::string> result;
  result.reserve(list.size());
  for (const auto& item : list) result.emplace_back(name(item));
  return result;
}

class ConfigReader {
 public:
  ConfigReader(ConfigValues values, std::span<const ScheduleSignature> schedules)
      : values_(values), schedules_(schedules) {}

  RunConfig read(const ConfigValue& root) {
    values_.object(root, kKeys);
    read_schema_version(root);
    read_p(root);
    if (const auto value = values_.require(root, "m", "an integer of at least 1")) {
      config_.m = static_cast<std::int32_t>(values_.integer(*value, kMicrobatches).value_or(0));
    }
    read_time_unit(root);
    const SectionContext context = {values_, unit_};
    read_iterations(context, root, config_.iterations);
    read_schedule(root);
    read_costs(context, root, config_);
    read_model(context, root, config_);
    read_p2p(context, root, config_.p2p);
    read_memory(context, root, config_);
    read_recompute(context, root, config_.recompute);
    read_variation(context, root, config_);
    read_output(root);
    if (const auto sweep = values_.find(root, "sweep")) {
      values_.object(*sweep, sweep_keys());
      config_.has_sweep = true;
    }
    return std::move(config_);
  }

 private:
  void read_schema_version(const ConfigValue& root) {
    const auto value = values_.find(root, "schema_version");
    if (!value) return;
    const auto version = values_.integer(*value, kSchemaVersion);
    if (version && *version != 1) {
      values_.add_fault(*value, fmt::format("version {} is unknown", *version), "1");
    }
  }

  void read_p(const ConfigValue& root) {
    const auto value = values_.require(root, "p", "an integer of at least 1");
    if (!value) return;
    config_.p = static_cast<std::int32_t>(values_.integer(*value, kDevices).value_or(0));
  }

  void read_time_unit(const ConfigValue& root) {
    unit_ = TimeUnit::ms;
    const auto value = values_.find(root, "time_unit");
    if (!value) return;
    const std::vector<std::string> known = names(kTimeUnits);
    const auto chosen = values_.choice(*value, known, alternatives(known));
    unit_.reset();
    if (!chosen) return;
    unit_ = kTimeUnits[*chosen];
    config_.time_unit = *unit_;
  }

  void read_schedule(const ConfigValue& root) {
    const std::vector<std::string> known = names(schedules_);
    const std::string allowed = fmt::format("one of {}", fmt::join(known, ", "));
    const auto schedule = values_.require(root, "schedule", allowed);
    if (!schedule) return;
    const JsonTree& tree = values_.tree();
    if (tree.kind(schedule->id) != JsonKind::object) {
      values_.add_fault(*schedule, tree.described(schedule->id),
                        "the name of a schedule, or an object with name and parameters");
      return;
    }
    auto name = values_.require(*schedule, "name", allowed);
    if (!name) return;
    const bool given_as_string = tree.position(name->id) == tree.position(schedule->id);
    if (given_as_string) name->pointer = schedule->pointer;
    const auto chosen = values_.choice(*name, known, allowed);
    if (!chosen) return;
    config_.schedule = known[*chosen];
    read_parameters(*schedule, schedules_[*chosen]);
    read_placement_key(root, schedules_[*chosen]);
  }

  void read_parameters(const ConfigValue& schedule, const ScheduleSignature& signature) {
    // A placement is a key beside the schedule, not in it.
    std::vector<ParameterSpec> own;
    std::copy_if(signature.parameters.begin(), signature.parameters.end(), std::back_inserter(own),
                 [](const ParameterSpec& spec) { return spec.type != ParameterType::placement; });
    const std::vector<std::string> known = names(own);
    const JsonTree& tree = values_.tree();
    for (const JsonTree::Id id : tree.children(schedule.id)) {
      const std::string_view key = tree.key(id);
      if (key == "name") continue;
      const ConfigValue value = {id, child_pointer(schedule.pointer, key)};
      const auto found = std::find(known.begin(), known.end(), key);
      if (found == known.end()) {
        values_.add_key_fault(value, fmt::format("unknown parameter of {}", signature.name),
                              known.empty()
                                  ? "it has none"
                                  : fmt::format("its parameters: {}", fmt::join(known, ", ")),
                              nearest_name(key, known));
      } else {
        read_parameter(value, own[static_cast<std::size_t>(found - known.begin())]);
      }
    }
    check_order_file(schedule, own);
  }

  /// An order stands in the config or in a file.
  void check_order_file(const ConfigValue& schedule, const std::vector<ParameterSpec>& own) {
    const auto given = [&](ParameterType type) -> std::optional<ConfigValue> {
      const auto found = std::find_if(own.begin(), own.end(),
                                      [&](const ParameterSpec& spec) { return spec.type == type; });
      return found == own.end() ? std::nullopt : values_.find(schedule, found->name);
    };
    const auto file = given(ParameterType::orders_file);
    if (file && given(ParameterType::orders)) {
      values_.add_fault(*file, "a file beside an order", "one of the two");
    }
    const auto meaning = values_.find(schedule, "b_means");
    if (meaning && !file) {
      values_.add_fault(*meaning, "says how to read a file", "only with a file of PyTorch");
    }
  }

  void read_parameter(const ConfigValue& value, const ParameterSpec& spec) {
    switch (spec.type) {
      case ParameterType::integer:
        if (!spec.choices.empty() && values_.tree().kind(value.id) == JsonKind::string) {
          read_choice(value, spec,
                      fmt::format("an integer from {} to {}, or ", spec.minimum, spec.maximum));
          return;
        }
        if (const auto number = values_.integer(value, {spec.minimum, spec.maximum})) {
          config_.parameters[spec.name] = *number;
        }
        return;
      case ParameterType::text:
        if (!spec.choices.empty()) {
          read_choice(value, spec, "");
          return;
        }
        if (auto text = values_.text(value, "a text")) {
          config_.parameters[spec.name] = std::move(*text);
        }
        return;
      case ParameterType::integers:
        read_integers(value, spec);
        return;
      case ParameterType::orders:
        config_.parameters[spec.name] =
            read_orders(values_, value, std::int64_t{config_.m} * config_.iterations.count);
        return;
      case ParameterType::orders_file:
        config_.order_file = values_.text(value, "the name of a file").value_or("");
        return;
      case ParameterType::placement:
        return;
    }
  }

  void read_integers(const ConfigValue& value, const ParameterSpec& spec) {
    const JsonTree& tree = values_.tree();
    if (tree.kind(value.id) != JsonKind::array || tree.children(value.id).empty()) {
      const bool is_array = tree.kind(value.id) == JsonKind::array;
      values_.add_fault(value, is_array ? "an empty array" : tree.described(value.id),
                        "an array of integers");
      return;
    }
    Integers integers;
    for (const JsonTree::Id id : tree.children(value.id)) {
      const ConfigValue element = {id, fmt::format("{}/{}", value.pointer, integers.size())};
      integers.push_back(values_.integer(element, {spec.minimum, spec.maximum}).value_or(0));
    }
    config_.parameters[spec.name] = std::move(integers);
  }

  void read_choice(const ConfigValue& value, const ParameterSpec& spec, std::string_view others) {
    const auto chosen = values_.choice(value, spec.choices,
                                       fmt::format("{}{}", others, alternatives(spec.choices)));
    if (chosen) config_.parameters[spec.name] = spec.choices[*chosen];
  }

  void read_placement_key(const ConfigValue& root, const ScheduleSignature& signature) {
    const auto value = values_.find(root, "placement");
    if (!value) return;
    const auto takes_one = [](const ScheduleSignature& schedule) {
      return std::any_of(
          schedule.parameters.begin(), schedule.parameters.end(),
          [](const ParameterSpec& spec) { return spec.type == ParameterType::placement; });
    };
    if (!takes_one(signature)) {
      std::vector<std::string> others;
      for (const ScheduleSignature& schedule : schedules_) {
        if (takes_one(schedule)) others.push_back(schedule.name);
      }
      values_.add_fault(*value, fmt::format("{} has a placement of its own", signature.name),
                        fmt::format("only with the schedule {}", fmt::join(others, ", ")));
      return;
    }
    if (auto placement = read_placement(values_, *value)) {
      config_.parameters["placement"] = std::move(*placement);
    }
  }

  void read_output(const ConfigValue& root) {
    const auto given = values_.find(root, "output");
    if (!given) return;
    const auto output = values_.object(*given, kOutputKeys);
    if (!output) return;
    if (const auto format = values_.find(*output, "format")) {
      const std::vector<std::string> known = names(kFormats);
      if (const auto chosen = values_.choice(*format, known, alternatives(known))) {
        config_.output.format = kFormats[*chosen];
      }
    }
    read_file_name(*output, "file", config_.output.file);
    read_file_name(*output, "trace", config_.output.trace);
    read_trace_per_rank(*output);
    read_trace_window(*output);
    read_file_name(*output, "timeline", config_.output.timeline);
    read_file_name(*output, "svg", config_.output.svg);
    read_file_name(*output, "html", config_.output.html);
    if (const auto metrics_only = values_.find(*output, "metrics_only")) {
      config_.output.metrics_only = values_.boolean(*metrics_only).value_or(false);
    }
  }

  void read_trace_per_rank(const ConfigValue& output) {
    if (const auto directory = values_.find(output, "trace_per_rank")) {
      config_.output.trace_per_rank =
          values_.text(*directory, "the name of a directory").value_or("");
      if (config_.output.trace_per_rank.find('\0') != std::string::npos) {
        values_.add_fault(*directory,
                          values_.tree().shown(directory->id) + " is no name of a directory",
                          "a name without a null character");
      }
    }
    if (const auto gzip = values_.find(output, "trace_per_rank_gzip")) {
      config_.output.trace_per_rank_gzip = values_.boolean(*gzip).value_or(false);
    }
  }

  void read_trace_window(const ConfigValue& output) {
    const auto window = values_.find(output, "trace_window");
    if (!window) return;
    if (config_.output.trace.empty() && config_.output.trace_per_rank.empty()) {
      values_.add_fault(*window, "no trace is asked for", "--trace FILE or --trace-per-rank DIR");
    }
    const auto text = values_.text(*window, "a window such as \"from=1ms,devices=0,2-5\"");
    if (!text || !unit_) return;
    config_.output.trace_window = parse_trace_window(*text, *unit_, [&](const Fault& fault) {
      values_.add_fault(*window, fault.what, fault.allowed, fault.nearest);
    });
  }

  void read_file_name(const ConfigValue& output, std::string_view key, std::string& name) {
    const auto value = values_.find(output, key);
    if (!value) return;
    name = values_.text(*value, "the name of a file").value_or("");
    if (name == "-" || name.find('\0') != std::string::npos) {
      values_.add_fault(*value, values_.tree().shown(value->id) + " is no name of a file",
                        "/dev/stdout for standard output");
    }
  }

  ConfigValues values_;
  std::span<const ScheduleSignature> schedules_;
  RunConfig config_{};
  std::optional<TimeUnit> unit_ = TimeUnit::ms;  // none: given, but unknown
};

}  // namespace

std::span<const std::string> sweep_keys() {
  static const std::vector<std::string> kSweepKeys = {"vary", "zip", "where"};
  return kSweepKeys;
}

RunConfig interpret_config(const JsonTree& tree, JsonTree::Id root,
                           std::span<const ScheduleSignature> schedules, JsonFaults& faults) {
  return ConfigReader(ConfigValues(tree, faults), schedules).read({root, ""});
}

}  // namespace pipesim
