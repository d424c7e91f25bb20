#include "tools/driver.hpp"

#include <fmt/format.h>

#include "sim/engine.hpp"
#include "sim/io/explanation.hpp"
#include "sim/io/html_report.hpp"
#include "sim/io/picture.hpp"
#include "sim/io/pytorch_export.hpp"
#include "sim/io/report.hpp"
#include "sim/io/svg.hpp"
#include "sim/io/timeline_csv.hpp"
#include "sim/io/trace.hpp"
#include "sim/task_graph.hpp"
#include "sim/verify_timeline.hpp"
#include "tools/files.hpp"
#include "tools/option_fault.hpp"
#include "tools/picture_options.hpp"
#include "tools/prepared_run.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

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

/// Throws Error if a trace that is asked for would be too large, as far as that is known now.
void require_trace_size(const Prepared& prepared, const OutputConfig& output) {
  if (!output.trace.empty()) {
    require_trace_size(prepared.problem, prepared.program, TraceFiles::one, output.trace_window);
  }
  if (!output.trace_per_rank.empty()) {
    require_trace_size(prepared.problem, prepared.program, TraceFiles::each_device,
                       output.trace_window);
  }
}

void note_slow_trace(const Request& request, std::int64_t slices) {
  if (slices <= kSlowlyLoadedSlices) return;
  print_notes(request, {fmt::format("output.trace: {} slices; viewers take minutes to load more "
                                    "than {}",
                                    slices, kSlowlyLoadedSlices)});
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
    const std::optional<PictureView> view = picture_view(request, config);
    const Wanted what = wanted(output);
    const Prepared prepared = prepare(request, config, registry, what);
    const ReportOptions options = report_options(request);
    if (what == Wanted::metrics) {
      std::optional<Report> report = stream(prepared, options);
      if (!report) report = measure(prepared, options);
      require_memory_limit(*report);
      OutputFile result = result_file(output);
      result.write(formatted(*report, request));
      result.commit();
      if (output.format != OutputFormat::table) print_notes(request, prepared.notes);
      return 0;
    }
    if (view) require_drawable(expected_blocks(prepared.problem, *view), output);
    require_trace_size(prepared, output);
    const Finished finished = simulate(prepared, options);
    require_memory_limit(finished.report);
    require_window(output.trace_window, finished.report.metrics.t_total, config.time_unit);
    std::optional<Picture> picture;
    if (view) {
      require_view(*view, prepared.problem, finished.report.metrics.t_total, config.time_unit);
      const Phase phase(request.progress, "drawing");
      picture = make_picture(finished.graph, finished.timeline, finished.report, *view);
      require_drawable(picture->blocks(), output);
    }
    OutputFile result = result_file(output);
    OutputFiles files;
    const auto tasks = static_cast<std::int64_t>(finished.graph.size());
    if (!output.trace.empty()) {
      const std::int64_t slices =
          write_trace(finished.graph, finished.timeline, files.open(output.trace, "/output/trace"),
                      output.trace_window, writing(request.progress, output.trace, tasks, "tasks"));
      note_slow_trace(request, slices);
    }
    if (!output.trace_per_rank.empty()) {
      write_rank_traces(finished.graph, finished.timeline,
                        files.open_rank_traces(output, finished.timeline.devices()),
                        output.trace_window,
                        writing(request.progress, output.trace_per_rank, tasks, "tasks"));
    }
    if (!output.timeline.empty()) {
      write_timeline_csv(prepared.problem, finished.timeline, config.time_unit,
                         files.open(output.timeline, "/output/timeline"),
                         writing(request.progress, output.timeline, tasks, "tasks"));
    }
    if (!output.svg.empty()) {
      const Phase phase = writing(request.progress, output.svg);
      const Picture* const drawn = &*picture;
      write_svg({&drawn, 1}, svg_options(request.picture), files.open(output.svg, "/output/svg"));
    }
    if (!output.html.empty()) {
      const Phase phase = writing(request.progress, output.html);
      files.open(output.html, "/output/html")
          .write(run_page(finished.report, *picture, {.critical = request.picture.critical}));
    }
    files.flush();
    result.write(formatted(finished.report, request));
    files.commit_after(result);
    if (output.format != OutputFormat::table) print_notes(request, prepared.notes);
    return 0;
  });
}

int check(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    picture_view(request, config);
    prepare(request, config, registry, wanted(config.output));
    return 0;
  });
}

int explain(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    const OutputConfig& output = config.output;
    reject(output.format == OutputFormat::csv, "/output/format", "an explanation has no csv",
           "table or json");
    reject(output.metrics_only, "/output/metrics_only", "an explanation is more than metrics",
           "a run");
    reject_traces(output, "an explanation", "a run");
    reject_pictures(request, output, "an explanation");
    reject_table_options(request, "an explanation");
    require_different_files(request, config);
    const Prepared prepared = prepare(request, config, registry, Wanted::timeline);
    Finished finished = simulate(prepared, report_options(request));
    Phase phase(request.progress, "explaining");
    Explanation explanation{.report = std::move(finished.report),
                            .idle = idle_parts(finished.graph, finished.timeline),
                            .sensitivity = {}};
    if (why_no_sensitivity(prepared.problem).empty()) {
      explanation.sensitivity =
          stage_sensitivities(finished.graph, finished.timeline,
                              config.t_r ? RecomputeTime::its_own : RecomputeTime::as_forward);
    }
    phase.finish();
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
    result.write(to_text(prepare(request, config, registry, Wanted::metrics).program));
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
    const Prepared prepared = prepare(request, config, registry, Wanted::timeline);
    PytorchExport exported;
    {
      const Phase phase = writing(request.progress, request.pytorch_csv);
      exported = export_pytorch(
          prepared.problem, prepared.program,
          request.with_comms ? PytorchFormat::compute_comms : PytorchFormat::compute_only);
      try {
        OutputFile result(request.pytorch_csv, "");
        result.write(pytorch_csv(exported.file));
        result.commit();
      } catch (const Error& error) {
        fail_option("--pytorch-csv", error.faults().front().what, "", request.pytorch_csv);
      }
    }
    print_notes(request, prepared.notes);
    print_notes(request, exported.notes);
    return 0;
  });
}

int print_events(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    reject_run_outputs(request, config.output, "an event log");
    require_different_files(request, config);
    const Prepared prepared = prepare(request, config, registry, Wanted::timeline);
    const TaskGraph graph = unrolled(prepared, request.progress);
    OutputFile result = result_file(config.output);
    result.write("time,class,sequence,device,op\n");
    simulate(graph, {.on_event =
                         [&](const Event& event) {
                           result.write(fmt::format(
                               "{},{},{},{},{}\n", format_time(event.time, config.time_unit),
                               name(event.event_class), event.sequence,
                               graph.device(event.task).value, token(graph.op(event.task))));
                         },
                     .progress = unless_terminal(request.progress, config.output.file.empty()
                                                                       ? "/dev/stdout"
                                                                       : config.output.file)});
    result.commit();
    return 0;
  });
}

int verify(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    reject_run_outputs(request, config.output, "a check");
    require_different_files(request, config);
    const Prepared prepared = prepare(request, config, registry, Wanted::timeline);
    Phase reading(request.progress, fmt::format("reading {}", request.timeline_file));
    const Timeline timeline =
        read_timeline_csv(read_file(request.timeline_file), prepared.problem, config.time_unit);
    reading.finish();
    Phase verifying(request.progress, "verifying");
    const auto violation = verify_timeline(prepared.problem, prepared.program, timeline);
    verifying.finish();
    if (violation) {
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
