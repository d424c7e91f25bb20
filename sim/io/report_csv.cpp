#include <fmt/format.h>

#include <algorithm>

#include "sim/io/report.hpp"
#include "sim/io/report_values.hpp"

namespace pipesim {

std::vector<ReportValue> report_values(const Report& report) {
  const RunConfig& config = report.config;
  const Metrics& metrics = report.metrics;
  const auto time = [&](Ticks ticks) { return format_time(ticks, config.time_unit); };
  std::string peaks;
  for (const DeviceMetrics& device : metrics.devices) {
    peaks += fmt::format("{}{}", peaks.empty() ? "" : ", ", device.peak_activations);
  }
  return {
      {"schema_version", std::to_string(kResultSchemaVersion)},
      {"schedule", config.schedule, ValueType::text},
      {"p", std::to_string(config.p)},
      {"m", std::to_string(config.m)},
      {"time_unit", std::string(name(config.time_unit)), ValueType::text},
      {"t_total", time(metrics.t_total)},
      {"t_ideal", time(metrics.t_ideal)},
      {"t_ideal_mean", format_mean_time(metrics.t_ideal_mean, config.time_unit)},
      {"bubble_ratio", format_ratio(metrics.bubble_ratio)},
      {"bubble_overhead", format_ratio(metrics.bubble_overhead)},
      {"bubble_fraction", format_ratio(metrics.bubble_fraction)},
      {"span_bubble_rate", format_ratio(metrics.span_bubble_rate)},
      {"lower_bound", time(metrics.lower_bound)},
      {"gap", format_ratio(metrics.gap)},
      {"peak_activations", std::move(peaks), ValueType::list},
      {"time_per_microbatch", format_mean_time(metrics.time_per_microbatch, config.time_unit)},
  };
}

namespace {

std::string joined(const std::vector<std::string>& cells) {
  return fmt::format("{}\n", fmt::join(cells, ","));
}

std::vector<std::string> header_cells() {
  std::vector<std::string> cells;
  for (const ReportValue& value : report_values({})) cells.emplace_back(value.key);
  return cells;
}

std::vector<std::string> row_cells(const Report& report) {
  std::vector<std::string> cells;
  for (const ReportValue& value : report_values(report)) {
    cells.push_back(value.type == ValueType::list
                        ? std::to_string(report.metrics.peak_activations())
                        : value.value);
  }
  return cells;
}

}  // namespace

std::string report_csv_header() { return joined(header_cells()); }

std::string report_csv_row(const Report& report) { return joined(row_cells(report)); }

std::string comparison_csv_header() {
  std::vector<std::string> cells = header_cells();
  for (const char* const cell :
       {"status", "peak_memory", "memory_unit", "sent", "sent_unit", "pareto"}) {
    cells.emplace_back(cell);
  }
  return joined(cells);
}

std::string comparison_csv_rows(const std::vector<ComparedSchedule>& compared) {
  std::string rows;
  const std::vector<bool> front = pareto_front(compared);
  for (std::size_t i = 0; i < compared.size(); ++i) {
    const ComparedSchedule& row = compared[i];
    std::vector<std::string> cells(header_cells().size());
    if (row.report) {
      cells = row_cells(*row.report);
      cells.emplace_back(row.report->over_limit ? "over_limit" : "ok");
      cells.push_back(format_ratio(highest_peak(*row.report)));
      cells.emplace_back(row.report->memory.in_bytes ? "bytes" : "microbatches");
      cells.push_back(format_ratio(sent(*row.report)));
      cells.emplace_back(sends_bytes(*row.report) ? "bytes" : "messages");
      cells.emplace_back(front[i] ? "true" : "false");
    } else {
      cells[1] = row.schedule;
      cells.emplace_back("invalid");
      cells.resize(cells.size() + 5);
    }
    rows += joined(cells);
  }
  return rows;
}

}  // namespace pipesim
