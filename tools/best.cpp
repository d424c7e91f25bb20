// pipesim best: the points of a grid that are best, and those that no other beats in everything.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/io/json_text.hpp"
#include "sim/io/quantities.hpp"
#include "sim/io/result_fields.hpp"
#include "sim/io/sweep_record.hpp"
#include "sim/io/text_table.hpp"
#include "sim/version.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"
#include "tools/option_fault.hpp"
#include "tools/picture_options.hpp"
#include "tools/prepared_run.hpp"
#include "tools/standard_error.hpp"
#include "tools/sweep_points.hpp"

namespace pipesim {

namespace {

/// What a number of a result counts.
enum class Counted { time, memory, sent, number };

/// A number of a result; nothing where the result does not have it.
struct Field {
  std::string_view name;
  Counted counted;
  std::optional<Ratio> (*of)(const Report& report);
};

Ratio per_microbatch(const Ratio& amount, const Report& report) {
  const Int128 microbatches = Int128{report.config.m} * report.config.iterations.count;
  return product(amount, {1, microbatches});
}

Ratio ticks(Ticks time) { return {time.count, 1}; }

std::optional<Ratio> of_trials(const Report& report, Ticks TrialSummary::*value) {
  if (!report.trials) return std::nullopt;
  return ticks((*report.trials).*value);
}

std::optional<Ratio> of_model(const Report& report, Ratio ModelReport::*value) {
  if (!report.model) return std::nullopt;
  return (*report.model).*value;
}

using Of = const Report&;
constexpr std::array kFields = std::to_array<Field>({
    {"time_per_microbatch", Counted::time,
     [](Of report) { return std::optional(report.metrics.time_per_microbatch); }},
    {"t_total", Counted::time,
     [](Of report) { return std::optional(ticks(report.metrics.t_total)); }},
    {"bubble_ratio", Counted::number,
     [](Of report) { return std::optional(report.metrics.bubble_ratio); }},
    {"bubble_overhead", Counted::number,
     [](Of report) { return std::optional(report.metrics.bubble_overhead); }},
    {"bubble_fraction", Counted::number,
     [](Of report) { return std::optional(report.metrics.bubble_fraction); }},
    {"span_bubble_rate", Counted::number,
     [](Of report) { return std::optional(report.metrics.span_bubble_rate); }},
    {"gap", Counted::number, [](Of report) { return std::optional(report.metrics.gap); }},
    {"peak_activations", Counted::number,
     [](Of report) {
       return std::optional(Ratio{report.metrics.peak_activations(), 1});
     }},
    {"peak_memory", Counted::memory, [](Of report) { return std::optional(highest_peak(report)); }},
    {"sent", Counted::sent, [](Of report) { return std::optional(sent(report)); }},
    {"sent_per_microbatch", Counted::sent,
     [](Of report) { return std::optional(per_microbatch(sent(report), report)); }},
    {"tokens_per_second", Counted::number,
     [](Of report) { return of_model(report, &ModelReport::tokens_per_second); }},
    {"model_flops_utilisation", Counted::number,
     [](Of report) { return of_model(report, &ModelReport::model_utilisation); }},
    {"hardware_flops_utilisation", Counted::number,
     [](Of report) { return of_model(report, &ModelReport::hardware_utilisation); }},
    {"trials_median", Counted::time,
     [](Of report) { return of_trials(report, &TrialSummary::median); }},
    {"trials_p95", Counted::time, [](Of report) { return of_trials(report, &TrialSummary::p95); }},
    {"trials_p99", Counted::time, [](Of report) { return of_trials(report, &TrialSummary::p99); }},
});

// The three of the Pareto front.
constexpr std::array<std::string_view, 3> kFront = {"time_per_microbatch", "peak_memory",
                                                    "sent_per_microbatch"};

/// A field that the points of the sweep have.
void require_field(const Sweep& sweep, const Field& field, std::string_view option) {
  const bool of_trials = field.name.starts_with("trials");
  const bool of_model = better(field.name) == Better::higher;
  const std::string_view section = of_trials ? "variation" : "model";
  if ((!of_trials && !of_model) || sweep.may_have(section)) return;
  fail_option(option, fmt::format("no point has {}", field.name),
              fmt::format("with the config's section {}", section), field.name);
}

const Field& field_of(std::string_view name, std::string_view option) {
  const auto* const found = std::find_if(kFields.begin(), kFields.end(),
                                         [&](const Field& field) { return field.name == name; });
  if (found != kFields.end()) return *found;
  std::vector<std::string> known;
  known.reserve(kFields.size());
  for (const Field& field : kFields) known.emplace_back(field.name);
  fail_option(option, fmt::format("unknown field \"{}\"", name),
              fmt::format("known fields: {}", fmt::join(known, ", ")), name,
              nearest_name(name, known));
}

bool is_higher_better(const Field& field) { return better(field.name) == Better::higher; }

/// The most, or of a field that is better higher the least, that a point may have.
struct Limit {
  const Field* field = nullptr;
  std::string option;
  std::string text;

