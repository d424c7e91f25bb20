// Results as people and programs read them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/idle.hpp"
#include "sim/io/config.hpp"
#include "sim/io/picture.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "sim/steady_state.hpp"
#include "sim/throughput.hpp"
#include "sim/variation.hpp"

namespace pipesim {

/// The version of the keys of JSON and CSV results.
inline constexpr int kResultSchemaVersion = 1;

/// A textbook formula beside the simulated value.
struct ClosedForm {
  std::string formula;             ///< "(m + p - 1) * (t_f + t_b)"
  std::string condition;           ///< when it holds: "equal stages, free communication"
  std::optional<Ticks> t_total{};  ///< its value; none if the condition does not hold here
};

/// What a run means for the model that it trains.
struct ModelReport {
  std::vector<std::int32_t> layers;  ///< by stage
  Int128 parameters = 0;             ///< of the model
  std::int64_t devices = 0;          ///< p * tp * dp
  Int128 tokens = 0;                 ///< of one step
  Flops model_flops;                 ///< of one step, without what is computed again
  Flops hardware_flops;              ///< with it
  Ratio tokens_per_second;
  Ratio model_utilisation;     ///< of the peak of all devices
  Ratio hardware_utilisation;  ///< the same with what is computed again
};

/// Requires a config with a model, and the problem and metrics of its run.
ModelReport model_report(const RunConfig& config, const Problem& problem, const Metrics& metrics);

/// Everything that is said about one run.
struct Report {
  RunConfig config;  ///< with the parameters that the schedule chose filled in
  std::string schedule_summary;
  /// The parameters that the schedule chose, one sentence each.
  std::vector<std::string> notes;
  Metrics metrics;
  std::optional<CriticalPath> critical_path;  ///< none of a run that kept no timeline
  Problem problem;
  std::vector<IdleTimes> idle;            ///< by device: its idle time by cause
  Memory memory;                          ///< how memory is counted
  std::vector<std::int64_t> peak_memory;  ///< by device, in the unit of `memory`
  std::optional<MemoryExcess> over_limit;
  Traffic traffic;
  SteadyState steady_state;
  std::optional<Ratio> measured_slope;  ///< where there is no steady state
  std::optional<TrialSummary> trials;   ///< of runs whose times vary at random
  std::optional<ClosedForm> closed_form;
  std::optional<ModelReport> model;  ///< where the config has one
};

/// One schedule's line in a comparison: a report, or why there is none.
struct ComparedSchedule {
  std::string schedule;
  std::optional<Report> report;
  std::string reason;                ///< why the schedule cannot run here; "" if it can
  std::optional<Picture> picture{};  ///< of a run, where pictures are asked for
};

/// "  group=4  v=2": the schedule's parameters, each with two spaces before it.
std::string parameters_of(const RunConfig& config);

/// The report as a table for a terminal of some 100 columns.
std::string report_table(const Report& report);

/// The report as one JSON document (docs/output.schema.json). Times are exact decimals in the
/// config's time unit, ratios and means have 12 significant digits.
std::string report_json(const Report& report);

/// The header and the row of a report as CSV, each ending in a newline. peak_activations is the
/// largest of the devices'.
std::string report_csv_header();
std::string report_csv_row(const Report& report);

/// The largest of the devices' peaks, in microbatches or bytes.
Ratio highest_peak(const Report& report);

/// What crosses between devices in the whole run: bytes, where messages or activations have any;
/// else whole microbatches' messages, copies of parked activations among them.
Ratio sent(const Report& report);
/// Whether sent() counts bytes.
bool sends_bytes(const Report& report);

/// By row: whether no other that keeps the limit is as fast and as small and better in one of the
/// two (T_total and highest_peak()). False for a row that does not count.
std::vector<bool> pareto_front(const std::vector<ComparedSchedule>& compared);

/// Sorts by T_total, then by highest_peak(); those over the limit after the rest, those without a
/// report last.
void sort_by_time(std::vector<ComparedSchedule>& compared);

/// The comparison as a table in which `*` marks the best value of each column among the runs that
/// keep the memory limit, as one JSON document, and as CSV with a `status` column.
std::string comparison_table(const std::vector<ComparedSchedule>& compared);
std::string comparison_json(const std::vector<ComparedSchedule>& compared);
std::string comparison_csv_header();
std::string comparison_csv_rows(const std::vector<ComparedSchedule>& compared);

}  // namespace pipesim
