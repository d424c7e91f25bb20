#include "tools/driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <thread>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/io/explanation.hpp"
#include "sim/io/pytorch_export.hpp"
#include "sim/io/report.hpp"
#include "sim/io/timeline_csv.hpp"
#include "sim/io/trace.hpp"
#include "sim/metrics.hpp"
#include "sim/task_graph.hpp"
#include "sim/verify_timeline.hpp"
#include "tools/closed_form.hpp"
#include "tools/files.hpp"
#include "tools/memory.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

LoadedConfig load(const Request& request, const Registry& registry) {
  std::optional<ConfigText> text;
  if (request.config_file) text = read_file(*request.config_file);
  const std::vector<ScheduleSignature> known = signatures(registry);
  return read_config(text, request.overrides, known);
}

/// A schedule applied to a problem: everything that is known before time moves.
struct Prepared {
  RunConfig config;  // with the parameters that the schedule chose
  const Schedule* schedule = nullptr;
  std::vector<std::string> notes;
  Problem problem;
  Program program;
};

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

Prepared prepare(const RunConfig& config, const Registry& registry) {
  Prepared prepared;
  prepared.config = config;
  prepared.schedule = find_schedule(registry, config.schedule);
  PIPESIM_CHECK(prepared.schedule != nullptr);
  const Schedule& schedule = *prepared.schedule;
  if (!schedule.info.flushes) never_flush(prepared.config, prepared.notes);
  prepared.problem = make_problem(prepared.config, place(schedule, config.p, config.parameters),
                                  slices(schedule, config.parameters));
  require_memory(op_count(prepared.problem), available_memory());
  Plan planned = plan(schedule, prepared.problem, config.parameters);
  prepared.notes.insert(prepared.notes.end(), planned.notes.begin(), planned.notes.end());
  prepared.config.parameters = std::move(planned.parameters);
  prepared.problem = with_state(schedule, std::move(prepared.problem), prepared.config.parameters);
  if (!prepared.problem.parking.keeper.empty()) {
    prepared.problem.parking.copy_time = copy_times(prepared.config, prepared.problem);
  }
  prepared.program = build(schedule, prepared.problem, prepared.config.parameters);
  return prepared;
}

struct Finished {
  TaskGraph graph;
  Timeline timeline;
  Report report;
};

/// What a shared link decided at run time becomes an order, so that the graph explains the run.
TaskGraph decided(TaskGraph graph, const Timeline& timeline) {
  if (timeline.shared_link_orders.empty()) return graph;
  return graph.with_shared_link_orders(timeline.shared_link_orders);
}

Program build_for(const Prepared& prepared, const Problem& problem) {
  return build(*prepared.schedule, problem, prepared.config.parameters);
}

/// The steady state, or how much longer twice the microbatches take where that is soon known.
void add_steady_state(const Prepared& prepared, Report& report) {
  constexpr std::int64_t kSoonSimulated = 1'000'000;
  // The rhythm shows once there are a few times as many microbatches as stages.
  const std::int64_t stages = prepared.problem.stages();
  if (8 * stages * stages > kSoonSimulated) {
    report.steady_state.text = fmt::format("{} stages are too many to look for one", stages);
    return;
  }
  const BuildProgram build_program = [&](const Problem& problem) {
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

void add_trials(const Prepared& prepared, Report& report) {
  const VariationConfig& variation = prepared.config.variation;
  if (!variation.jitter) return;
  const TrialOptions options = {
      .jitter = {.kind = variation.jitter->kind, .cv = variation.jitter->cv.value()},
      .seed = static_cast<std::uint64_t>(variation.seed),
      .trials = variation.trials,
      .jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))};
  report.trials = summary(run_trials(prepared.problem, prepared.program, options));
}

Report report_on(const Prepared& prepared, const TaskGraph& graph, const Timeline& timeline) {
  Report report;
  report.config = prepared.config;
  report.schedule_summary = prepared.schedule->info.summary;
  report.notes = prepared.notes;
  report.problem = prepared.problem;
  report.metrics = compute_metrics(graph, timeline);
  report.critical_path = critical_path(graph);
  for (const std::vector<IdlePart>& parts : idle_parts(graph, timeline)) {
    report.idle.push_back(idle_times(parts));
  }
  report.memory = memory_rules(prepared.problem);
  report.peak_memory = peak_memory(graph, timeline);
  report.over_limit = find_over_limit(graph, timeline);
  report.traffic = traffic(graph, timeline);
  if (prepared.config.model) {
    report.model = model_report(prepared.config, prepared.problem, report.metrics);
  }
  return report;
}

