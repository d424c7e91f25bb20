#include "tests/config_fuzz/check_config.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

#include "sim/io/explanation.hpp"
#include "sim/io/sweep.hpp"
#include "sim/sensitivity.hpp"
#include "tests/config_fuzz/config_classes.hpp"
#include "tests/config_fuzz/longer_runs.hpp"
#include "tests/config_fuzz/written_inputs.hpp"
#include "tests/run_invariants.hpp"
#include "tools/files.hpp"
#include "tools/prepared_run.hpp"
#include "tools/sweep_points.hpp"

namespace pipesim::test {

namespace {

const Registry& registry() {
  static const Registry kRegistry = builtin_schedules();
  return kRegistry;
}

Prepared prepared_of(const DrawnConfig& config) {
  return prepare({}, read_written(config).config, registry(), Wanted::timeline);
}

Ticks total_of(const DrawnConfig& config) {
  return measure(prepared_of(config), {.steady_state = false}).metrics.t_total;
}

/// "/m: m % p = 3 % 2 = 1" as "/m: m % p = # % # = #"; of several lines the first.
std::string without_numbers(const Fault& fault) {
  std::string text;
  for (const char c : fault.pointer + ": " + fault.what) {
    if (c == '\n') break;
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit) {
      text += c;
    } else if (!text.ends_with('#')) {
      text += '#';
    }
  }
  return text;
}

void check_message(const Error& error) {
  CHECK_FALSE(error.faults().empty());
  CHECK_FALSE(std::string_view(error.what()).empty());
  for (const Fault& fault : error.faults()) CHECK_FALSE(fault.what.empty());
}

/// One config as it ran.
class RanConfig {
 public:
  /// Throws Error as the program does.
  RanConfig(const DrawnConfig& drawn, std::string directory)
      : drawn_(drawn),
        directory_(std::move(directory)),
        loaded_(read_written(drawn).config),
        prepared_(prepare({}, loaded_, registry(), Wanted::timeline)),
        finished_(simulate(prepared_, {.formula = true})) {}

  CheckedConfig check() {
    has_room_ = has_room(prepared_.problem, metrics().t_total);
    check_invariants(finished_.graph, prepared_.program, finished_.timeline, metrics());
    check_peaks();
    check_streamed();
    check_longer();
    check_one_more();
    check_resolved();
    check_origin();
    check_texts();
    check_outputs();
    check_sweep();
    CheckedConfig result;
    result.properties = std::move(properties_);
    return result;
  }

 private:
  const Metrics& metrics() const { return finished_.report.metrics; }

  void check_peaks() {
    for (std::size_t device = 0; device < metrics().devices.size(); ++device) {
      CHECK(metrics().devices[device].peak_activations <=
            peak(*prepared_.schedule, prepared_.problem, prepared_.config.parameters,
                 Device{device}));
    }
  }

  Report without_critical_path() const {
    Report report = finished_.report;
    report.critical_path.reset();
    return report;
  }

  void check_streamed() {
    std::optional<Report> streamed = stream(prepared_, {.formula = true, .steady_state = false});
    if (!streamed) return;
    CHECK_FALSE(finished_.report.over_limit.has_value());
    streamed->steady_state = finished_.report.steady_state;
    streamed->measured_slope = finished_.report.measured_slope;
    CHECK(report_json(*streamed) == report_json(without_critical_path()));
    properties_.emplace_back("streamed");
  }

  /// With times `factor` times as long, unless one that the run does not take leaves the range: of
  /// a copy that no device makes.
  std::optional<Prepared> prepared_if_it_fits(std::int64_t factor) const {
    try {
      return prepared_of(with_longer_times(drawn_, factor));
    } catch (const Error& error) {
      if (std::string_view(error.what()).find("does not fit in 64 bits") ==
          std::string_view::npos) {
        throw;
      }
      return std::nullopt;
    }
  }

  void check_longer() {
    if (!has_room_) return;
    const bool has_bandwidth = drawn_.document.dump().find("\"bandwidth\"") != std::string::npos;
    const std::int64_t factor = has_bandwidth ? 2 : 2 + loaded_.m % 6;
    if (drawn_.is_even) {
      const std::optional<Prepared> scaled = prepared_if_it_fits(factor);
      if (!scaled) return;
      const Prepared& longer = *scaled;
      check_longer_problem(prepared_.problem, longer.problem, factor);
      check_longer_run({prepared_, finished_}, longer, factor);
      properties_.emplace_back("longer times");
      return;
    }
    if (!is_scalable(prepared_.problem)) return;
    Prepared longer = prepared_;
    longer.problem = longer_problem(prepared_.problem, factor);
    longer.program = order(*longer.schedule, longer.problem, longer.config.parameters);
    check_longer_run({prepared_, finished_}, longer, factor);
    properties_.emplace_back("longer ticks");
  }

  void check_one_more() {
    const std::vector<std::string> monotone = {"gpipe", "1f1b", "eager_1f1b"};
    const Problem& problem = prepared_.problem;
    const Communication& communication = problem.communication;
    const bool take_turns = communication.mode == TransferMode::single_stream ||
                            communication.mode == TransferMode::rendezvous ||
                            communication.shared_link.has_value();
    // Of joined steps one more each is not one more at the end.
    const bool shifts_costs = problem.iterations.joined > 1 && !problem.durations.empty();
    if (std::find(monotone.begin(), monotone.end(), loaded_.schedule) == monotone.end() ||
        take_turns || shifts_costs || !has_room_ || !problem.stragglers.empty()) {
      return;
    }
    DrawnConfig more = drawn_;
    more.document["m"] = loaded_.m + 1;
    if (!loaded_.variation.microbatch_scale.empty()) {
      more.document["variation"]["microbatch_scale"].push_back(1);
    }
    CHECK(total_of(more) >= metrics().t_total);
    properties_.emplace_back("one more microbatch");
  }

