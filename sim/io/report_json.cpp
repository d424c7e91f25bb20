#include <fmt/format.h>

#include "sim/io/json_text.hpp"
#include "sim/io/report.hpp"
#include "sim/io/report_values.hpp"
#include "sim/version.hpp"

namespace pipesim {

namespace {

std::string time_of(const Report& report, Ticks ticks) {
  return format_time(ticks, report.config.time_unit);
}

std::string device_json(const Report& report, const DeviceMetrics& device) {
  return fmt::format(
      R"({{"busy": {}, "idle": {}, "idle_warm_up": {}, "idle_steady": {}, "idle_cooldown": {}, )"
      R"("utilisation": {}, "first_start": {}, "last_end": {}, "peak_activations": {}}})",
      time_of(report, device.busy), time_of(report, device.idle),
      time_of(report, device.idle_warm_up), time_of(report, device.idle_steady),
      time_of(report, device.idle_cooldown), format_ratio(device.utilisation),
      time_of(report, device.first_start), time_of(report, device.last_end),
      device.peak_activations);
}

std::string critical_path_json(const Report& report) {
  const CriticalPath& path = report.critical_path;
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
  std::string devices;
  for (const DeviceMetrics& device : report.metrics.devices) {
    devices += (devices.empty() ? "\n    " : ",\n    ") + device_json(report, device);
  }
  text += fmt::format("  \"devices\": [{}\n  ],\n", devices);
  text += fmt::format("  \"critical_path\": {},\n", critical_path_json(report));
  if (report.closed_form) {
    text += fmt::format("  \"closed_form\": {},\n", closed_form_json(report, *report.closed_form));
  }
  text += fmt::format("  \"pipesim_version\": \"{}\",\n", kVersion);
  text += fmt::format("  \"config\": {},\n", resolved_json(report.config));
  text += fmt::format("  \"config_hash\": \"{}\"\n}}", config_hash(report.config));
  return text;
}

std::string status(const ComparedSchedule& compared) {
  if (!compared.report) return "invalid";
  return compared.report->over_limit ? "over_limit" : "ok";
}

}  // namespace

std::string report_json(const Report& report) { return object(report) + "\n"; }

std::string comparison_json(const std::vector<ComparedSchedule>& compared) {
  std::string rows;
  for (const ComparedSchedule& row : compared) {
    std::string reason = row.reason;
    if (row.report && row.report->over_limit) {
      reason = over_limit_sentence(*row.report->over_limit, row.report->config);
    }
    std::string notes;
    if (row.report) {
      for (const std::string& note : row.report->notes) {
        notes += (notes.empty() ? "" : ", ") + json_string(note);
      }
    }
    rows += fmt::format(
        "{}\n    {{\n      \"schedule\": {},\n      \"status\": \"{}\",\n      \"reason\": {},\n"
        "      \"notes\": [{}],\n      \"result\": {}\n    }}",
        rows.empty() ? "" : ",", json_string(row.schedule), status(row),
        reason.empty() ? "null" : json_string(reason), notes,
        row.report ? indented(object(*row.report), 6) : "null");
  }
  return fmt::format(
      "{{\n  \"schema_version\": {},\n  \"pipesim_version\": \"{}\",\n  \"results\": [{}\n  "
      "]\n}}\n",
      kResultSchemaVersion, kVersion, rows);
}

}  // namespace pipesim
