// pipesim plot: results -> a picture.
#include "sim/io/plot.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/results_file.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"
#include "tools/gnuplot.hpp"
#include "tools/option_fault.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

/// A plot has no config to override: none of the options of a run means anything.
void require_plot_options(const Request& request) {
  constexpr std::string_view kAllowed = "the options of pipesim plot --help";
  if (request.config_file || request.no_header || request.formula) {
    fail_option("plot", "a plot has neither config nor header nor formula", std::string(kAllowed));
  }
  for (const Override& given : request.overrides) {
    fail_option(given.option, "not an option of a plot", std::string(kAllowed), given.value);
  }
  if (request.plot.svg.empty() && request.plot.html.empty()) {
    fail_option("plot", "no picture is asked for", "--svg FILE, --html FILE or both");
  }
}

PlotOptions options_of(const PlotRequest& request) {
  PlotOptions options = {.x = request.x,
                         .y = request.y,
                         .z = request.z,
                         .series = request.series,
                         .is_log_x = request.log.find('x') != std::string::npos,
                         .is_log_y = request.log.find('y') != std::string::npos};
  if (request.kind == "pareto") options.kind = PlotKind::pareto;
  if (request.kind == "heatmap") options.kind = PlotKind::heatmap;
  const bool is_heatmap = options.kind == PlotKind::heatmap;
  if (is_heatmap && request.z.empty())
    fail_option("--kind heatmap", "no --z", "the field of the colour");
  if (!is_heatmap && !request.z.empty()) {
    fail_option("--z", fmt::format("--kind {} has no third axis", request.kind), "--kind heatmap",
                request.z);
  }
  if (is_heatmap && !request.series.empty()) {
    fail_option("--series", "a heat map has no series", "--kind lines or pareto", request.series);
  }
  if (is_heatmap && !request.log.empty()) {
    fail_option("--log", "a heat map has a cell for each value and no scale",
                "--kind lines or pareto", request.log);
  }
  return options;
}

/// Throws unless both are names of files.
void require_names(const PlotRequest& request) {
  for (const auto& [option, path] : {std::pair("--svg", request.svg), {"--html", request.html}}) {
    if (path != "-") continue;
    fail_option(option, "\"-\" is no name of a file", "/dev/stdout for standard output", path);
  }
}

/// A fault of writing names the option that its file came from.
Error with_option(const Error& error, const PlotRequest& request) {
  std::vector<Fault> faults = error.faults();
  for (Fault& fault : faults) {
    if (!fault.place.empty()) continue;
    fault.place = fmt::format("command line: {}", fault.value == request.svg ? "--svg" : "--html");
  }
  return Error(std::move(faults), error.kind());
}

void write_pictures(const Plot& drawn, const PlotRequest& request, Progress* progress) {
  std::optional<OutputFile> svg;
  std::optional<OutputFile> html;
  if (!request.svg.empty()) {
    const Phase phase = writing(progress, request.svg);
    svg.emplace(request.svg, "");
    svg->write(finished_svg(run_gnuplot(gnuplot_script(drawn), "--svg"), drawn));
    svg->flush();
  }
  if (!request.html.empty()) {
    const Phase phase = writing(progress, request.html);
    html.emplace(request.html, "");
    html->write(plot_html(drawn));
    html->flush();
  }
  if (svg) svg->commit();
  if (html) html->commit();
}

}  // namespace

int plot(const Request& request) {
  require_plot_options(request);
  require_names(request.plot);
  const PlotOptions options = options_of(request.plot);
  require_different_files(request, RunConfig{});
  Phase phase(request.progress, "reading the results");
  std::vector<ResultsText> files;
  for (const std::string& file : request.plot.results) {
    ConfigText read = read_file(file);
    files.push_back({.name = std::move(read.name), .text = std::move(read.text)});
  }
  const Plot drawn = make_plot(read_results(files), options);
  if (!request.plot.svg.empty()) require_within(drawn, kSvgLimits, "--svg");
  if (!request.plot.html.empty()) require_within(drawn, kPageLimits, "--html");
  phase.finish();
  try {
    write_pictures(drawn, request.plot, request.progress);
  } catch (const Error& error) {
    throw with_option(error, request.plot);
  }
  print_notes(request, drawn.notes);
  return 0;
}

}  // namespace pipesim
