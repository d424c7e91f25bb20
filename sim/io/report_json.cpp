#include <fmt/format.h>

#include <limits>

#include "sim/io/json_text.hpp"
#include "sim/io/report.hpp"
#include "sim/io/report_facts.hpp"
#include "sim/io/report_model.hpp"
#include "sim/io/report_values.hpp"
#include "sim/version.hpp"

namespace pipesim {

namespace {

std::string time_of(const Report& report, Ticks ticks) {
  return format_time(ticks, report.config.time_unit);
}

std::string idle_json(const Report& report, const IdleTimes& times);

std::string device_json(const Report& report, std::size_t index) {
  const DeviceMetrics& device = report.metrics.devices[index];
  return fmt::format(
      R"({{"busy": {}, "idle": {}, "idle_warm_up": {}, "idle_steady": {}, "idle_cooldown": {}, )"
      R"("utilisation": {}, "first_start": {}, "last_end": {}, "peak_activations": {}, )"
      R"("weight_versions": {}, "idle_causes": {}}})",
      time_of(report, device.busy), time_of(report, device.idle),
      time_of(report, device.idle_warm_up), time_of(report, device.idle_steady),
      time_of(report, device.idle_cooldown), format_ratio(device.utilisation),
      time_of(report, device.first_start), time_of(report, device.last_end),
      device.peak_activations, weight_versions(report.problem, Device{index}),
      idle_json(report, report.idle[index]));
}

std::string idle_json(const Report& report, const IdleTimes& times) {
  std::string text;
  for (std::size_t i = 0; i < times.size(); ++i) {
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", name(static_cast<IdleCause>(i)),
                        exact_time(times[i], report.config.time_unit));
  }
  return "{" + text + "}";
}

std::string all_idle_json(const Report& report) {
  IdleTimes sum{};
  for (const IdleTimes& times : report.idle) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += times[i];
  }
  return idle_json(report, sum);
}

std::string memory_json(const Report& report) {
  std::string peaks;
  for (const std::int64_t peak : report.peak_memory) {
    peaks += fmt::format("{}{}", peaks.empty() ? "" : ", ",
                         report.memory.in_bytes ? std::to_string(peak)
                                                : format_ratio(microbatches(report.memory, peak)));
  }
  return fmt::format(R"({{"unit": "{}", "peak": [{}]}})",
                     report.memory.in_bytes ? "bytes" : "microbatches", peaks);
}

std::string steady_state_json(const Report& report) {
  const SteadyState& steady = report.steady_state;
  const auto time = [&](const std::optional<Ratio>& ticks) {
    return ticks ? format_mean_time(*ticks, report.config.time_unit) : "null";
  };
  return fmt::format(R"({{"time_per_microbatch": {}, "{}": {}, "measured_slope": {}}})",
                     time(steady.ticks_per_microbatch),
                     steady.ticks_per_microbatch ? "limited_by" : "none_because",
                     json_string(steady.text), time(report.measured_slope));
}

std::string trials_json(const Report& report, const TrialSummary& trials) {
  return fmt::format(
      R"({{"trials": {}, "seed": {}, "mean": {}, "median": {}, "p5": {}, "p95": {}, "p99": {}, )"
      R"("min": {}, "max": {}}})",
      report.config.variation.trials, report.config.variation.seed,
      format_mean_time(trials.mean, report.config.time_unit), time_of(report, trials.median),
      time_of(report, trials.p5), time_of(report, trials.p95), time_of(report, trials.p99),
      time_of(report, trials.min), time_of(report, trials.max));
}

std::string critical_path_json(const Report& report) {
  if (!report.critical_path) return "null";
  const CriticalPath& path = *report.critical_path;
  std::string runs;
  for (const CriticalRun& run : path.runs) {
    runs +=
        fmt::format(R"({}{{"device": {}, "stage": {}, "first": "{}", "last": "{}", "ops": {}}})",
                    runs.empty() ? "" : ", ", run.device.value, run.stage.value,
                    short_name(run.first), short_name(run.last), run.ops);
  }
  return fmt::format(R"({{"forward": {}, "backward": {}, "waiting": {}, "runs": [{}]}})",
                     time_of(report, path.forward), time_of(report, path.backward),
                     time_of(report, path.waiting), runs);
}