  /// In the field's own count. Throws Error (bad input) if it means nothing there.
  Ratio value(const Report& report) const {
    const auto wrong = [this](std::string_view allowed) {
      fail_option(option, fmt::format("\"{}\" is no limit of {}", text, field->name),
                  std::string(allowed), text);
    };
    if (field->counted == Counted::time) {
      const TimeUnit unit = report.config.time_unit;
      const ParsedTime plain = parse_time(text, unit);
      const ParsedTime time = plain.ticks ? plain : parse_time_with_unit(text);
      if (!time.ticks) wrong("a time such as 4 or 4ms");
      return ticks(*time.ticks);
    }
    const bool counts_bytes = (field->counted == Counted::memory && report.memory.in_bytes) ||
                              (field->counted == Counted::sent && sends_bytes(report));
    if (counts_bytes) {
      if (const auto bytes = parse_bytes(text); bytes.value) return {*bytes.value, 1};
    }
    const ConditionValue value = condition_value(text);
    if (!std::holds_alternative<Ratio>(value)) {
      wrong(counts_bytes                        ? "bytes such as 1024 or 80GiB"
            : field->counted == Counted::memory ? "a number of microbatches: this run has no bytes"
                                                : "a number");
    }
    return std::get<Ratio>(value);
  }

  /// Throws Error (bad input) if it means nothing in any run.
  void require_meaning() const {
    const bool is_number = std::holds_alternative<Ratio>(condition_value(text));
    const bool is_time = parse_time_with_unit(text).ticks.has_value();
    const bool is_bytes = parse_bytes(text).value.has_value();
    if (is_number || (field->counted == Counted::time && is_time)) return;
    if ((field->counted == Counted::memory || field->counted == Counted::sent) && is_bytes) return;
    fail_option(option, fmt::format("\"{}\" is no limit of {}", text, field->name),
                field->counted == Counted::time     ? "a time such as 4 or 4ms"
                : field->counted == Counted::number ? "a number"
                                                    : "a number, or bytes such as 80GiB",
                text);
  }

  bool holds(const Report& report) const {
    const std::optional<Ratio> held = field->of(report);
    if (!held) return false;
    return is_higher_better(*field) ? *held >= value(report) : *held <= value(report);
  }
};

Limit limit_of(const std::string& given) {
  const std::size_t equals = given.find('=');
  if (equals == std::string::npos) {
    fail_option("--limit", fmt::format("\"{}\" is not FIELD=MOST", given),
                "such as peak_memory=80GiB", given);
  }
  const std::string name = given.substr(0, equals);
  const std::string option = "--limit " + name;
  Limit limit = {
      .field = &field_of(name, option), .option = option, .text = given.substr(equals + 1)};
  limit.require_meaning();
  return limit;
}

std::size_t top_of(const std::string& given) {
  constexpr std::size_t kDefault = 10;
  constexpr std::size_t kMost = 1'000'000;
  if (given.empty()) return kDefault;
  std::size_t count = 0;
  const char* const end = given.data() + given.size();
  const auto [stop, error] = std::from_chars(given.data(), end, count);
  if (error != std::errc{} || stop != end || count == 0 || count > kMost) {
    fail_option("--top", fmt::format("\"{}\" is no number of points", given),
                "an integer from 1 to 1000000", given);
  }
  return count;
}

/// A point that may be one of the best.
struct Candidate {
  std::int64_t point = 0;
  Ratio objective;
  std::array<Ratio, kFront.size()> costs{};
  bool counts_memory_in_bytes = false;
  bool counts_sent_in_bytes = false;
};

bool dominates(const Candidate& left, const Candidate& right) {
  bool is_better = false;
  for (std::size_t i = 0; i < kFront.size(); ++i) {
    if (left.costs[i] > right.costs[i]) return false;
    is_better = is_better || left.costs[i] < right.costs[i];
  }
  return is_better;
}

/// The best so far.
class Selection {
 public:
  Selection(const Field& objective, std::vector<Limit> limits, std::size_t top)
      : objective_(objective), limits_(std::move(limits)), top_(top) {}

  /// What there is to choose of a point; nothing if it does not come into question.
  std::optional<Candidate> candidate(const PointResult& result) const {
    const Report& report = *result.report;
    const bool keeps_limits = std::all_of(limits_.begin(), limits_.end(),
                                          [&](const Limit& limit) { return limit.holds(report); });
    const std::optional<Ratio> objective = objective_.of(report);
    if (!keeps_limits || !objective) return std::nullopt;
    Candidate candidate = {.point = result.point,
                           .objective = *objective,
                           .counts_memory_in_bytes = report.memory.in_bytes,
                           .counts_sent_in_bytes = sends_bytes(report)};
    for (std::size_t i = 0; i < kFront.size(); ++i) {
      candidate.costs[i] = field_of(kFront[i], "").of(report).value_or(Ratio{});
    }
    return candidate;
  }

