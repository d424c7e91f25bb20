#include "tools/prepared_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/io/machine_memory.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "sim/stream_program.hpp"
#include "sim/streaming.hpp"
#include "sim/validate_loops.hpp"
#include "tools/closed_form.hpp"
#include "tools/files.hpp"
#include "tools/memory.hpp"
#include "tools/option_fault.hpp"
#include "tools/picture_options.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

LoadedConfig load(const Request& request, const Registry& registry) {
  const std::vector<ScheduleSignature> known = signatures(registry);
  return read_config(config_text(request), request.overrides, known);
}

/// The steps of an asynchronous schedule follow each other without a flush.
void never_flush(RunConfig& config, std::vector<std::string>& notes) {
  IterationsConfig& iterations = config.iterations;
  if (iterations.grad_sync || iterations.optimizer || iterations.barrier) {
    throw Error(Fault{.pointer = "/iterations",
                      .what = fmt::format("{} has no end of a step for grad_sync, optimizer or "
                                          "barrier",
                                          config.schedule),
                      .allowed = "none of them: its steps follow each other without a flush"});
  }
  if (iterations.flush.is_given && iterations.flush.value) {
    throw Error(Fault{.pointer = "/iterations/flush",
                      .value = "true",
                      .what = fmt::format("{} never flushes", config.schedule),
                      .allowed = "false, or no flush key"});
  }
  if (iterations.count > 1 && iterations.flush.value) {
    notes.push_back(fmt::format("iterations.flush=false: {} is asynchronous", config.schedule));
  }
  iterations.flush = {.value = false, .is_given = true};
}

}  // namespace

Wanted wanted(const OutputConfig& output) {
  const bool has_timeline = !output.trace.empty() || !output.trace_per_rank.empty() ||
                            !output.timeline.empty() || !output.svg.empty() || !output.html.empty();
  reject(output.metrics_only && has_timeline, "/output/metrics_only",
         "traces, timelines and pictures show more than metrics", "none of them, or all results");
  const bool has_critical_path = output.format != OutputFormat::csv && !output.metrics_only;
  return has_timeline || has_critical_path ? Wanted::timeline : Wanted::metrics;
}

Prepared pose(const RunConfig& config, const Registry& registry, Wanted wanted,
              std::int64_t max_tasks) {
  Prepared prepared;
  prepared.config = config;
  prepared.schedule = find_schedule(registry, config.schedule);
  PIPESIM_CHECK(prepared.schedule != nullptr);
  const Schedule& schedule = *prepared.schedule;
  if (!schedule.info.flushes) never_flush(prepared.config, prepared.notes);
  const Placement placement = place(schedule, config.p, config.parameters);
  const Integers parts = slices(schedule, config.parameters);
  const bool may_go_without = wanted == Wanted::metrics && !schedule.info.unrolls;
  // Of every stage and microbatch, or slice of one, a forward and a backward at least.
  const auto fewest_tasks = static_cast<std::int64_t>(
      std::min<Int128>(Int128{2} * placement.stages() * config.m * Int128{parts.size()},
                       std::numeric_limits<std::int64_t>::max()));
  require_tasks(fewest_tasks, max_tasks);
  if (!may_go_without || parts.size() > 1) require_memory(fewest_tasks, available_memory());
  require_stage_memory(placement.stages(), available_memory());
  prepared.problem = make_problem(prepared.config, placement, parts);
  require_tasks(op_count(prepared.problem), max_tasks);
  require_window(config.output.trace_window, prepared.problem);
  prepared.max_tasks = max_tasks;
  prepared.keeps_tasks = !may_go_without || !may_stream(prepared.problem);
  if (prepared.keeps_tasks) {
    require_memory(op_count(prepared.problem), available_memory());
  }
  return prepared;
}

void find_order(Prepared& prepared) {
  const Schedule& schedule = *prepared.schedule;
  Plan planned = plan(schedule, prepared.problem, prepared.config.parameters);
  prepared.notes.insert(prepared.notes.end(), planned.notes.begin(), planned.notes.end());
  prepared.config.parameters = std::move(planned.parameters);
  prepared.problem = with_state(schedule, std::move(prepared.problem), prepared.config.parameters);
  if (!prepared.problem.parking.keeper.empty()) {
    prepared.problem.parking.copy_time = copy_times(prepared.config, prepared.problem);
  }
  // What is parked, and loops that do not show that they are valid, take memory for every op.
  if (!may_stream(prepared.problem)) {
    require_memory(op_count(prepared.problem), available_memory());
  }
  prepared.program = order(schedule, prepared.problem, prepared.config.parameters);
  // With weight gradients of their own there are more than the problem says.
  const std::int64_t tasks = step_count(prepared.program) * prepared.problem.iterations.count;
  require_tasks(tasks, prepared.max_tasks);
  if (is_valid_by_its_loops(prepared.problem, prepared.program)) {
    if (prepared.keeps_tasks) require_memory(tasks, available_memory());
    return;
  }
  require_memory(tasks, available_memory());
  validate_program(prepared.problem, prepared.program);
}

