// pipesim compare: several schedules on one problem.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <string_view>

#include "sim/error.hpp"
#include "sim/io/html_report.hpp"
#include "sim/io/machine_memory.hpp"
#include "sim/io/picture.hpp"
#include "sim/io/report.hpp"
#include "sim/io/svg.hpp"
#include "sim/parallel.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"
#include "tools/memory.hpp"
#include "tools/picture_options.hpp"
#include "tools/prepared_run.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"
#include "tools/terminal.hpp"

namespace pipesim {

namespace {

/// The config of a run with another schedule: its own parameters if it is the config's schedule.
RunConfig with_schedule(const RunConfig& config, const std::string& schedule) {
  RunConfig changed = config;
  if (changed.schedule != schedule) changed.parameters.clear();
  changed.schedule = schedule;
  return changed;
}

/// Throws Error unless the view lies within the longest of the runs.
void require_view(const PictureView& view, const std::vector<ComparedSchedule>& rows) {
  const Report* longest = nullptr;
  for (const ComparedSchedule& row : rows) {
    if (!row.report) continue;
    if (!longest || row.report->metrics.t_total > longest->metrics.t_total) longest = &*row.report;
  }
  PIPESIM_CHECK(longest != nullptr);
  require_view(view, longest->problem, longest->metrics.t_total, longest->config.time_unit);
}

/// Of the runs that have one, in their order.
std::vector<const Picture*> pictures(const std::vector<ComparedSchedule>& rows) {
  std::vector<const Picture*> result;
  for (const ComparedSchedule& row : rows) {
    if (row.picture) result.push_back(&*row.picture);
  }
  return result;
}

/// The table has nothing of a timeline.
Wanted wanted(const OutputConfig& output, bool has_view) {
  const Wanted of_result = wanted(output);
  return !has_view && output.format == OutputFormat::table ? Wanted::metrics : of_result;
}

/// Takes all schedules from step to step, each of them in parallel. A schedule that fails at one
/// stays behind with its error.
class Comparison {
 public:
  Comparison(const RunConfig& config, const Request& request, const Registry& registry,
             const std::optional<PictureView>& view)
      : config_(config),
        request_(request),
        registry_(registry),
        view_(view),
        wanted_(wanted(config.output, view.has_value())) {}

  /// A row for each schedule, with a picture where a view is given. A schedule that cannot run here
  /// is a row too; if none can, the fault is the config's, and that of the first is thrown.
  std::vector<ComparedSchedule> run(const std::vector<std::string>& schedules) {
    for (const std::string& schedule : schedules) {
      rows_.push_back({.schedule = schedule, .report = {}, .reason = {}});
    }
    prepared_.resize(rows_.size());
    errors_.resize(rows_.size());
    find_orders();
    run_all();
    const bool any_ran = std::any_of(rows_.begin(), rows_.end(),
                                     [](const ComparedSchedule& row) { return row.report; });
    if (!any_ran) std::rethrow_exception(errors_.front());
    if (view_) require_view(*view_, rows_);
    return std::move(rows_);
  }

 private:
  void find_orders() {
    const auto search_size = [this](std::size_t row) {
      return prepared_[row].schedule->info.unrolls ? tasks(row) : 0;
    };
    for_open("preparing", request_.jobs, kNoTasks, [this](std::size_t row, Progress*) {
      prepared_[row] =
          pose(with_schedule(config_, rows_[row].schedule), registry_, wanted_, request_.max_tasks);
    });
    // Before orders are searched for: whichever schedules have one, one of them will be drawn.
    std::vector<std::int64_t> blocks = expected_blocks_of_open();
    const bool any_searches = std::any_of(prepared_.begin(), prepared_.end(), [](const auto& one) {
      return one.schedule != nullptr && one.schedule->info.unrolls;
    });
    if (any_searches && !blocks.empty()) require_drawn(std::ranges::min(blocks));
    for_open("finding the order", request_.jobs, search_size,
             [this](std::size_t row, Progress*) { find_order(prepared_[row]); });
    blocks = expected_blocks_of_open();
    require_drawn(std::accumulate(blocks.begin(), blocks.end(), std::int64_t{0}));
  }