  /// Requires points in their order.
  void add(const Candidate& candidate) {
    require_same_units(candidate);
    ++counted_;
    const auto place = std::upper_bound(best_.begin(), best_.end(), candidate,
                                        [this](const Candidate& left, const Candidate& right) {
                                          return is_higher_better(objective_)
                                                     ? left.objective > right.objective
                                                     : left.objective < right.objective;
                                        });
    best_.insert(place, candidate);
    if (best_.size() > top_) best_.pop_back();
    if (std::any_of(front_.begin(), front_.end(),
                    [&](const Candidate& other) { return dominates(other, candidate); })) {
      return;
    }
    std::erase_if(front_, [&](const Candidate& other) { return dominates(candidate, other); });
    front_.push_back(candidate);
  }

  /// The best first; of equals the first point.
  const std::vector<Candidate>& best() const { return best_; }
  /// The fastest first.
  std::vector<Candidate> front() const {
    std::vector<Candidate> sorted = front_;
    std::stable_sort(
        sorted.begin(), sorted.end(),
        [](const Candidate& left, const Candidate& right) { return left.costs < right.costs; });
    return sorted;
  }
  std::int64_t counted() const { return counted_; }

 private:
  void require_same_units(const Candidate& candidate) {
    if (!first_) first_ = candidate;
    const bool same_memory = first_->counts_memory_in_bytes == candidate.counts_memory_in_bytes;
    if (same_memory && first_->counts_sent_in_bytes == candidate.counts_sent_in_bytes) return;
    fail_option("best",
                fmt::format("points {} and {} count {} in different units", first_->point,
                            candidate.point, same_memory ? "what is sent" : "memory"),
                "bytes for all points or for none", "");
  }

  const Field& objective_;
  std::vector<Limit> limits_;
  std::size_t top_;
  std::int64_t counted_ = 0;
  std::vector<Candidate> best_;
  std::vector<Candidate> front_;
  std::optional<Candidate> first_;
};

struct Counts {
  std::int64_t points = 0;
  std::int64_t invalid = 0;
  std::int64_t over_limit = 0;
  std::string first_reason;  // of an invalid point
};

void choose(const Sweep& sweep, const Request& request, const Registry& registry,
            Selection& selection, Counts& counts) {
  const auto use = [&](const std::vector<PointResult>& results) -> std::function<void()> {
    Counts of_these;
    std::vector<Candidate> candidates;
    for (const PointResult& result : results) {
      ++of_these.points;
      if (result.error) {
        if (of_these.invalid++ == 0) of_these.first_reason = result.record().reason;
      } else if (result.report->over_limit) {
        ++of_these.over_limit;
      } else if (const auto candidate = selection.candidate(result)) {
        candidates.push_back(*candidate);
      }
    }
    return [&, of_these = std::move(of_these), candidates = std::move(candidates)] {
      if (counts.invalid == 0) counts.first_reason = of_these.first_reason;
      counts.points += of_these.points;
      counts.invalid += of_these.invalid;
      counts.over_limit += of_these.over_limit;
      for (const Candidate& candidate : candidates) selection.add(candidate);
    };
  };
  run_points(sweep, registry, {},
             {.jobs = request.jobs,
              .max_tasks = request.max_tasks,
              .progress = request.progress,
              .is_stopped = [] { return false; },
              .use = use});
}

/// The results of points that were run before.
std::vector<PointResult> results_of(const Sweep& sweep, const Registry& registry,
                                    const std::vector<Candidate>& candidates,
                                    std::int64_t max_tasks) {
  std::vector<PointResult> results;
  results.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    results.push_back(run_one_point(sweep, registry, candidate.point, max_tasks));
  }
  return results;
}

std::string counts_text(const Counts& counts, std::int64_t counted) {
  std::string text = fmt::format("{} points: {} within the limits", counts.points, counted);
  if (counts.over_limit > 0) text += fmt::format(", {} over memory.limit", counts.over_limit);
  if (counts.invalid > 0) {
    text += fmt::format(", {} invalid, the first: {}", counts.invalid, counts.first_reason);
  }
  return text;
}

std::string shown(const Field& field, const Report& report) {
  const std::optional<Ratio> value = field.of(report);
  constexpr int kDigits = 6;
  if (!value) return "-";
  if (field.counted != Counted::time) return format_ratio(*value, kDigits);
  const std::string unit(name(report.config.time_unit));
  return format_mean_time(*value, report.config.time_unit) + " " + unit;
}

std::string table_of(const Sweep& sweep, const std::vector<PointResult>& results,
                     const Field& objective) {
  std::vector<const Field*> fields = {&objective};
  for (const std::string_view each : kFront) {
    if (each != objective.name) fields.push_back(&field_of(each, ""));
  }
  std::vector<std::string> header = {"point"};
  for (const SweepAxis& axis : sweep.axes()) header.push_back(axis.path);
  for (const Field* const field : fields) header.emplace_back(field->name);
  TextTable table;
  table.add(std::move(header));
  for (const PointResult& result : results) {
    std::vector<std::string> row = {std::to_string(result.point)};
    for (const SweepValue& value : result.values) row.push_back(printable(value.plain()));
    for (const Field* const field : fields) row.push_back(shown(*field, *result.report));
    table.add(std::move(row));
  }
  return table.text(2);
}

std::string units_text(const Report& report) {
  return fmt::format("peak memory in {}, sent in {} between devices\n",
                     report.memory.in_bytes ? "bytes" : "microbatches",
                     sends_bytes(report) ? "bytes" : "messages");
}

std::string json_list(const SweepWriter& writer, const std::vector<PointResult>& results) {
  std::string text;
  for (const PointResult& result : results) {
    std::string line = writer.line(result.record());
    line.pop_back();
    text += fmt::format("{}\n    {}", text.empty() ? "" : ",", line);
  }
  return text.empty() ? "[]" : "[" + text + "\n  ]";
}

}  // namespace

