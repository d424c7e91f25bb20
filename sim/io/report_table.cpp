#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "sim/io/report.hpp"
#include "sim/io/report_facts.hpp"
#include "sim/io/report_model.hpp"
#include "sim/io/text_table.hpp"

namespace pipesim {

namespace {

constexpr int kDigits = 6;  // significant digits of a ratio that a person reads

std::string time_of(const RunConfig& config, Ticks ticks) {
  return fmt::format("{} {}", format_time(ticks, config.time_unit), name(config.time_unit));
}

std::string mean_time_of(const RunConfig& config, const Ratio& ticks) {
  return fmt::format("{} {}", format_mean_time(ticks, config.time_unit), name(config.time_unit));
}

std::string times_of(const RunConfig& config, const TimeSpec& times) {
  constexpr std::size_t kShown = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(times.values.size(), kShown); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", format_time(times.values[i], config.time_unit));
  }
  if (times.values.size() > kShown) text += ", ...";
  if (times.is_list) text = "[" + text + "]";
  return fmt::format("{} {}", text, name(config.time_unit));
}

/// Whether a config says more than a heading shows.
bool has_more(const RunConfig& config) {
  RunConfig shown = config;
  shown.t_fb.reset();
  shown.t_r.reset();
  shown.first = {};
  shown.last = {};
  shown.p2p = {};
  shown.memory = {};
  shown.recompute = {};
  shown.iterations = {};
  shown.variation = {};
  return shown != config;
}

std::string heading(const Report& report) {
  const RunConfig& config = report.config;
  std::string text =
      fmt::format("{}{}  {}\n", config.schedule, parameters_of(config), report.schedule_summary);
  text += fmt::format("p={}  m={}{}\n", config.p, config.m, costs_of(report));
  if (has_more(config)) text += fmt::format("config: {}\n", resolved_json(config));
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  return text;
}

/// Facts, one to a line.
std::string text_of(const std::vector<Fact>& facts) {
  std::size_t name_width = 0;
  std::size_t value_width = 0;
  for (const Fact& fact : facts) {
    name_width = std::max(name_width, fact.name.size());
    value_width = std::max(value_width, fact.value.size());
  }
  std::string text;
  for (const auto& [name, value, meaning] : facts) {
    text += fmt::format("  {:<{}}  {:<{}}  {}\n", name, name_width, value, value_width, meaning);
  }
  return text;
}

void add_steady_state(std::vector<Fact>& facts, const Report& report) {
  const SteadyState& steady = report.steady_state;
  if (steady.ticks_per_microbatch) {
    facts.push_back({"steady state", mean_time_of(report.config, *steady.ticks_per_microbatch),
                     "for each microbatch more, set by " + steady.text});
  } else if (report.measured_slope) {
    facts.push_back({"measured slope", mean_time_of(report.config, *report.measured_slope),
                     "(T(2m) - T(m)) / m; no steady state: " + steady.text});
  }
}

std::string per_microbatch_label(const RunConfig& config) {
  return config.iterations.count == 1
             ? "T_total / m"
             : fmt::format("T_total / (m * {} steps)", config.iterations.count);
}

std::string devices(const Report& report) {
  constexpr std::size_t kShown = 32;
  const RunConfig& config = report.config;
  const std::vector<DeviceMetrics>& devices = report.metrics.devices;
  TextTable table;
  std::vector<std::string> header = {"device",          "busy",   "idle",     "utilisation",
                                     "idle in warm-up", "steady", "cooldown", "peak activations"};
  if (report.memory.in_bytes) header.emplace_back("peak memory");
  const bool keeps_versions = !report.problem.weight_versions.empty();
  if (keeps_versions) header.emplace_back("weight versions");
  table.add(std::move(header));
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices.size() > kShown && i == kShown / 2) {
      i = devices.size() - kShown / 2;
      table.add({"..."});
    }
    const DeviceMetrics& device = devices[i];
    const auto time = [&](Ticks ticks) { return format_time(ticks, config.time_unit); };
    const Ratio percent{device.utilisation.numerator * 100, device.utilisation.denominator};
    std::vector<std::string> row = {
        std::to_string(i),          time(device.busy),
        time(device.idle),          format_ratio(percent, 4) + " %",
        time(device.idle_warm_up),  time(device.idle_steady),
        time(device.idle_cooldown), std::to_string(device.peak_activations)};
    if (report.memory.in_bytes) row.push_back(format_amount(report.memory, report.peak_memory[i]));
    if (keeps_versions) row.push_back(std::to_string(weight_versions(report.problem, Device{i})));
    table.add(std::move(row));
  }
  std::string text = table.text(2);
  if (devices.size() > kShown) {
    text += fmt::format("  {} of {} devices; --format json has all\n", kShown, devices.size());
  }
  return text;
}

std::string ops_of(const CriticalRun& run) {
  if (run.ops == 1) return short_name(run.first);
  if (run.ops == 2) return fmt::format("{} {}", short_name(run.first), short_name(run.last));
  return fmt::format("{} .. {} ({} ops)", short_name(run.first), short_name(run.last), run.ops);
}