  void run_all() {
    // Trials take all jobs, one schedule after the other.
    const int jobs = config_.variation.jitter ? 1 : request_.jobs;
    if (wanted_ == Wanted::metrics) {
      for_open("comparing", jobs, kNoTasks, [this](std::size_t row, Progress* progress) {
        rows_[row].report = stream(prepared_[row], options(progress));
      });
    }
    const auto size = [this](std::size_t row) { return tasks(row); };
    for_open("comparing", jobs, size, [this](std::size_t row, Progress* progress) {
      if (wanted_ == Wanted::metrics) {
        rows_[row].report = measure(prepared_[row], options(progress));
      } else {
        run_whole(row, progress);
      }
    });
  }

  void run_whole(std::size_t row, Progress* progress) {
    Finished finished = simulate(prepared_[row], options(progress));
    if (view_) {
      const Phase phase(progress, "drawing");
      rows_[row].picture = make_picture(finished.graph, finished.timeline, finished.report, *view_);
    }
    rows_[row].report = std::move(finished.report);
  }

  // Takes every row further that has neither a report nor an error, as many at once as fit in
  // memory with the tasks that each of them keeps there. All must have been found to fit alone
  // before: where runs go on, the memory that is free says nothing.
  template <class KeptTasks, class TakeFurther>
  void for_open(std::string_view what, int jobs, const KeptTasks& kept_tasks,
                const TakeFurther& take_further) {
    const std::vector<std::size_t> open = open_rows();
    std::int64_t most_tasks = 0;
    for (const std::size_t row : open) {
      most_tasks = std::max<std::int64_t>(most_tasks, kept_tasks(row));
    }
    const auto count = static_cast<std::int64_t>(open.size());
    const int at_once = jobs_that_fit(jobs, most_tasks, available_memory());
    const Phase phase(request_.progress, what, count, "schedules");
    parallel_for(count, at_once, [&](std::int64_t index) {
      const std::size_t row = open[static_cast<std::size_t>(index)];
      // Only what is done one after the other has parts within parts.
      Progress* const progress = at_once == 1 ? request_.progress : nullptr;
      Phase one(progress, rows_[row].schedule);
      try {
        take_further(row, progress);
      } catch (const Error& error) {
        errors_[row] = std::current_exception();
        rows_[row].reason = error.what();
      }
      one.finish();
      phase.advance();
    });
  }

  std::vector<std::size_t> open_rows() const {
    std::vector<std::size_t> open;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (!rows_[row].report && !errors_[row]) open.push_back(row);
    }
    return open;
  }

  // By open row; nothing where nothing is drawn.
  std::vector<std::int64_t> expected_blocks_of_open() const {
    std::vector<std::int64_t> blocks;
    if (!view_) return blocks;
    for (const std::size_t row : open_rows()) {
      blocks.push_back(expected_blocks(prepared_[row].problem, *view_));
    }
    return blocks;
  }

  void require_drawn(std::int64_t blocks) const {
    require_drawable(blocks, config_.output);
    if (request_.picture.show) require_showable(blocks);
  }

  std::int64_t tasks(std::size_t row) const { return op_count(prepared_[row].problem); }

  ReportOptions options(Progress* progress) const {
    return {.formula = request_.formula, .jobs = request_.jobs, .progress = progress};
  }

  static constexpr auto kNoTasks = [](std::size_t) { return 0; };

