// A config taken as far as its results: what every command of a run begins with.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/io/config.hpp"
#include "sim/io/report.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/progress.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "tools/driver.hpp"

namespace pipesim {

/// A schedule applied to a problem: everything that is known before time moves.
struct Prepared {
  RunConfig config;  ///< with the parameters that the schedule chose
  const Schedule* schedule = nullptr;
  std::vector<std::string> notes;
  Problem problem;
  Program program;
  std::int64_t max_tasks = 0;
  bool keeps_tasks = false;  ///< in memory, all at once
};

/// What is wanted of a run.
enum class Wanted {
  metrics,  ///< what can be said without a timeline
  timeline  ///< when everything ran, and the critical path
};

/// Whether the config's outputs need a timeline; CSV has nothing that does. Throws Error if they do
/// and only metrics are asked for.
Wanted wanted(const OutputConfig& output);

/// The problem without an order, which find_order() adds. Requires a schedule of the registry.
/// Throws Error if the run has more than max_tasks tasks or would not fit into the machine's
/// memory.
Prepared pose(const RunConfig& config, const Registry& registry, Wanted wanted,
              std::int64_t max_tasks);

/// Throws Error if the schedule has no order for the config, or the order would not fit into the
/// machine's memory.
void find_order(Prepared& prepared);

/// Both, for the request's config.
Prepared prepare(const Request& request, const RunConfig& config, const Registry& registry,
                 Wanted wanted);

/// A run and everything that is said about it.
struct Finished {
  TaskGraph graph;
  Timeline timeline;
  Report report;
};

/// The tasks of a run.
TaskGraph unrolled(const Prepared& prepared, Progress* progress);

struct ReportOptions {
  bool formula = false;          ///< a textbook formula beside the result
  bool steady_state = true;      ///< the time of a microbatch for large m
  int jobs = 1;                  ///< trials at once
  Progress* progress = nullptr;  ///< may be null
};

ReportOptions report_options(const Request& request);

/// Runs it. Throws Error (run failed) on a deadlock; a memory limit that is exceeded is said in the
/// report.
Finished simulate(const Prepared& prepared, const ReportOptions& options);

/// Runs it for its metrics: the report has no critical path. Throws Error as simulate() does.
Report measure(const Prepared& prepared, const ReportOptions& options);

/// What measure() says, without the tasks in memory; nothing where they are needed (see
/// stream_run()). Throws Error if they would not fit into the machine's memory then.
std::optional<Report> stream(const Prepared& prepared, const ReportOptions& options);

/// The config's text, if there is one.
std::optional<ConfigText> config_text(const Request& request);

/// Calls the body; a fault found in it gets the place of its config value.
int with_places(const ConfigPlaces& places, const std::function<int()>& body);

/// Reads the config and calls the command's body, with its places.
int with_config(const Request& request, const Registry& registry,
                const std::function<int(const RunConfig&)>& body);

/// Throws Error (bad input) if something is given that the command has no use for.
void reject(bool given, std::string pointer, std::string what, std::string allowed);

/// The same for a command that writes neither traces nor a timeline.
void reject_traces(const OutputConfig& output, std::string_view what, const std::string& allowed);

/// The same for a command that writes no picture to a file; unless it shows one in the terminal,
/// with every option of pictures.
void reject_pictures(const Request& request, const OutputConfig& output, std::string_view what);

/// Throws Error (bad input) if an option of tables is given to something else.
void reject_table_options(const Request& request, std::string_view what);

/// The same for a command whose output is a text of its own.
void reject_run_outputs(const Request& request, const OutputConfig& output, std::string_view what);

/// Throws Error (run failed) if the run exceeded its memory limit.
void require_memory_limit(const Report& report);

}  // namespace pipesim