Prepared prepare(const Request& request, const RunConfig& config, const Registry& registry,
                 Wanted wanted) {
  const Phase phase(request.progress, "finding the order");
  Prepared prepared = pose(config, registry, wanted, request.max_tasks);
  find_order(prepared);
  return prepared;
}

TaskGraph unrolled(const Prepared& prepared, Progress* progress) {
  const Phase phase(progress, "building the task graph");
  return {prepared.problem, prepared.program};
}

namespace {

/// What a shared link decided at run time becomes an order, so that the graph explains the run.
TaskGraph decided(TaskGraph graph, const Timeline& timeline) {
  if (timeline.shared_link_orders.empty()) return graph;
  return graph.with_shared_link_orders(timeline.shared_link_orders);
}

Program build_for(const Prepared& prepared, const Problem& problem) {
  return build(*prepared.schedule, problem, prepared.config.parameters);
}

/// The steady state, or how much longer twice the microbatches take where that is soon known.
void add_steady_state(const Prepared& prepared, Report& report, Progress* progress) {
  constexpr std::int64_t kSoonSimulated = 1'000'000;
  // The rhythm shows once there are a few times as many microbatches as stages.
  const std::int64_t stages = prepared.problem.stages();
  if (8 * stages * stages > kSoonSimulated) {
    report.steady_state.text = fmt::format("{} stages are too many to look for one", stages);
    return;
  }
  const Phase phase(progress, "looking for the steady state");
  const BuildProgram build_program = [&](const Problem& problem) {
    const Phase order(progress, fmt::format("the order of {} microbatches", problem.microbatches));
    return build_for(prepared, problem);
  };
  report.steady_state = steady_state(prepared.problem, build_program);
  if (report.steady_state.ticks_per_microbatch || op_count(prepared.problem) > kSoonSimulated) {
    return;
  }
  try {
    report.measured_slope = measured_slope(prepared.problem, build_program);
  } catch (const Error&) {
    // An order that is given for m microbatches says nothing of 2m.
  }
}

void add_trials(const Prepared& prepared, Report& report, int jobs, Progress* progress) {
  const VariationConfig& variation = prepared.config.variation;
  if (!variation.jitter) return;
  const std::int64_t tasks = op_count(prepared.problem);
  const std::int64_t available = available_memory();
  require_memory(tasks, available);
  const TrialOptions options = {
      .jitter = {.kind = variation.jitter->kind, .cv = variation.jitter->cv.value()},
      .seed = static_cast<std::uint64_t>(variation.seed),
      .trials = variation.trials,
      .jobs = jobs_that_fit(jobs, tasks, available),
      .progress = progress};
  report.trials = summary(run_trials(prepared.problem, prepared.program, options));
}

/// What is known before the run.
Report begin_report(const Prepared& prepared) {
  Report report;
  report.config = prepared.config;
  report.schedule_summary = prepared.schedule->info.summary;
  report.notes = prepared.notes;
  report.problem = prepared.problem;
  report.memory = memory_rules(prepared.problem);
  return report;
}

/// What follows from the metrics.
void complete_report(const Prepared& prepared, const ReportOptions& options, Report& report) {
  if (prepared.config.model) {
    report.model = model_report(prepared.config, prepared.problem, report.metrics);
  }
  if (!report.over_limit) {
    if (options.steady_state) add_steady_state(prepared, report, options.progress);
    add_trials(prepared, report, options.jobs, options.progress);
  }
  if (options.formula) {
    report.closed_form =
        closed_form(prepared.config.schedule, prepared.problem, prepared.config.parameters);
  }
}

Report report_on(const Prepared& prepared, const TaskGraph& graph, const Timeline& timeline,
                 Progress* progress) {
  // The parts of the work, each named while it is done.
  const auto part = [&](std::string_view what, const auto& result) {
    const Phase phase(progress, what);
    return result();
  };
  Report report = begin_report(prepared);
  report.metrics = part("measuring", [&] { return compute_metrics(graph, timeline); });
  report.idle = part("finding causes of idle time", [&] {
    std::vector<IdleTimes> idle;
    for (const std::vector<IdlePart>& parts : idle_parts(graph, timeline)) {
      idle.push_back(idle_times(parts));
    }
    return idle;
  });
  report.peak_memory = part("adding up memory", [&] { return peak_memory(graph, timeline); });
  report.over_limit =
      part("checking the memory limit", [&] { return find_over_limit(graph, timeline); });
  report.traffic = part("counting messages", [&] { return traffic(graph, timeline); });
  return report;
}

struct Ran {
  TaskGraph graph;
  Timeline timeline;
};

Ran run_tasks(const Prepared& prepared, Progress* progress) {
  TaskGraph graph = unrolled(prepared, progress);
  Timeline timeline = simulate(graph, {.progress = progress});
  graph = decided(std::move(graph), timeline);
  return {.graph = std::move(graph), .timeline = std::move(timeline)};
}

}  // namespace