Finished simulate(const Prepared& prepared, bool with_formula) {
  TaskGraph graph(prepared.problem, prepared.program);
  Timeline timeline = simulate(graph);
  graph = decided(std::move(graph), timeline);
  Report report = report_on(prepared, graph, timeline);
  if (!report.over_limit) {
    add_steady_state(prepared, report);
    add_trials(prepared, report);
  }
  if (with_formula) {
    report.closed_form =
        closed_form(prepared.config.schedule, prepared.problem, prepared.config.parameters);
  }
  return {.graph = std::move(graph), .timeline = std::move(timeline), .report = std::move(report)};
}

std::string formatted(const Report& report, const Request& request) {
  switch (report.config.output.format) {
    case OutputFormat::json:
      return report_json(report);
    case OutputFormat::csv:
      return (request.no_header ? "" : report_csv_header()) + report_csv_row(report);
    case OutputFormat::table:
      break;
  }
  return report_table(report);
}

/// Calls the command's body; a fault found after reading gets the place of its config value.
template <class Body>
int with_config(const Request& request, const Registry& registry, Body body) {
  const LoadedConfig loaded = load(request, registry);
  print_notes(request, without_effect(loaded.config));
  try {
    return body(loaded.config);
  } catch (const Error& error) {
    throw loaded.places.located(with_order_file(error, loaded.config.order_file));
  }
}

void reject(bool given, std::string pointer, std::string what, std::string allowed) {
  if (!given) return;
  throw Error(
      Fault{.pointer = std::move(pointer), .what = std::move(what), .allowed = std::move(allowed)});
}

/// For a command whose output is a text of its own.
void reject_run_outputs(const Request& request, const OutputConfig& output, std::string_view what) {
  const std::string allowed = "a run";
  reject(!output.trace.empty(), "/output/trace", fmt::format("{} writes no trace", what), allowed);
  reject(!output.timeline.empty(), "/output/timeline", fmt::format("{} writes no timeline", what),
         allowed);
  reject(output.format != OutputFormat::table, "/output/format",
         fmt::format("{} has no {}", what, name(output.format)), allowed);
  reject(request.no_header || request.formula, "",
         fmt::format("{} has neither header nor formula", what), allowed);
}

}  // namespace

int run(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    const OutputConfig& output = config.output;
    require_different_files(request, config);
    reject(request.formula && output.format == OutputFormat::csv, "/output/format",
           "--formula has no column in csv", "table or json");
    reject(request.no_header && output.format != OutputFormat::csv, "/output/format",
           fmt::format("--no-header with the format {}", name(output.format)), "csv");
    const Prepared prepared = prepare(config, registry);
    const Finished finished = simulate(prepared, request.formula);
    if (finished.report.over_limit) {
      throw Error(
          Fault{.pointer = "/memory/limit",
                .what = sentence(*finished.report.over_limit, prepared.problem, config.time_unit)},
          ErrorKind::run_failed);
    }
    OutputFile result = result_file(output);
    std::optional<OutputFile> trace;
    std::optional<OutputFile> timeline;
    if (!output.trace.empty()) trace.emplace(output.trace, "/output/trace");
    if (!output.timeline.empty()) timeline.emplace(output.timeline, "/output/timeline");
    if (trace) write_trace(finished.graph, finished.timeline, *trace);
    if (timeline) {
      write_timeline_csv(prepared.problem, finished.timeline, config.time_unit, *timeline);
    }
    // A full disk is found before anything appears in its place.
    if (trace) trace->flush();
    if (timeline) timeline->flush();
    result.write(formatted(finished.report, request));
    result.commit();
    if (trace) trace->commit();
    if (timeline) timeline->commit();
    if (output.format != OutputFormat::table) print_notes(request, prepared.notes);
    return 0;
  });
}

namespace {

/// The config of a run with another schedule: its own parameters if it is the config's schedule.
RunConfig with_schedule(const RunConfig& config, const std::string& schedule) {
  RunConfig changed = config;
  if (changed.schedule != schedule) changed.parameters.clear();
  changed.schedule = schedule;
  return changed;
}

/// A row for each schedule. A schedule that cannot run here is a row too; if none can, the fault
/// is the config's, and the first one is thrown.
std::vector<ComparedSchedule> compared(const RunConfig& config, const Request& request,
                                       const std::vector<std::string>& schedules,
                                       const Registry& registry) {
  std::vector<ComparedSchedule> rows;
  std::exception_ptr first_error;
  bool any_ran = false;
  for (const std::string& schedule : schedules) {
    ComparedSchedule row{.schedule = schedule, .report = {}, .reason = {}};
    try {
      const Prepared prepared = prepare(with_schedule(config, schedule), registry);
      row.report = simulate(prepared, request.formula).report;
      any_ran = true;
    } catch (const Error& error) {
      if (!first_error) first_error = std::current_exception();
      row.reason = error.what();
    }
    rows.push_back(std::move(row));
  }
  if (!any_ran) std::rethrow_exception(first_error);
  return rows;
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
    reject(!output.trace.empty(), "/output/trace", "a comparison writes no trace", "a single run");
    reject(!output.timeline.empty(), "/output/timeline", "a comparison writes no timeline",
           "a single run");
    require_different_files(request, config);
    reject(request.no_header && output.format != OutputFormat::csv, "/output/format",
           fmt::format("--no-header with the format {}", name(output.format)), "csv");
    reject(request.formula && output.format != OutputFormat::json, "/output/format",
           fmt::format("--formula with the format {}", name(output.format)), "json");
    OutputFile result = result_file(output);
    std::vector<ComparedSchedule> rows = compared(config, request, schedules, registry);
    if (request.schedules.empty()) keep_valid(rows, request);
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
    result.commit();
    const bool any_ok = std::any_of(rows.begin(), rows.end(), [](const ComparedSchedule& row) {
      return row.report && !row.report->over_limit;
    });
    return any_ok ? 0 : 1;
  });
}

