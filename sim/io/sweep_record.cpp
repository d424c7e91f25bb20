#include "sim/io/sweep_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/json_text.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/report_values.hpp"
#include "sim/version.hpp"

namespace pipesim {

namespace {

/// The keys of a result beside the point's own. A value that this result does not have is "".
std::vector<ReportValue> result_values(const Report& report, bool has_model, bool has_trials) {
  const TimeUnit unit = report.config.time_unit;
  std::vector<ReportValue> values = report_values(report);
  values.erase(values.begin());  // the schema's version begins the line
  for (ReportValue& value : values) {
    if (value.type == ValueType::list) {
      value = {value.key, std::to_string(report.metrics.peak_activations())};
    }
  }
  values.push_back(
      {"peak_memory", report.peak_memory.empty() ? "" : format_ratio(highest_peak(report))});
  values.push_back(
      {"memory_unit", report.memory.in_bytes ? "bytes" : "microbatches", ValueType::text});
  values.push_back({"sent", format_ratio(sent(report))});
  values.push_back({"sent_unit", sends_bytes(report) ? "bytes" : "messages", ValueType::text});
  const auto add = [&](std::string_view key, const auto& optional, const auto& text_of) {
    values.push_back({key, optional ? text_of(*optional) : ""});
  };
  if (has_model) {
    for (const auto& [key, ratio] :
         {std::pair("tokens_per_second", &ModelReport::tokens_per_second),
          {"model_flops_utilisation", &ModelReport::model_utilisation},
          {"hardware_flops_utilisation", &ModelReport::hardware_utilisation}}) {
      add(key, report.model,
          [member = ratio](const ModelReport& model) { return format_ratio(model.*member); });
    }
  }
  if (has_trials) {
    add("trials_mean", report.trials,
        [&](const TrialSummary& trials) { return format_mean_time(trials.mean, unit); });
    for (const auto& [key, time] : {std::pair("trials_median", &TrialSummary::median),
                                    {"trials_p5", &TrialSummary::p5},
                                    {"trials_p95", &TrialSummary::p95},
                                    {"trials_p99", &TrialSummary::p99},
                                    {"trials_min", &TrialSummary::min},
                                    {"trials_max", &TrialSummary::max}}) {
      add(key, report.trials, [unit, member = time](const TrialSummary& trials) {
        return format_time(trials.*member, unit);
      });
    }
  }
  return values;
}

/// config_hash() of a point's config, which resolved_json() wrote so; "" if it did not.
std::string hash_of_resolved(std::string_view resolved) {
  constexpr std::string_view kOutput = R"(, "output": {"format": "json"}})";
  if (!resolved.ends_with(kOutput)) return "";
  resolved.remove_suffix(kOutput.size());
  return content_hash(fmt::format("{}}}", resolved));
}

std::int64_t leading_number(std::string_view text) {
  std::int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::string_view name(SweepFormat format) { return format == SweepFormat::csv ? "csv" : "jsonl"; }

std::string_view status(const SweepRecord& record) {
  if (!record.report) return "invalid";
  return record.report->over_limit ? "over_limit" : "ok";
}

SweepWriter::SweepWriter(const Sweep& sweep, SweepFormat format)
    : format_(format),
      has_model_(sweep.may_have("model")),
      has_trials_(sweep.may_have("variation")) {
  for (const SweepAxis& axis : sweep.axes()) axes_.push_back(axis.path);
  for (const ReportValue& value : result_values({}, has_model_, has_trials_)) {
    columns_.emplace_back(value.key);
  }
}

std::string SweepWriter::header() const {
  if (format_ == SweepFormat::jsonl) return "";
  std::string text = "schema_version,point,status";
  for (const std::string& path : axes_) text += "," + csv_field("vary." + path);
  for (const std::string& column : columns_) text += "," + column;
  return text + ",config_hash,reason\n";
}

std::string SweepWriter::line(const SweepRecord& record) const {
  return format_ == SweepFormat::csv ? csv_line(record) : json_line(record);
}

// Up to the end of what varies.
std::string SweepWriter::head(std::int64_t point, std::string_view status,
                              const std::vector<SweepValue>& values) const {
  if (format_ == SweepFormat::csv) {
    std::string text = fmt::format("{},{},{}", kResultSchemaVersion, point, status);
    for (const SweepValue& value : values) text += "," + printable(csv_field(value.plain()));
    return text;
  }
  std::string text =
      fmt::format(R"({{"schema_version": {}, "point": {}, "status": "{}", "vary": {{)",
                  kResultSchemaVersion, point, status);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += ", ";
    text += json_string(values[i].axis->path) + ": " + values[i].json();
  }
  return text + "}";
}

std::string SweepWriter::json_line(const SweepRecord& record) const {
  std::string text = head(record.point, status(record), record.values);
  if (record.report) {
    const Report& report = *record.report;
    for (const ReportValue& value : result_values(report, has_model_, has_trials_)) {
      if (value.value.empty()) continue;
      text += ", \"";
      text += value.key;
      text += "\": ";
      text += value.type == ValueType::text ? json_string(value.value) : value.value;
    }
  }
  if (!record.reason.empty()) text += ", \"reason\": " + json_string(record.reason);
  text += fmt::format(R"(, "pipesim_version": "{}")", kVersion);
  if (record.report) {
    text += R"(, "config": )" + resolved_json(record.report->config);
    text += fmt::format(R"(, "config_hash": "{}")", config_hash(record.report->config));
  }
  return text + "}\n";
}

std::string SweepWriter::csv_line(const SweepRecord& record) const {
  std::string text = head(record.point, status(record), record.values);
  if (record.report) {
    const Report& report = *record.report;
    for (const ReportValue& value : result_values(report, has_model_, has_trials_)) {
      text += "," + value.value;
    }
    text += "," + config_hash(report.config);
  } else {
    text.append(columns_.size() + 1, ',');
  }
  return text + "," + csv_field(record.reason) + "\n";
}

std::int64_t SweepWriter::point_of(std::string_view line) {
  const std::string json =
      fmt::format(R"({{"schema_version": {}, "point": )", kResultSchemaVersion);
  const std::string csv = fmt::format("{},", kResultSchemaVersion);
  const bool is_json_line = line.starts_with(json) && line.ends_with('}');
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  if (std::any_of(line.begin(), line.end(), is_control)) return -1;
  if (is_json_line) return leading_number(line.substr(json.size()));
  return line.starts_with(csv) ? leading_number(line.substr(csv.size())) : -1;
}

bool SweepWriter::may_be_of(std::int64_t point, const std::vector<SweepValue>& values,
                            std::string_view line) const {
  for (const std::string_view status : {"ok", "over_limit", "invalid"}) {
    const std::string begin = head(point, status, values);
    if (!line.starts_with(begin)) continue;
    if (format_ == SweepFormat::jsonl) return is_json_result(line, status != "invalid");
    const std::string_view rest = line.substr(begin.size());
    const auto fields = quoted_csv_fields(rest);  // before the first comma an empty one
    return rest.starts_with(',') && fields && fields->size() == columns_.size() + 3 &&
           printable(rest) == rest;
  }
  return false;
}

bool SweepWriter::is_json_result(std::string_view line, bool is_run) const {
  JsonTree tree;
  JsonFaults doubled;
  JsonTree::Id root = 0;
  try {
    root = tree.parse({.text = std::string(line)}, doubled);
  } catch (const Error&) {
    return false;
  }
  std::vector<std::string_view> keys = {"schema_version", "point", "status", "vary"};
  keys.insert(keys.end(), columns_.begin(), columns_.end());
  keys.insert(keys.end(), {"reason", "pipesim_version", "config", "config_hash"});
  auto key = keys.begin();
  for (const JsonTree::Id member : tree.children(root)) {
    key = std::find(key, keys.end(), tree.key(member));
    if (key == keys.end()) return false;
    ++key;
  }
  const auto config = tree.find(root, "config");
  const auto hash = tree.find(root, "config_hash");
  if (!is_run) return !config && !hash;
  return config && hash &&
         tree.raw(*hash) == fmt::format("\"{}\"", hash_of_resolved(tree.raw(*config)));
}

}  // namespace pipesim