  const RunConfig& config_;
  const Request& request_;
  const Registry& registry_;
  const std::optional<PictureView>& view_;
  Wanted wanted_;
  std::vector<ComparedSchedule> rows_;
  std::vector<Prepared> prepared_;          // by row
  std::vector<std::exception_ptr> errors_;  // by row
};

void write_pictures(const std::vector<ComparedSchedule>& rows, const Request& request,
                    const OutputConfig& output, OutputFiles& files) {
  const std::vector<const Picture*> drawn = pictures(rows);
  std::int64_t blocks = 0;
  for (const Picture* picture : drawn) blocks += picture->blocks();
  require_drawable(blocks, output);
  if (request.picture.show) require_showable(blocks);
  if (!output.svg.empty()) {
    const Phase phase = writing(request.progress, output.svg);
    write_svg(drawn, svg_options(request.picture), files.open(output.svg, "/output/svg"));
  }
  if (!output.html.empty()) {
    const Phase phase = writing(request.progress, output.html);
    files.open(output.html, "/output/html")
        .write(comparison_page(
            rows, {.critical = request.picture.critical, .memory = request.picture.memory}));
  }
}

/// Of schedules that nobody named, those that have an order for the config, fastest first; the
/// others are named on standard error.
void keep_valid(std::vector<ComparedSchedule>& rows, const Request& request) {
  std::vector<std::string> left_out;
  for (const ComparedSchedule& row : rows) {
    if (!row.report) left_out.push_back(fmt::format("left out {}: {}", row.schedule, row.reason));
  }
  print_notes(request, left_out);
  std::erase_if(rows, [](const ComparedSchedule& row) { return !row.report; });
  sort_by_time(rows);
}

std::vector<std::string> names(const Registry& registry) {
  std::vector<std::string> result;
  for (const Schedule* schedule : registry) result.emplace_back(schedule->info.name);
  return result;
}

/// Every schedule that has an order for this config.
std::vector<std::string> comparable(const RunConfig& config, const Registry& registry) {
  std::vector<std::string> result;
  for (const Schedule* schedule : registry) {
    const bool is_given = schedule->info.name == config.schedule;
    if (is_given || !needs_order(*schedule)) result.emplace_back(schedule->info.name);
  }
  return result;
}

void require_known(const std::vector<std::string>& schedules, const Registry& registry) {
  const std::vector<std::string> known = names(registry);
  std::vector<Fault> faults;
  for (std::size_t i = 0; i < schedules.size(); ++i) {
    const std::string& schedule = schedules[i];
    if (std::find(schedules.begin(), schedules.begin() + static_cast<std::ptrdiff_t>(i),
                  schedule) != schedules.begin() + static_cast<std::ptrdiff_t>(i)) {
      faults.push_back({.place = "command line: compare",
                        .value = schedule,
                        .what = fmt::format("schedule \"{}\" twice", schedule),
                        .allowed = "each schedule once"});
      continue;
    }
    if (find_schedule(registry, schedule)) continue;
    faults.push_back({.place = "command line: compare",
                      .value = schedule,
                      .what = fmt::format("unknown schedule \"{}\"", schedule),
                      .allowed = fmt::format("known schedules: {}", fmt::join(known, ", ")),
                      .nearest = nearest_name(schedule, known)});
  }
  if (!faults.empty()) throw Error(std::move(faults));
}

}  // namespace

int compare(const Request& request, const Registry& registry) {
  require_known(request.schedules, registry);
  return with_config(request, registry, [&](const RunConfig& config) {
    const std::vector<std::string> schedules =
        request.schedules.empty() ? comparable(config, registry) : request.schedules;
    const OutputConfig& output = config.output;
    reject_traces(output, "a comparison", "a single run");
    require_different_files(request, config);
    reject(request.no_header && output.format != OutputFormat::csv, "/output/format",
           fmt::format("--no-header with the format {}", name(output.format)), "csv");
    reject(request.formula && output.format != OutputFormat::json, "/output/format",
           fmt::format("--formula with the format {}", name(output.format)), "json");
    const std::optional<PictureView> view = picture_view(request, config);
    reject(request.picture.show && output.metrics_only, "/output/metrics_only",
           "--show draws timelines", "a comparison without --show");
    reject(request.picture.show && output.format != OutputFormat::table, "/output/format",
           fmt::format("--show with the format {}", name(output.format)), "table");
    const std::optional<TerminalStyle> style =
        request.picture.show ? std::optional(terminal_style(request.picture, output))
                             : std::nullopt;
    OutputFile result = result_file(output);
    std::vector<ComparedSchedule> rows = Comparison(config, request, registry, view).run(schedules);
    if (request.schedules.empty()) keep_valid(rows, request);
    OutputFiles files;
    write_pictures(rows, request, output, files);
    files.flush();
    if (style) result.write(terminal_picture(pictures(rows), *style) + "\n");
    switch (output.format) {
      case OutputFormat::table:
        result.write(comparison_table(rows));
        break;
      case OutputFormat::json:
        result.write(comparison_json(rows));
        break;
      case OutputFormat::csv:
        if (!request.no_header) result.write(comparison_csv_header());
        result.write(comparison_csv_rows(rows));
        break;
    }
    files.commit_after(result);
    const bool any_ok = std::any_of(rows.begin(), rows.end(), [](const ComparedSchedule& row) {
      return row.report && !row.report->over_limit;
    });
    return any_ok ? 0 : 1;
  });
}

}  // namespace pipesim