int check(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    prepare(config, registry);
    return 0;
  });
}

int explain(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    const OutputConfig& output = config.output;
    reject(output.format == OutputFormat::csv, "/output/format", "an explanation has no csv",
           "table or json");
    reject(!output.trace.empty(), "/output/trace", "an explanation writes no trace", "a run");
    reject(!output.timeline.empty(), "/output/timeline", "an explanation writes no timeline",
           "a run");
    reject(request.no_header || request.formula, "",
           "an explanation has neither header nor formula", "a run");
    require_different_files(request, config);
    const Prepared prepared = prepare(config, registry);
    Finished finished = simulate(prepared, false);
    Explanation explanation{.report = std::move(finished.report),
                            .idle = idle_parts(finished.graph, finished.timeline),
                            .sensitivity = {}};
    if (why_no_sensitivity(prepared.problem).empty()) {
      explanation.sensitivity =
          stage_sensitivities(finished.graph, finished.timeline,
                              config.t_r ? RecomputeTime::its_own : RecomputeTime::as_forward);
    }
    OutputFile result = result_file(output);
    result.write(output.format == OutputFormat::json
                     ? explanation_json(explanation, finished.graph)
                     : explanation_table(explanation, finished.graph));
    result.commit();
    return 0;
  });
}

int print_program(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    reject_run_outputs(request, config.output, "a program");
    require_different_files(request, config);
    OutputFile result = result_file(config.output);
    result.write(to_text(prepare(config, registry).program));
    result.commit();
    return 0;
  });
}

int export_program(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    reject_run_outputs(request, config.output, "an export");
    reject(!config.output.file.empty(), "/output/file", "an export writes --pytorch-csv only",
           "a run");
    if (request.pytorch_csv == "-") {
      throw Error(Fault{.place = "command line: --pytorch-csv",
                        .value = "-",
                        .what = "\"-\" is no name of a file",
                        .allowed = "/dev/stdout for standard output"});
    }
    require_different_files(request, config);
    const Prepared prepared = prepare(config, registry);
    const PytorchExport exported = export_pytorch(
        prepared.problem, prepared.program,
        request.with_comms ? PytorchFormat::compute_comms : PytorchFormat::compute_only);
    OutputFile result(request.pytorch_csv, "");
    result.write(pytorch_csv(exported.file));
    result.commit();
    print_notes(request, prepared.notes);
    print_notes(request, exported.notes);
    return 0;
  });
}

int print_events(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    reject_run_outputs(request, config.output, "an event log");
    require_different_files(request, config);
    const Prepared prepared = prepare(config, registry);
    const TaskGraph graph(prepared.problem, prepared.program);
    OutputFile result = result_file(config.output);
    result.write("time,class,sequence,device,op\n");
    simulate(
        graph, {.on_event = [&](const Event& event) {
          result.write(fmt::format("{},{},{},{},{}\n", format_time(event.time, config.time_unit),
                                   name(event.event_class), event.sequence,
                                   graph.device(event.task).value, token(graph.op(event.task))));
        }});
    result.commit();
    return 0;
  });
}

int verify(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    reject_run_outputs(request, config.output, "a check");
    require_different_files(request, config);
    const Prepared prepared = prepare(config, registry);
    const Timeline timeline =
        read_timeline_csv(read_file(request.timeline_file), prepared.problem, config.time_unit);
    if (const auto violation = verify_timeline(prepared.problem, prepared.program, timeline)) {
      throw Error(
          Fault{.place = request.timeline_file,
                .what = fmt::format("violates {}: {}", name(violation->rule), violation->detail)},
          ErrorKind::run_failed);
    }
    OutputFile result = result_file(config.output);
    result.write(fmt::format(
        "{}: valid: {} ops, T_total {} {}\n", request.timeline_file, timeline.spans.size(),
        format_time(total_time(timeline), config.time_unit), name(config.time_unit)));
    for (const std::string& part : not_checked(prepared.problem, timeline)) {
      result.write(fmt::format("{}: not checked: {}\n", request.timeline_file, part));
    }
    result.commit();
    return 0;
  });
}

}  // namespace pipesim