  void check_resolved() {
    const std::string resolved = resolved_json(finished_.report.config);
    const DrawnConfig again = {.document = Json::parse(resolved), .files = drawn_.files};
    const Prepared prepared = prepared_of(again);
    CHECK(resolved_json(prepared.config) == resolved);
    CHECK(measure(prepared, {.steady_state = false}).metrics.t_total == metrics().t_total);
  }

  void check_origin() {
    if (!drawn_.origin) return;
    CHECK(total_of(*drawn_.origin) == metrics().t_total);
    properties_.emplace_back("custom order");
  }

  /// Whatever can be said of a run is said.
  void check_texts() {
    const Report& report = finished_.report;
    CHECK(Json::accept(report_json(report)));
    CHECK_FALSE(report_table(report).empty());
    CHECK_FALSE(report_csv_row(report).empty());
    Explanation explanation{.report = report,
                            .idle = idle_parts(finished_.graph, finished_.timeline),
                            .sensitivity = {}};
    if (why_no_sensitivity(prepared_.problem).empty()) {
      explanation.sensitivity =
          stage_sensitivities(finished_.graph, finished_.timeline,
                              loaded_.t_r ? RecomputeTime::its_own : RecomputeTime::as_forward);
    }
    CHECK(Json::accept(explanation_json(explanation, finished_.graph)));
    CHECK_FALSE(explanation_table(explanation, finished_.graph).empty());
  }

  std::string formatted() const {
    const OutputConfig& output = loaded_.output;
    const Report report = output.metrics_only || output.format == OutputFormat::csv
                              ? without_critical_path()
                              : finished_.report;
    switch (output.format) {
      case OutputFormat::json:
        return report_json(report);
      case OutputFormat::csv:
        return report_csv_header() + report_csv_row(report);
      case OutputFormat::table:
        break;
    }
    return report_table(report);
  }

  /// Runs the command.
  void check_outputs() {
    if (!drawn_.document.contains("output")) return;
    std::filesystem::remove_all(directory_ + "/ranks");
    Request request;
    request.config_file = directory_ + "/config.json";
    request.quiet = true;
    request.formula = loaded_.output.format != OutputFormat::csv;
    std::ofstream(*request.config_file) << drawn_.document.dump();
    const std::string result =
        loaded_.output.file.empty() ? directory_ + "/result" : loaded_.output.file;
    request.overrides = {
        {.option = "--output", .path = "output.file", .value = result, .kind = OverrideKind::text}};
    write_inputs(drawn_);
    if (finished_.report.over_limit) {
      CHECK_THROWS_AS(run(request, registry()), Error);
      return;
    }
    CHECK(run(request, registry()) == 0);
    CHECK(read_file(result).text == formatted());
    properties_.emplace_back("output");
  }

  void check_sweep() {
    if (!drawn_.document.contains("sweep")) return;
    const Json& section = drawn_.document.at("sweep");
    if (!section.contains("vary") && !section.contains("zip")) return;
    if (section.value("vary", Json::object()).empty() && !section.contains("zip")) return;
    const Sweep sweep(ConfigText{.name = "drawn.json", .text = drawn_.document.dump()}, {}, {});
    for (const std::int64_t point : {std::int64_t{0}, sweep.size() - 1}) {
      if (sweep.has(sweep.values(point))) check_point(sweep, point);
    }
    properties_.emplace_back("sweep");
  }

  /// A point of the sweep is the config with its values.
  void check_point(const Sweep& sweep, std::int64_t point) {
    const PointResult result =
        run_one_point(sweep, registry(), point, std::numeric_limits<std::int64_t>::max());
    std::vector<Override> overrides;
    overrides.reserve(result.values.size());
    for (const SweepValue& value : result.values) {
      overrides.push_back({.option = "--set", .path = value.axis->path, .value = value.text});
    }
    std::optional<Ticks> total;
    try {
      const std::vector<ScheduleSignature> known = signatures(registry());
      const RunConfig config =
          read_config(ConfigText{.name = "drawn.json", .text = drawn_.document.dump()}, overrides,
                      known)
              .config;
      total = measure(prepare({}, config, registry(), Wanted::metrics), {}).metrics.t_total;
    } catch (const Error& error) {
      check_message(error);
    }
    CHECK(result.report.has_value() == total.has_value());
    if (result.report && total) CHECK(result.report->metrics.t_total == *total);
  }

  const DrawnConfig& drawn_;
  std::string directory_;
  RunConfig loaded_;
  Prepared prepared_;
  Finished finished_;
  bool has_room_ = true;  // for longer times
  std::vector<std::string> properties_;
};

}  // namespace

CheckedConfig check_config(const DrawnConfig& config, const std::string& directory) {
  std::optional<RanConfig> ran;
  const std::clock_t begin = std::clock();
  try {
    ran.emplace(config, directory);
  } catch (const Error& error) {
    check_message(error);
    return {.outcome = error.kind() == ErrorKind::bad_input ? CheckedConfig::Outcome::refused
                                                            : CheckedConfig::Outcome::deadlocked,
            .reason = without_numbers(error.faults().front())};
  }
  const std::clock_t end = std::clock();
  CheckedConfig checked = ran->check();
  checked.seconds = static_cast<double>(end - begin) / CLOCKS_PER_SEC;
  return checked;
}

}  // namespace pipesim::test
