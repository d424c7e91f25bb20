// run.json and the command line's overrides -> RunConfig, strictly: every key known, every value
// of its type and range, nothing defaulted that the documentation does not name, all faults at
// once.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/config_sections.hpp"
#include "sim/io/trace_window.hpp"
#include "sim/parameters.hpp"
#include "sim/problem.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

enum class OutputFormat { table, json, csv };

/// "table", "json" or "csv".
std::string_view name(OutputFormat format);

struct OutputConfig {
  OutputFormat format = OutputFormat::table;
  std::string file;                  ///< where the result goes; "" is standard output
  std::string trace;                 ///< Chrome trace; "" is none
  std::string trace_per_rank;        ///< directory of a Chrome trace a device; "" is none
  bool trace_per_rank_gzip = false;  ///< whether those are compressed
  TraceWindow trace_window;          ///< what both show; the whole run if not given
  std::string timeline;              ///< timeline as CSV; "" is none
  std::string svg;                   ///< picture; "" is none
  std::string html;                  ///< page; "" is none
  bool metrics_only = false;         ///< whether the result leaves out the critical path

  friend bool operator==(const OutputConfig&, const OutputConfig&) = default;
};

/// A run as it was asked for: validated key by key, before any schedule sees it.
struct RunConfig {
  std::int32_t p = 0;  ///< devices
  std::int32_t m = 0;  ///< microbatches
  TimeUnit time_unit = TimeUnit::ms;
  std::string schedule;
  Parameters parameters;   ///< of the schedule, its placement among them
  std::string order_file;  ///< from which the order among them was read; "": from the config
  TimeSpec t_f;            ///< no value where costs or a model are given
  TimeSpec t_b;            ///< no value where costs or a model are given
  std::optional<TimeSpec> t_w{};
  std::optional<TimeSpec> t_fb{};
  std::optional<TimeSpec> t_r{};
  ExtraCosts first{};  ///< on top of stage 0's
  ExtraCosts last{};   ///< on top of stage S-1's
  CostTable costs{};
  std::optional<ModelConfig> model{};  ///< with what it is split over and runs on
  P2pConfig p2p{};
  std::optional<MemoryLimit> memory_limit{};
  MemoryConfig memory{};
  RecomputeConfig recompute{};
  IterationsConfig iterations{};
  VariationConfig variation{};
  OutputConfig output;
  bool has_sweep = false;  ///< whether there is a section that a single run has no use for

  friend bool operator==(const RunConfig&, const RunConfig&) = default;
};

/// How the value of an override is read.
enum class OverrideKind {
  json_or_text,  ///< as JSON if it is JSON, else as a string
  text           ///< always as a string: a file may be called "5"
};

/// One `--set PATH=VALUE` or its short form, in command-line order.
struct Override {
  std::string option;  ///< as the user wrote it, for messages: "--set p2p.latency", "-p"
  std::string path;    ///< dotted: "memory.limit"
  std::string value;
  OverrideKind kind = OverrideKind::json_or_text;
};

class JsonTree;

/// Where the values of a config came from, so that a fault found later still names its place.
class ConfigPlaces {
 public:
  ConfigPlaces() = default;
  /// `root` is the document's in that tree.
  ConfigPlaces(std::shared_ptr<const JsonTree> tree, std::uint32_t root);

  /// The fault with the place of its pointer, or of the nearest enclosing value that was given. A
  /// fault that has a place keeps it; one without a pointer is not the config's and gets none.
  Fault located(Fault fault) const;
  /// The same for every fault of an error.
  Error located(const Error& error) const;

 private:
  std::shared_ptr<const JsonTree> tree_;
  std::uint32_t root_ = 0;
};

struct LoadedConfig {
  RunConfig config;
  ConfigPlaces places;
};

/// A config document before it is understood.
struct ConfigText {
  std::string name;  ///< for messages: the file's name as given, "<stdin>"
  std::string text;
};

/// Reads a config. `file` may be absent: then the overrides must give every required key.
/// Overrides are applied in order, after `schedule` is normalised to an object; a `schedule`
/// override replaces it wholly. Files of costs and orders are read relative to the working
/// directory, once the document is good. Throws Error (bad input) with every fault of the document,
/// in the order of their places; a lexical fault ends the list.
LoadedConfig read_config(const std::optional<ConfigText>& file, std::span<const Override> overrides,
                         std::span<const ScheduleSignature> schedules);

/// The comma list of `--t-f 1,2.5,3ms` as a JSON array whose elements are JSON values or strings;
/// a text that is JSON or has no comma is returned as it is.
std::string list_to_json(std::string_view text);

/// The layers of a model by stage. Throws Error (bad input) where they do not fit the placement.
/// Requires config.model.
std::vector<std::int32_t> layers_by_stage(const RunConfig& config, const Placement& placement);

/// Bytes of one message: as given, else as the model says; 0 without both.
std::int64_t message_bytes(const RunConfig& config);

/// The config with what its model says in place: times, messages, links and memory by stage, each
/// unless it is given; without a model the config itself. Throws Error (bad input).
RunConfig with_model_costs(const RunConfig& config, const Placement& placement);

/// The problem of a run with one stage on each device or another placement: what is given as one
/// value, or one per device, is split evenly over a device's stages, the remainder to the first
/// ones; one per stage is taken as it is. `slices` are the relative costs of the slices of every
/// microbatch. Steps without a flush between them become one long step.
/// Throws Error (bad input), also for what the reader could not judge without the placement.
Problem make_problem(const RunConfig& config, const Placement& placement,
                     const Integers& slices = {1});

/// How long the copies of parked activations take: the latency and the bandwidth of the connection
/// to the keeper, for the bytes of one stage's activations. Requires problem.parking.keeper.
std::vector<Ticks> copy_times(const RunConfig& config, const Problem& problem);

/// What the config says that changes nothing in this run, a sentence each.
std::vector<std::string> without_effect(const RunConfig& config);

/// The schedule as a config has it: an object with its name and its parameters, without the
/// placement.
std::string schedule_json(const RunConfig& config);

/// The config as it was understood, as one line of JSON with exact times and every default that
/// holds: reading it again gives the same run. Output paths are not part of it. Requires t_f and
/// t_b where there are neither costs nor a model.
std::string resolved_json(const RunConfig& config);

/// A 128-bit hash (XXH3) in hexadecimal.
std::string content_hash(std::string_view text);

/// The hash of what is simulated: resolved_json() without `output`.
std::string config_hash(const RunConfig& config);

}  // namespace pipesim

/// "4" or "80GiB".
template <>
struct fmt::formatter<pipesim::MemoryLimit> : fmt::formatter<std::string_view> {
  auto format(const pipesim::MemoryLimit& limit, format_context& context) const {
    return fmt::format_to(context.out(), "{}", pipesim::to_text(limit));
  }
};
