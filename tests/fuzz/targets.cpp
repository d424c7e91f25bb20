#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"
#include "sim/io/config.hpp"
#include "sim/io/config_overrides.hpp"
#include "sim/io/config_reader.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/pytorch_csv.hpp"
#include "sim/io/results_file.hpp"
#include "sim/io/sweep.hpp"
#include "sim/layer_split.hpp"
#include "tools/sweep_file.hpp"

namespace pipesim::fuzz {

namespace {

const std::vector<ScheduleSignature>& schedules() {
  static const std::vector<ScheduleSignature> kKnown = signatures(builtin_schedules());
  return kKnown;
}

/// Does what a reader does with a document, but opens no file that the bytes may name.
std::optional<RunConfig> interpreted(const std::optional<ConfigText>& file,
                                     const std::vector<Override>& overrides) {
  JsonTree tree;
  JsonFaults faults;
  const JsonTree::Id root = read_document(tree, file, faults);
  normalise_schedule(tree, root);
  pipesim::apply_overrides(tree, root, overrides, faults);
  const RunConfig config = interpret_config(tree, root, schedules(), faults);
  faults.throw_if_any();
  if (!config.costs.file.empty() || !config.order_file.empty()) return std::nullopt;
  return config;
}

/// What was understood, written and read again, is understood the same.
void check_round_trip(const RunConfig& config) {
  const std::string resolved = resolved_json(config);
  const auto again = interpreted(ConfigText{.name = "resolved", .text = resolved}, {});
  PIPESIM_CHECK(again.has_value());
  PIPESIM_CHECK(resolved_json(*again) == resolved);
  PIPESIM_CHECK(config_hash(*again) == config_hash(config));
}

template <class Read>
void unless_refused(const Read& read) {
  try {
    read();
  } catch (const Error& error) {
    PIPESIM_CHECK(!error.faults().empty());
    PIPESIM_CHECK(!std::string_view(error.what()).empty());
  }
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) lines.emplace_back(take_line(text));
  return lines;
}

}  // namespace

void read_config(const std::string& bytes) {
  std::optional<RunConfig> config;
  unless_refused([&] { config = interpreted(ConfigText{.name = "fuzz", .text = bytes}, {}); });
  if (config) check_round_trip(*config);
}

/// A line is PATH=VALUE.
void apply_overrides(const std::string& bytes) {
  std::vector<Override> overrides;
  for (const std::string& line : lines_of(bytes)) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    overrides.push_back({.option = "--set",
                         .path = line.substr(0, equals),
                         .value = list_to_json(line.substr(equals + 1))});
  }
  const ConfigText file = {
      .name = "fuzz",
      .text = R"({"p": 2, "m": 4, "t_f": [1, 2], "t_b": 4, "schedule": "1f1b", "memory": {}})"};
  std::optional<RunConfig> config;
  unless_refused([&] { config = interpreted(file, overrides); });
  if (config) check_round_trip(*config);
}

void read_pytorch_csv(const std::string& bytes) {
  for (const PytorchB meaning : {PytorchB::full_backward, PytorchB::input_gradient}) {
    std::optional<PytorchFile> file;
    unless_refused([&] { file = parse_pytorch_csv("fuzz", bytes, meaning); });
    if (!file) continue;
    const std::string written = pytorch_csv(*file);
    const PytorchFile again = parse_pytorch_csv("again", written, PytorchB::full_backward);
    PIPESIM_CHECK(pytorch_csv(again) == written);
  }
}

void read_layout(const std::string& bytes) {
  std::optional<LayerLayout> layout;
  unless_refused([&] { layout = parse_layer_layout(bytes, "/model/layers"); });
  if (!layout) return;
  PIPESIM_CHECK(layout->layers.size() == layout->stage_at.size());
  std::string written = "E";
  std::size_t all = 0;
  for (std::size_t stage = 0; stage < layout->layers.size(); ++stage) {
    if (stage > 0) written += '|';
    const auto layers = static_cast<std::size_t>(layout->layers[stage]);
    written.append(layers, 't');
    all += layers;
  }
  PIPESIM_CHECK(layout->layer_at.size() == all);
  PIPESIM_CHECK(parse_layer_layout(written + 'L', "").layers == layout->layers);
}

/// What a sweep reads: values, conditions, its own files, and results.
void read_sweep(const std::string& bytes) {
  unless_refused([&] {
    const SweepValues values = SweepValues::parse(bytes);
    PIPESIM_CHECK(values.size() > 0);
    for (const std::int64_t index : {std::int64_t{0}, values.size() / 2, values.size() - 1}) {
      PIPESIM_CHECK(!values[index].empty());
    }
  });
  unless_refused([&] {
    const SweepCondition condition(bytes);
    const std::vector<ConditionValue> numbers(condition.paths().size(), condition_value("3"));
    const std::vector<ConditionValue> texts(condition.paths().size(), condition_value("gpipe"));
    unless_refused([&] { condition.holds(numbers); });
    unless_refused([&] { condition.holds(texts); });
  });
  unless_refused([&] {
    const SweepDescription description = parse_description(bytes, "fuzz");
    const SweepDescription again = parse_description(description.definition, "fuzz");
    PIPESIM_CHECK(again.whole() == description.whole());
    PIPESIM_CHECK(sweep_differences(description.whole(), again.whole()).empty());
  });
  unless_refused([&] { read_results({{.name = "fuzz", .text = bytes}}); });
  for (const std::string& line : lines_of(bytes)) {
    const auto fields = quoted_csv_fields(line);
    if (!fields) continue;
    std::string written;
    for (const std::string& field : *fields) written += "," + csv_field(field);
    const auto again = quoted_csv_fields(std::string_view(written).substr(1));
    const bool has_line_end = line.find('\r') != std::string::npos;
    PIPESIM_CHECK(has_line_end || again == fields);
  }
}

}  // namespace pipesim::fuzz
