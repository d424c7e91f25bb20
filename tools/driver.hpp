// The commands of pipesim: the only code that knows the whole chain from a config to its outputs.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/io/config.hpp"
#include "sim/io/sweep.hpp"
#include "sim/progress.hpp"

namespace pipesim {

/// The measurements that import reads.
struct MeasuredSource {
  std::vector<std::string> kineto;  ///< traces of the PyTorch profiler; empty: the table
  std::string csv;
  std::string category;  ///< of a trace's ranges; "": the first that has any
  /// What the ranges of a kind are called, where the default names are not meant.
  std::vector<std::pair<OpKind, std::string>> ranges;
};

/// What pictures show and how, as it stands on the command line.
struct PictureRequest {
  std::optional<std::string> from{};
  std::optional<std::string> to{};
  std::optional<std::string> devices{};
  std::optional<std::string> theme{};
  std::optional<std::string> color{};
  bool critical = false;
  bool memory = false;
  bool show = false;  ///< in the terminal
};

/// The picture that plot draws; "" is not given.
struct PlotRequest {
  std::vector<std::string> results;  ///< files; "-" is standard input
  std::string kind = "lines";        ///< lines, heatmap or pareto
  std::string x;                     ///< names of fields
  std::string y;
  std::string z;
  std::string series;
  std::string log;  ///< x, y or xy
  std::string svg;  ///< files
  std::string html;
};

/// A sweep, or a search for its best points; "" is not given.
struct SweepRequest {
  SweepOptions options;
  std::string out;                  ///< where the results go; "" is standard output
  std::string shard;                ///< I/N
  bool strict = false;              ///< a point that is invalid ends the sweep
  bool overwrite = false;           ///< another sweep's results may go
  std::vector<std::string> parts;   ///< of merge: the files
  std::string objective;            ///< of best
  std::vector<std::string> limits;  ///< of best: FIELD=MOST
  std::string top;                  ///< of best: how many points
};

/// What the command line asks for, whatever the command.
struct Request {
  std::optional<std::string> config_file;  ///< "-" is standard input
  std::vector<Override> overrides;         ///< in command-line order
  std::vector<std::string> schedules;      ///< of compare; empty: every schedule
  std::string timeline_file;               ///< of verify
  std::string pytorch_csv;                 ///< the file that export writes
  bool with_comms = false;                 ///< with communication in it
  MeasuredSource measured;                 ///< of import
  PictureRequest picture;
  PlotRequest plot;        ///< of plot
  SweepRequest sweep;      ///< of sweep, merge and best
  bool no_header = false;  ///< csv without its header
  bool quiet = false;      ///< no notes on stderr
  bool formula = false;    ///< the closed form beside the result
  int jobs = 1;            ///< runs at once, of trials or of a comparison
  /// Tasks that a run may have.
  std::int64_t max_tasks = std::numeric_limits<std::int64_t>::max();
  Progress* progress = nullptr;  ///< is told what is being done while nothing is printed; or null
};

/// Each command writes its result to standard output or to the files that the config names, notes
/// to stderr, and returns the exit code. All throw Error.
int run(const Request& request, const Registry& registry);
/// Runs several schedules on the same problem.
int compare(const Request& request, const Registry& registry);
/// Says in sentences where the idle time comes from and what would change T_total.
int explain(const Request& request, const Registry& registry);
/// Draws the timeline in the terminal.
int show(const Request& request, const Registry& registry);
/// Validates the config and its schedule without running anything.
int check(const Request& request, const Registry& registry);
/// Prints the program as nested loops.
int print_program(const Request& request, const Registry& registry);
/// Prints every event in the order in which it happens, as CSV.
int print_events(const Request& request, const Registry& registry);
/// Checks a timeline file against the config.
int verify(const Request& request, const Registry& registry);
/// Writes the program as a schedule file of torch.distributed.pipelining.
int export_program(const Request& request, const Registry& registry);
/// Writes a config with the medians of measured times and their spread as jitter.
int import_times(const Request& request, const Registry& registry);
/// Prints shapes and communication of a transformer layer whose weights are split over ranks.
int shapes(const Request& request);
/// Runs every point of a grid over keys of the config.
int sweep(const Request& request, const Registry& registry);
/// Joins the results of the shards of a sweep.
int merge(const Request& request);
/// The best points of a sweep and its Pareto front.
int best(const Request& request, const Registry& registry);
/// The fields that best can be asked for.
std::vector<std::string> objectives();
/// Draws the results of many runs.
int plot(const Request& request);
/// Prints the schedules; `format` is table or json.
int list(const Registry& registry, OutputFormat format);

}  // namespace pipesim
