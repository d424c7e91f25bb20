// pipesim import: measured times -> a config.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "sim/error.hpp"
#include "sim/io/config_costs.hpp"
#include "sim/io/json_text.hpp"
#include "sim/io/kineto.hpp"
#include "sim/io/measured_times.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"
#include "tools/prepared_run.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

constexpr std::array<std::string_view, 5> kTaken = {"p", "m", "schedule", "time_unit",
                                                    "output.file"};

[[noreturn]] void fail(std::string place, std::string what, std::string allowed,
                       std::string value = "") {
  throw Error(Fault{.place = std::move(place),
                    .value = std::move(value),
                    .what = std::move(what),
                    .allowed = std::move(allowed)});
}

/// An import has no config to override: of the options of a run only these mean anything.
void require_import_options(const Request& request) {
  constexpr std::string_view kAllowed =
      "-p, -m, --schedule, --set schedule.NAME=VALUE, --set time_unit=UNIT, --output and the "
      "options "
      "of pipesim import --help";
  if (request.config_file || request.no_header || request.formula) {
    fail("command line: import", "an import has neither config nor header nor formula",
         std::string(kAllowed));
  }
  for (const Override& given : request.overrides) {
    const bool is_parameter = given.path.starts_with("schedule.");
    if (is_parameter || std::find(kTaken.begin(), kTaken.end(), given.path) != kTaken.end()) {
      continue;
    }
    fail("command line: " + given.option, "not an option of an import", std::string(kAllowed),
         given.value);
  }
  const MeasuredSource& source = request.measured;
  if (source.kineto.empty() && source.csv.empty()) {
    fail("command line: import", "nothing to import", "--kineto FILE or --csv FILE");
  }
  if (!source.csv.empty() && !(source.ranges.empty() && source.category.empty())) {
    fail("command line: import", "a table has no ranges", "--kineto FILE for ranges");
  }
}

bool is_given(const Request& request, std::string_view path) {
  return std::any_of(request.overrides.begin(), request.overrides.end(),
                     [&](const Override& given) { return given.path == path; });
}

std::vector<OpRanges> ranges_of(const MeasuredSource& source) {
  std::vector<OpRanges> ranges = default_ranges();
  for (OpRanges& range : ranges) {
    std::vector<RangePattern> given;
    for (const auto& [kind, text] : source.ranges) {
      if (kind == range.kind) given.emplace_back(text, "command line: import");
    }
    if (!given.empty()) range.patterns = std::move(given);
  }
  return ranges;
}

std::optional<RangeCategory> category_of(const MeasuredSource& source) {
  if (source.category.empty()) return std::nullopt;
  const auto category = range_category(source.category);
  if (!category) {
    fail("command line: --category", fmt::format("unknown category \"{}\"", source.category),
         "gpu_user_annotation, user_annotation or cpu_op", source.category);
  }
  return category;
}

struct Measured {
  MeasuredTimes times;
  std::string place;
};

Measured measure(const MeasuredSource& source, TimeUnit unit) {
  if (source.kineto.empty()) {
    const ConfigText table = read_file(source.csv);
    const std::vector<CostRow> rows = parse_measured_times(table.name, table.text, unit);
    return {.times = measured_times(rows, table.name), .place = table.name};
  }
  std::vector<ConfigText> traces;
  traces.reserve(source.kineto.size());
  for (const std::string& file : source.kineto) traces.push_back(read_file(file));
  const KinetoTimes found = read_kineto(traces, ranges_of(source), category_of(source));
  const std::string place =
      traces.size() == 1 ? traces.front().name : fmt::format("{} traces", traces.size());
  Measured result = {.times = measured_times(found.rows, place), .place = place};
  result.times.notes.push_back(
      fmt::format("{} ranges of the category {}", found.rows.size(), name(found.category)));
  return result;
}

std::int64_t stages_on(const Registry& registry, const RunConfig& config, std::int64_t p) {
  const Schedule& schedule = *find_schedule(registry, config.schedule);
  return place(schedule, static_cast<int>(p), config.parameters).stages();
}

/// The devices on which the schedule has as many stages as are measured.
std::int64_t devices_for(const Registry& registry, const RunConfig& given, std::int64_t stages,
                         bool is_p_given) {
  if (is_p_given) {
    const std::int64_t has = stages_on(registry, given, given.p);
    if (has == stages) return given.p;
    fail("command line: -p",
         fmt::format("{} measured stages, but {} on {} devices has {}", stages, given.schedule,
                     given.p, has),
         "as many as are measured");
  }
  for (std::int64_t p = stages; p > 0; --p) {
    if (stages % p == 0 && stages_on(registry, given, p) == stages) return p;
  }
  fail("command line: --schedule",
       fmt::format("{} measured stages, but {} has {} on a device", stages, given.schedule,
                   stages_on(registry, given, 1)),
       "a schedule of which as many stages are measured on every device");
}

}  // namespace

int import_times(const Request& request, const Registry& registry) {
  require_import_options(request);
  const std::vector<ScheduleSignature> known = signatures(registry);
  // What the options say of a config; p and m count only where they are given.
  const ConfigText options = {
      .name = "import",
      .text = fmt::format(R"({{"p": 1, "m": 1, "t_f": 1, "t_b": 1, "schedule": "1f1b",)"
                          R"( "time_unit": "{}"}})",
                          request.measured.kineto.empty() ? "ms" : "us")};
  const LoadedConfig loaded = read_config(options, request.overrides, known);
  const RunConfig& given = loaded.config;
  return with_places(loaded.places, [&] {
    require_different_files(request, given);
    OutputFile result = result_file(given.output);
    Phase phase(request.progress, "reading the measured times");
    const auto [times, place] = measure(request.measured, given.time_unit);
    phase.finish();
    if (!times.microbatches && !is_given(request, "m")) {
      fail(place, "no measurement has the number of a microbatch",
           "-m with their number in a step");
    }
    const auto stages = static_cast<std::int64_t>(times.t_f.size());
    const std::int64_t p = devices_for(registry, given, stages, is_given(request, "p"));
    const std::int64_t m = is_given(request, "m") ? given.m : times.microbatches.value_or(given.m);
    const std::string schedule =
        given.parameters.empty() ? json_string(given.schedule) : schedule_json(given);
    const std::string config = config_json(times, p, m, schedule, given.time_unit);
    read_config(ConfigText{.name = "the config of " + place, .text = config}, {}, known);
    result.write(config);
    result.commit();
    print_notes(request, times.notes);
    return 0;
  });
}

}  // namespace pipesim