ReportOptions report_options(const Request& request) {
  return {.formula = request.formula, .jobs = request.jobs, .progress = request.progress};
}

Finished simulate(const Prepared& prepared, const ReportOptions& options) {
  auto [graph, timeline] = run_tasks(prepared, options.progress);
  Report report = report_on(prepared, graph, timeline, options.progress);
  {
    const Phase phase(options.progress, "following the critical path");
    report.critical_path = critical_path(graph, timeline);
  }
  complete_report(prepared, options, report);
  return {.graph = std::move(graph), .timeline = std::move(timeline), .report = std::move(report)};
}

Report measure(const Prepared& prepared, const ReportOptions& options) {
  const auto [graph, timeline] = run_tasks(prepared, options.progress);
  Report report = report_on(prepared, graph, timeline, options.progress);
  complete_report(prepared, options, report);
  return report;
}

std::optional<Report> stream(const Prepared& prepared, const ReportOptions& options) {
  Phase phase(options.progress, "simulating");
  std::optional<StreamedRun> streamed = stream_run(prepared.problem, prepared.program);
  phase.finish();
  if (!streamed) {
    require_memory(op_count(prepared.problem), available_memory());
    return std::nullopt;
  }
  Report report = begin_report(prepared);
  report.metrics = std::move(streamed->metrics);
  report.idle = std::move(streamed->idle);
  report.peak_memory = std::move(streamed->peak_memory);
  report.traffic = {.messages = messages(prepared.problem)};
  complete_report(prepared, options, report);
  return report;
}

std::optional<ConfigText> config_text(const Request& request) {
  if (!request.config_file) return std::nullopt;
  return read_file(*request.config_file);
}

int with_places(const ConfigPlaces& places, const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw places.located(error);
  }
}

int with_config(const Request& request, const Registry& registry,
                const std::function<int(const RunConfig&)>& body) {
  const LoadedConfig loaded = load(request, registry);
  print_notes(request, without_effect(loaded.config));
  return with_places(loaded.places, [&] {
    try {
      return body(loaded.config);
    } catch (const Error& error) {
      throw with_order_file(error, loaded.config.order_file);
    }
  });
}

void reject(bool given, std::string pointer, std::string what, std::string allowed) {
  if (!given) return;
  throw Error(
      Fault{.pointer = std::move(pointer), .what = std::move(what), .allowed = std::move(allowed)});
}

/// For a command whose output is a text of its own.
void require_memory_limit(const Report& report) {
  if (!report.over_limit) return;
  throw Error(Fault{.pointer = "/memory/limit",
                    .what = sentence(*report.over_limit, report.problem, report.config.time_unit)},
              ErrorKind::run_failed);
}

void reject_traces(const OutputConfig& output, std::string_view what, const std::string& allowed) {
  const std::string no_trace = fmt::format("{} writes no trace", what);
  reject(!output.trace.empty(), "/output/trace", no_trace, allowed);
  reject(!output.trace_per_rank.empty(), "/output/trace_per_rank", no_trace, allowed);
  reject(!output.timeline.empty(), "/output/timeline", fmt::format("{} writes no timeline", what),
         allowed);
}

void reject_pictures(const Request& request, const OutputConfig& output, std::string_view what) {
  reject(!output.svg.empty(), "/output/svg", fmt::format("{} draws no SVG", what), "a run");
  reject(!output.html.empty(), "/output/html", fmt::format("{} writes no page", what), "a run");
  if (!request.picture.show) reject_picture_options(request.picture);
}

void reject_table_options(const Request& request, std::string_view what) {
  if (!request.no_header && !request.formula) return;
  fail_option(request.no_header ? "--no-header" : "--formula",
              fmt::format("{} has neither header nor formula", what), "a run");
}

void reject_run_outputs(const Request& request, const OutputConfig& output, std::string_view what) {
  const std::string allowed = "a run";
  reject_traces(output, what, allowed);
  reject_pictures(request, output, what);
  reject(output.format != OutputFormat::table, "/output/format",
         fmt::format("{} has no {}", what, name(output.format)), allowed);
  reject_table_options(request, what);
  reject(output.metrics_only, "/output/metrics_only", fmt::format("{} has no metrics", what),
         allowed);
}

}  // namespace pipesim