std::string closed_form_json(const Report& report, const ClosedForm& form) {
  return fmt::format(R"({{"formula": {}, "condition": {}, "t_total": {}}})",
                     json_string(form.formula), json_string(form.condition),
                     form.t_total ? time_of(report, *form.t_total) : "null");
}

std::string indented(const std::string& text, std::size_t indent) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '\n') result.append(indent, ' ');
  }
  return result;
}

std::string object(const Report& report) {
  std::string text = "{\n";
  for (const ReportValue& value : report_values(report)) {
    const std::string json = value.type == ValueType::text   ? json_string(value.value)
                             : value.type == ValueType::list ? "[" + value.value + "]"
                                                             : value.value;
    text += fmt::format("  \"{}\": {},\n", value.key, json);
  }
  text += "  \"devices\": [";
  for (std::size_t i = 0; i < report.metrics.devices.size(); ++i) {
    text += i == 0 ? "\n    " : ",\n    ";
    text += device_json(report, i);
  }
  text += "\n  ],\n";
  text += fmt::format("  \"critical_path\": {},\n", critical_path_json(report));
  text += fmt::format(
      "  \"iteration_time\": {},\n",
      report.metrics.iteration_time ? time_of(report, *report.metrics.iteration_time) : "null");
  text += fmt::format("  \"copies\": {},\n", report.problem.placement.flows());
  text += fmt::format("  \"sent\": {{\"unit\": \"{}\", \"amount\": {}}},\n",
                      sends_bytes(report) ? "bytes" : "messages", format_ratio(sent(report)));
  text += fmt::format("  \"idle_causes\": {},\n", all_idle_json(report));
  text += fmt::format("  \"memory\": {},\n", memory_json(report));
  text += fmt::format("  \"steady_state\": {},\n", steady_state_json(report));
  if (report.model) text += fmt::format("  \"model\": {},\n", model_json(report, *report.model));
  if (report.trials) {
    text += fmt::format("  \"variation\": {},\n", trials_json(report, *report.trials));
  }
  if (report.closed_form) {
    text += fmt::format("  \"closed_form\": {},\n", closed_form_json(report, *report.closed_form));
  }
  text += fmt::format("  \"pipesim_version\": \"{}\",\n", kVersion);
  text += fmt::format("  \"config\": {},\n", resolved_json(report.config));
  text += fmt::format("  \"config_hash\": \"{}\"\n}}", config_hash(report.config));
  return text;
}

}  // namespace

std::string exact_time(Int128 ticks, TimeUnit unit) {
  if (ticks > std::numeric_limits<std::int64_t>::max()) return format_mean_time({ticks, 1}, unit);
  return format_time(Ticks{static_cast<std::int64_t>(ticks)}, unit);
}

std::string report_json(const Report& report) {
  std::string text = object(report);
  text += '\n';
  return text;
}

std::string comparison_json(const std::vector<ComparedSchedule>& compared) {
  std::string rows;
  const std::vector<bool> front = pareto_front(compared);
  for (std::size_t i = 0; i < compared.size(); ++i) {
    const ComparedSchedule& row = compared[i];
    std::string reason = row.reason;
    if (row.report && row.report->over_limit) {
      reason = sentence(*row.report->over_limit, row.report->problem, row.report->config.time_unit);
    }
    std::string notes;
    if (row.report) {
      for (const std::string& note : row.report->notes) {
        notes += (notes.empty() ? "" : ", ") + json_string(note);
      }
    }
    rows += fmt::format(
        "{}\n    {{\n      \"schedule\": {},\n      \"status\": \"{}\",\n      \"pareto\": {},\n"
        "      \"reason\": {},\n"
        "      \"notes\": [{}],\n      \"result\": {}\n    }}",
        rows.empty() ? "" : ",", json_string(row.schedule), status(row), front[i],
        reason.empty() ? "null" : json_string(reason), notes,
        row.report ? indented(object(*row.report), 6) : "null");
  }
  return fmt::format(
      "{{\n  \"schema_version\": {},\n  \"pipesim_version\": \"{}\",\n  \"results\": [{}\n  "
      "]\n}}\n",
      kResultSchemaVersion, kVersion, rows);
}

}  // namespace pipesim