std::string critical_path_text(const Report& report) {
  constexpr std::size_t kShown = 16;
  const RunConfig& config = report.config;
  if (!report.critical_path) return "critical path: not looked for (metrics only)\n";
  const CriticalPath& path = *report.critical_path;
  std::string text = fmt::format("critical path: forward {}, backward {}, waiting {}\n",
                                 time_of(config, path.forward), time_of(config, path.backward),
                                 time_of(config, path.waiting));
  for (std::size_t i = 0; i < path.runs.size(); ++i) {
    if (path.runs.size() > kShown && i == kShown / 2) {
      const std::size_t left_out = path.runs.size() - kShown;
      text += fmt::format("  ... {} more ...\n", left_out);
      i += left_out;
    }
    const CriticalRun& run = path.runs[i];
    text += fmt::format("  device {}: {}\n", run.device.value, ops_of(run));
  }
  return text;
}

std::string peak_text(const Report& report) {
  const Ratio peak = highest_peak(report);
  return report.memory.in_bytes ? format_bytes(static_cast<std::int64_t>(peak.numerator))
                                : format_ratio(peak, kDigits);
}

std::string sent_text(const Report& report) {
  const Ratio amount = sent(report);
  constexpr Int128 kMost = std::numeric_limits<std::int64_t>::max();
  if (!sends_bytes(report) || amount.numerator > kMost) return format_ratio(amount, kDigits);
  return format_bytes(static_cast<std::int64_t>(amount.numerator));
}

/// What the columns of a comparison count.
std::string units_of(const Report& report) {
  return fmt::format("peak memory in {}, sent in {} between devices",
                     report.memory.in_bytes ? "bytes" : "microbatches",
                     sends_bytes(report) ? "bytes" : "messages of a microbatch");
}

/// A column of a comparison: how a value reads, and its rank (lower is better).
struct Column {
  std::string name;
  std::function<std::string(const Report&)> text;
  std::function<Ratio(const Report&)> rank;
};

std::vector<Column> comparison_columns() {
  const auto ratio = [](std::string name, Ratio Metrics::*field) {
    return Column{
        std::move(name),
        [field](const Report& report) { return format_ratio(report.metrics.*field, kDigits); },
        [field](const Report& report) { return report.metrics.*field; }};
  };
  return {
      {"T_total",
       [](const Report& report) { return time_of(report.config, report.metrics.t_total); },
       [](const Report& report) {
         return Ratio{report.metrics.t_total.count, 1};
       }},
      ratio("bubble ratio", &Metrics::bubble_ratio),
      ratio("bubble fraction", &Metrics::bubble_fraction),
      ratio("span bubble rate", &Metrics::span_bubble_rate),
      ratio("gap", &Metrics::gap),
      {"peak memory", peak_text, highest_peak},
      {"sent", sent_text, sent},
  };
}

}  // namespace

std::string parameters_of(const RunConfig& config) {
  std::string text;
  for (const auto& [name, value] : config.parameters) {
    text +=
        fmt::format("  {}={}", name,
                    std::visit([](const auto& shown) { return fmt::format("{}", shown); }, value));
  }
  return text;
}

std::string costs_of(const Report& report) {
  const RunConfig& config = report.config;
  std::string text;
  if (report.model) {
    text += fmt::format("  {}", model_heading(config, *report.model));
  } else if (config.costs.file.empty()) {
    text +=
        fmt::format("  t_f={}  t_b={}", times_of(config, config.t_f), times_of(config, config.t_b));
  } else {
    text += fmt::format("  costs={}", config.costs.file);
  }
  if (config.t_w) text += fmt::format("  t_w={}", times_of(config, *config.t_w));
  if (config.memory_limit) text += fmt::format("  memory.limit={}", *config.memory_limit);
  return text;
}

std::string trials_text(const Report& report) {
  if (!report.trials) return "";
  const RunConfig& config = report.config;
  const TrialSummary& trials = *report.trials;
  const std::int64_t count = config.variation.trials;
  return fmt::format("{} {} with jitter, seed {}: mean {}, median {}, p5 {}, p95 {}, p99 {}", count,
                     count == 1 ? "trial" : "trials", config.variation.seed,
                     mean_time_of(config, trials.mean), time_of(config, trials.median),
                     time_of(config, trials.p5), time_of(config, trials.p95),
                     time_of(config, trials.p99));
}

