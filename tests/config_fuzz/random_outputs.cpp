// What is written of a run, what a sweep varies, and orders of other schedules as custom ones.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tests/config_fuzz/config_classes.hpp"
#include "tests/config_fuzz/random_config.hpp"
#include "tests/config_fuzz/written_inputs.hpp"
#include "tools/prepared_run.hpp"

namespace pipesim::test {

namespace {

std::string trace_window(QuantityDraws& draws, const ConfigShape& shape) {
  std::vector<std::string> parts = {"from=0", fmt::format("devices=0-{}", shape.p - 1),
                                    "microbatches=0", "to=100s"};
  parts.resize(static_cast<std::size_t>(draws.integer(1, 3)));
  return fmt::format("{}", fmt::join(parts, ","));
}

/// An order in PyTorch's notation, a line for each rank, or "" if it has no words for some op.
std::string as_csv(const Program& program, bool old_names) {
  std::string text;
  for (const LaneOrder& lane : program.lanes) {
    std::string_view separator;
    for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
      const Step step = cursor.step();
      if (!is_compute(step.op.kind) || step.op.kind == OpKind::recompute) return "";
      std::string cell = token(step);
      if (step.overlapped) cell += "OVERLAP_F_B";
      std::string renamed;
      for (const char c : cell) {
        const bool in_mark = renamed.ends_with("OVERLAP_F_");
        if (old_names && c == 'I') {
          renamed += 'B';
        } else if (old_names && c == 'B' && !in_mark) {
          renamed += "BW";
        } else {
          renamed += c;
        }
      }
      text += fmt::format("{}{}", separator, renamed);
      separator = ",";
    }
    text += '\n';
  }
  return text;
}

Json as_tokens(const Program& program) {
  Json lanes = Json::array();
  for (const LaneOrder& lane : program.lanes) {
    std::string text;
    for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
      text += token(cursor.step()) + " ";
    }
    lanes.push_back(text);
  }
  return lanes;
}

void draw_placement(QuantityDraws& draws, const Prepared& prepared, Json& document) {
  const Placement& placement = prepared.problem.placement;
  const int p = prepared.problem.devices;
  if (placement.flows() > 1) {
    document["placement"] = "bidirectional";
    return;
  }
  if (!draws.chance(70)) return;
  const auto same = [&](const Placement& other) { return other.device_of == placement.device_of; };
  if (draws.chance(40) && placement.stages() % p == 0 &&
      same(loop_placement(p, placement.stages() / p))) {
    document["placement"] = "loop";
  } else if (draws.chance(40) && same(v_placement(p))) {
    document["placement"] = "v";
  } else {
    Json& devices = document["placement"] = Json::array();
    for (const Device device : placement.device_of.front()) devices.push_back(device.value);
  }
}

/// The program as a schedule's order, in the config or in a file.
Json draw_order(QuantityDraws& draws, const Program& program, const std::string& path,
                std::map<std::string, std::string>& files) {
  Json schedule = {{"name", "custom"}};
  const bool old_names = draws.chance(50);
  const std::string csv = as_csv(program, old_names);
  const std::int64_t form = draws.integer(0, csv.empty() ? 2 : 4);
  if (form == 0) {
    schedule["order"] = as_tokens(program);
  } else if (form == 1) {
    schedule["order"] = to_text(program);
  } else {
    schedule["file"] = path;
    files[path] = form == 2 ? to_text(program) : csv;
    if (form > 2 && old_names) schedule["b_means"] = "input_gradient";
    if (form > 2 && !old_names && draws.chance(50)) schedule["b_means"] = "full_backward";
  }
  return schedule;
}

}  // namespace

DrawnConfig with_custom_order(QuantityDraws& draws, const DrawnConfig& config,
                              const std::string& directory) {
  std::optional<Prepared> prepared;
  try {
    const Registry registry = builtin_schedules();
    prepared = prepare({}, read_written(config).config, registry, Wanted::timeline);
  } catch (const Error&) {
    return config;  // whoever runs it sees why
  }
  if (prepared->problem.slices > 1) return config;
  DrawnConfig custom = config;
  Json& document = custom.document;
  custom.origin = std::make_shared<const DrawnConfig>(config);
  document["schedule"] =
      draw_order(draws, prepared->program, directory + "/order.txt", custom.files);
  if (!prepared->schedule->info.flushes) document["iterations"]["flush"] = false;
  draw_placement(draws, *prepared, document);
  return custom;
}

void draw_output(QuantityDraws& draws, const ConfigShape& shape, const std::string& directory,
                 Json& document) {
  if (!draws.chance(30)) return;
  Json& output = document["output"] = Json::object();
  if (draws.chance(60)) {
    output["format"] = draws.pick(std::vector<std::string>{"table", "json", "csv"});
  }
  if (draws.chance(50)) output["trace_per_rank_gzip"] = draws.chance(50);
  const bool has_files = draws.chance(25);
  if (!has_files || draws.chance(20)) {
    if (draws.chance(40)) output["metrics_only"] = !has_files && draws.chance(70);
  }
  if (!has_files) return;
  const auto name = [&](const char* key, const std::string& file) {
    if (draws.chance(40))
      output[key] = fmt::format("{}/{}{}", directory, file, draws.chance(30) ? ".gz" : "");
  };
  name("file", "result");
  name("trace", "trace.json");
  name("timeline", "timeline.csv");
  name("svg", "run.svg");
  name("html", "run.html");
  if (draws.chance(40)) output["trace_per_rank"] = directory + "/ranks";
  const bool has_trace = output.contains("trace") || output.contains("trace_per_rank");
  if (has_trace && draws.chance(40)) output["trace_window"] = trace_window(draws, shape);
}

void draw_sweep(QuantityDraws& draws, const ConfigShape& /*shape*/, Json& document) {
  if (!draws.chance(6)) return;
  Json& sweep = document["sweep"] = Json::object();
  if (draws.chance(70)) {
    Json& vary = sweep["vary"] = Json::object();
    if (draws.chance(60)) {
      vary["m"] = draws.pick(std::vector<Json>{"2:8:x2", "3,5", Json({6}), Json({2, 4})});
    }
    if (draws.chance(60)) {
      vary["schedule"] =
          draws.pick(std::vector<Json>{"gpipe,1f1b", Json({"gpipe"}), Json({"1f1b", "kfkb"})});
    }
  }
  if (draws.chance(50)) {
    sweep["zip"] = {{"p2p.latency", draws.chance(50) ? Json("1,2") : Json({1, "2us"})},
                    {"variation.launch_overhead", draws.chance(50) ? Json("0,3") : Json({0, 3})}};
    if (draws.chance(30)) sweep["zip"] = {{"p2p.latency", Json({1})}};
  }
  if (draws.chance(40)) sweep["where"] = draws.chance(50) ? "m >= 3" : "p < 100 && m > 0";
}

}  // namespace pipesim::test