std::vector<std::string> objectives() {
  std::vector<std::string> names;
  names.reserve(kFields.size());
  for (const Field& field : kFields) names.emplace_back(field.name);
  return names;
}

int best(const Request& request, const Registry& registry) {
  reject_picture_options(request.picture);
  reject_table_options(request, "best");
  const std::string& named = request.sweep.objective;
  const Field& objective = field_of(named.empty() ? kFront.front() : named, "--objective");
  std::vector<Limit> limits;
  limits.reserve(request.sweep.limits.size());
  for (const std::string& given : request.sweep.limits) limits.push_back(limit_of(given));
  const std::size_t top = top_of(request.sweep.top);
  const Sweep sweep(config_text(request), request.overrides, request.sweep.options);
  require_field(sweep, objective, "--objective");
  for (const Limit& limit : limits) require_field(sweep, *limit.field, limit.option);
  const LoadedConfig loaded = require_some_valid(sweep, registry, {.name = "best"});
  return with_places(loaded.places, [&] {
    const OutputConfig& output = loaded.config.output;
    require_different_files(request, loaded.config, sweep.input_files());
    reject(output.format == OutputFormat::csv, "/output/format", "best has no csv",
           "table or json");
    OutputFile result = result_file(output);
    Selection selection(objective, limits, top);
    Counts counts;
    choose(sweep, request, registry, selection, counts);
    const std::string summary = counts_text(counts, selection.counted());
    if (selection.counted() == 0) {
      throw Error(
          Fault{.what = "no point is left: " + summary, .allowed = "wider limits, or other values"},
          ErrorKind::run_failed);
    }
    const std::vector<PointResult> chosen =
        results_of(sweep, registry, selection.best(), request.max_tasks);
    const std::vector<PointResult> front =
        results_of(sweep, registry, selection.front(), request.max_tasks);
    if (output.format == OutputFormat::json) {
      const SweepWriter writer(sweep, SweepFormat::jsonl);
      result.write(fmt::format(
          "{{\n  \"schema_version\": {},\n  \"pipesim_version\": \"{}\",\n  \"objective\": {},\n"
          "  \"points\": {{\"all\": {}, \"within_limits\": {}, \"over_limit\": {}, \"invalid\": "
          "{}}},\n  \"best\": {},\n  \"pareto\": {}\n}}\n",
          kResultSchemaVersion, kVersion, json_string(objective.name), counts.points,
          selection.counted(), counts.over_limit, counts.invalid, json_list(writer, chosen),
          json_list(writer, front)));
    } else {
      constexpr std::size_t kMostShown = 40;
      std::vector<PointResult> part = front;
      if (part.size() > kMostShown) part.erase(part.begin() + kMostShown, part.end());
      result.write(fmt::format("best by {}, of {}\n{}", objective.name, summary,
                               table_of(sweep, chosen, objective)));
      result.write(fmt::format(
          "\nPareto front: none is as fast a microbatch, as small and sends as little for it\n{}",
          table_of(sweep, part, objective)));
      if (part.size() < front.size()) {
        result.write(fmt::format("  and {} more: see --format json\n", front.size() - part.size()));
      }
      result.write(units_text(*chosen.front().report));
    }
    result.commit();
    return 0;
  });
}

}  // namespace pipesim