std::vector<Fact> report_facts(const Report& report) {
  const RunConfig& config = report.config;
  const Metrics& metrics = report.metrics;
  std::vector<Fact> facts;
  facts.push_back(
      {"T_total", time_of(config, metrics.t_total), "from 0 to the end of the last op"});
  facts.push_back({"T_ideal", time_of(config, metrics.t_ideal),
                   fmt::format("the busiest device's work; mean of the devices {}",
                               mean_time_of(config, metrics.t_ideal_mean))});
  facts.push_back(
      {"bubble ratio", format_ratio(metrics.bubble_ratio, kDigits), "T_total / T_ideal"});
  facts.push_back({"bubble overhead", format_ratio(metrics.bubble_overhead, kDigits),
                   "(T_total - T_ideal) / T_ideal"});
  facts.push_back({"bubble fraction", format_ratio(metrics.bubble_fraction, kDigits),
                   "idle device time / (p * T_total)"});
  facts.push_back({"span bubble rate", format_ratio(metrics.span_bubble_rate, kDigits),
                   "(longest span of a device - T_ideal) / longest span"});
  facts.push_back({"time per microbatch", mean_time_of(config, metrics.time_per_microbatch),
                   per_microbatch_label(config)});
  if (const int copies = report.problem.placement.flows(); copies > 1) {
    facts.push_back(
        {"copies", std::to_string(copies), "of every stage's parameters, one a direction"});
  }
  if (config.iterations.count > 1 || report.model) {
    facts.push_back({"iteration time",
                     metrics.iteration_time ? time_of(config, *metrics.iteration_time) : "none",
                     config.iterations.count > 1
                         ? "from the end of the step before the last to the end of the last"
                         : "of the one step"});
  }
  if (report.model) {
    for (Fact& fact : model_facts(*report.model)) facts.push_back(std::move(fact));
  }
  add_steady_state(facts, report);
  facts.push_back(
      {"lower bound", time_of(config, metrics.lower_bound),
       fmt::format("no order of these ops is faster; gap {}", format_ratio(metrics.gap, kDigits))});
  if (report.closed_form) {
    const ClosedForm& form = *report.closed_form;
    facts.push_back({"closed form",
                     form.t_total ? time_of(config, *form.t_total) : "does not apply",
                     fmt::format("{}, for {}", form.formula, form.condition)});
  }
  return facts;
}

std::string idle_text(const Report& report) {
  IdleTimes sum{};
  for (const IdleTimes& times : report.idle) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += times[i];
  }
  std::string text;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    if (sum[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(static_cast<IdleCause>(i)),
                        mean_time_of(report.config, {sum[i], 1}));
  }
  return text.empty() ? "none" : text;
}

std::string report_table(const Report& report) {
  const std::string stages = report.model ? model_stages(report, *report.model) + "\n" : "";
  return heading(report) + "\n" + text_of(report_facts(report)) + "\n" + stages + devices(report) +
         "\n" + fmt::format("idle over all devices: {}\n", idle_text(report)) +
         critical_path_text(report) +
         (report.trials ? fmt::format("\n{}\n", trials_text(report)) : "");
}

ComparisonCells comparison_cells(const std::vector<ComparedSchedule>& compared) {
  const std::vector<Column> columns = comparison_columns();
  ComparisonCells cells;
  for (const Column& column : columns) cells.columns.push_back(column.name);
  const auto counts = [](const ComparedSchedule& row) {
    return row.report && !row.report->over_limit;
  };
  for (const ComparedSchedule& row : compared) {
    std::vector<ComparisonCells::Cell>& line = cells.rows.emplace_back();
    if (!row.report) continue;
    cells.units = units_of(*row.report);
    for (const Column& column : columns) {
      const Ratio rank = column.rank(*row.report);
      const bool is_best =
          counts(row) && std::none_of(compared.begin(), compared.end(), [&](const auto& other) {
            return counts(other) && column.rank(*other.report) < rank;
          });
      line.push_back({column.text(*row.report), is_best});
    }
  }
  return cells;
}

std::string status(const ComparedSchedule& compared) {
  if (!compared.report) return "invalid";
  return compared.report->over_limit ? "over_limit" : "ok";
}

std::vector<std::string> notes(const ComparedSchedule& compared) {
  if (!compared.report) return {compared.reason};
  std::vector<std::string> result = compared.report->notes;
  if (const auto& excess = compared.report->over_limit) {
    result.push_back(
        sentence(*excess, compared.report->problem, compared.report->config.time_unit));
  }
  return result;
}

std::string comparison_table(const std::vector<ComparedSchedule>& compared) {
  const ComparisonCells cells = comparison_cells(compared);
  const std::vector<bool> front = pareto_front(compared);
  TextTable table;
  std::vector<std::string> header = {"schedule"};
  for (const std::string& column : cells.columns) header.push_back(column + "  ");
  header.emplace_back("Pareto");
  header.emplace_back("status");
  table.add(std::move(header));
  std::string footnotes;
  for (std::size_t i = 0; i < compared.size(); ++i) {
    const ComparedSchedule& row = compared[i];
    std::vector<std::string> line = {row.schedule +
                                     (row.report ? parameters_of(row.report->config) : "")};
    for (const auto& [text, is_best] : cells.rows[i])
      line.push_back(text + (is_best ? " *" : "  "));
    line.resize(1 + cells.columns.size(), "-  ");
    line.emplace_back(front[i] ? "yes" : "");
    line.push_back(status(row));
    for (const std::string& note : notes(row)) {
      footnotes += fmt::format("{}: {}\n", row.schedule, note);
    }
    table.add(std::move(line));
  }
  return table.text(0) +
         fmt::format("* best of its column; Pareto: none is both as fast and as small; {}\n",
                     cells.units) +
         footnotes;
}

}  // namespace pipesim
