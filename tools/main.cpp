// The command line: options -> Request, errors -> exit codes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"
#include "sim/io/json_text.hpp"
#include "sim/io/machine_memory.hpp"
#include "sim/io/output_file.hpp"
#include "sim/memory.hpp"
#include "sim/parallel.hpp"
#include "sim/version.hpp"
#include "tools/cli11_syntax.hpp"
#include "tools/command_syntax.hpp"
#include "tools/driver.hpp"
#include "tools/memory.hpp"
#include "tools/option_fault.hpp"
#include "tools/option_values.hpp"
#include "tools/options.hpp"
#include "tools/prepared_run.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

constexpr int kExitRunFailed = 1;
constexpr int kExitBadInput = 2;

/// The options of the command line and what they collect. The commands take them all, by falling
/// through to the options of pipesim itself.
class CommandLine {
 public:
  CommandLine() : app_("Simulates pipeline-parallel training schedules, exactly.", "pipesim") {
    app_.set_help_flag("-h,--help", "print this help");
    app_.set_version_flag("--version", fmt::format("pipesim {}", kVersion), "print the version");
    app_.require_subcommand(0, 1);
    app_.add_option("--config", request_.config_file, "the run as JSON; - is standard input")
        ->type_name("FILE");
    for (const ConfigOption& option : kConfigOptions) add_override(app_, option);
    app_.add_option_function<std::string>(
            "--set",
            [this](const std::string& given) {
              if (auto set = read_set(given, malformed_)) request_.overrides.push_back(*set);
            },
            "set any config key: memory.limit=4, schedule.flush_every=2")
        ->type_name("PATH=VALUE")
        ->trigger_on_parse();
    add_picture_options();
    add_config_flag(app_, "--metrics-only", "output.metrics_only",
                    "no critical path: little memory, and no more time for more microbatches");
    app_.add_flag("--no-header", request_.no_header, "csv without its header line, for loops");
    app_.add_flag("--formula", request_.formula, "the textbook formula beside the result");
    app_.add_flag("--events", events_, "print every event in order instead of the result");
    app_.add_flag("--quiet", request_.quiet, "no notes on stderr");
    add_choice(app_, "--progress", progress_, {"auto", "always", "never"},
               "what is being done, on stderr, from half a second on; auto, if absent, on a "
               "terminal and without --quiet");
    request_.jobs = processors();
    app_.add_option_function<std::string>(
            "--jobs",
            [this](const std::string& given) {
              request_.jobs =
                  static_cast<int>(read_number("--jobs", given, "jobs", kMostJobs, malformed_));
            },
            "runs at once, of trials, a comparison or a sweep; if absent, the processors that "
            "pipesim may use")
        ->type_name("N");
    app_.add_option_function<std::string>(
            "--max-tasks",
            [this](const std::string& given) {
              request_.max_tasks =
                  read_number("--max-tasks", given, "tasks",
                              std::numeric_limits<std::int64_t>::max(), malformed_);
            },
            "refuse a run of more tasks; if absent, those that are kept must fit in memory")
        ->type_name("N");
    app_.add_option_function<std::string>(
            "--max-memory",
            [this](const std::string& given) {
              max_memory_ = read_memory("--max-memory", given, malformed_);
            },
            "take at most so much: 4GiB; if absent, what the machine has free")
        ->type_name("BYTES");
    add_choice(app_, "--errors", errors_, {"text", "json"}, "how faults are written to stderr");

    compare_ = add_command("compare", "run several schedules on the same problem");
    compare_->add_option("schedules", request_.schedules, "names; none: every schedule")
        ->type_name("SCHEDULE");
    compare_->add_flag("--show", request_.picture.show, "draw the timelines above the table");
    show_ = add_command("show", "draw the timeline in the terminal");
    explain_ = add_command("explain", "say why the bubbles are there and what would change them");
    check_ = add_command("check", "validate the config and run nothing");
    program_ = add_command("program", "print the order of every device as nested loops");
    verify_ = add_command("verify", "check a timeline, ours or another simulator's");
    verify_->add_option("--timeline", request_.timeline_file, "the timeline to check, as CSV")
        ->required()
        ->type_name("FILE");
    export_ = add_command("export", "write the order of every device for another program");
    export_
        ->add_option("--pytorch-csv", request_.pytorch_csv,
                     "the file, as torch.distributed.pipelining's _load_csv reads it")
        ->required()
        ->type_name("FILE");
    export_->add_flag("--with-comms", request_.with_comms,
                      "its format compute_comms, with communication; absent: compute_only");
    add_import();
    add_sweep();
    add_plot();
    shapes_ = add_command("shapes", "print shapes and communication of a layer split over ranks");
    take_only(*shapes_, {"--config", "--set", "--format", "--errors"});
    for (const ConfigOption& option : kShapesOptions) add_override(*shapes_, option);
    add_config_flag(*shapes_, "--sequence-parallel", "sequence_parallel",
                    "activations between blocks split along the positions");
    list_ = add_command("list", "print the schedules with their sources and parameters");
    take_only(*list_, {"--format", "--errors"});
    add_texts();
  }

  void parse(int argc, char** argv) { app_.parse(argc, argv); }

  int execute() {
    if (!malformed_.empty()) throw Error(malformed_);
    if (max_memory_ > 0) limit_memory(max_memory_);
    request_.jobs = threads_that_fit(request_.jobs, available_memory());
    const Registry registry = builtin_schedules();
    if (completion_->parsed()) return print_text(completion_script(syntax(registry), shell_));
    if (manual_->parsed()) return print_text(manual_page(syntax(registry), kVersion));
    if (list_->parsed()) return list(registry, list_format());
    if (events_ && !app_.get_subcommands().empty()) {
      throw Error(Fault{.place = "command line: --events",
                        .what = "a command has no event log",
                        .allowed = "--events without a command"});
    };
    const std::unique_ptr<Progress> progress = progress_line(progress_, request_.quiet);
    request_.progress = progress.get();
    if (shapes_->parsed()) return shapes(shapes_request());
    if (compare_->parsed()) return compare(request_, registry);
    if (show_->parsed()) return show(show_request(), registry);
    if (explain_->parsed()) return explain(request_, registry);
    if (check_->parsed()) return check(request_, registry);
    if (program_->parsed()) return print_program(request_, registry);
    if (import_->parsed()) return import_times(request_, registry);
    if (plot_->parsed()) return plot(request_);
    if (sweep_->parsed()) return sweep(request_, registry);
    if (merge_->parsed()) return merge(request_);
    if (best_->parsed()) return best(request_, registry);
    if (export_->parsed()) return export_program(request_, registry);
    if (verify_->parsed()) return verify(request_, registry);
    if (!request_.config_file && request_.overrides.empty()) {
      write_standard_error(app_.help());
      return kExitBadInput;
    }
    return events_ ? print_events(request_, registry) : run(request_, registry);
  }

  /// Help and version exit with 0, a command line that does not parse with 2.
  int exit(const CLI::ParseError& error) const {
    if (error.get_exit_code() == 0) {
      app_.exit(error);
      return std::fflush(stdout) == 0 || errno == EPIPE ? 0 : kExitBadInput;
    }
    Fault fault{.place = "command line", .what = error.what(), .allowed = "see pipesim --help"};
    const std::vector<std::string> unexpected = app_.remaining(true);
    if (!unexpected.empty()) {
      fault.value = unexpected.front();
      fault.what = fmt::format("unknown argument \"{}\"", fault.value);
      fault.nearest = nearest_name(fault.value, names_known_to(app_));
      if (fault.nearest == fault.value || fault.value == "--") fault.nearest.clear();
    }
    report(Error(std::move(fault)));
    return kExitBadInput;
  }

  void report(const Error& error) const {
    write_standard_error(errors_ == "json" ? faults_json(error) : error.what() + std::string("\n"));
  }

 private:
  CLI::App* add_command(const std::string& name, const std::string& help) {
    CLI::App* command = app_.add_subcommand(name, help);
    command->fallthrough();
    command->footer("All options of pipesim itself apply too: see pipesim --help.");
    return command;
  }

  /// The only options of pipesim itself that mean anything there.
  void take_only(CLI::App& command, std::vector<std::string> options) {
    command.footer(fmt::format("From pipesim itself it takes {}.", fmt::join(options, ", ")));
    taken_[command.get_name()] = std::move(options);
  }

  /// An option whose value is one of the words, which its help shows.
  static CLI::Option* add_choice(CLI::App& app, const char* name, std::string& value,
                                 const std::vector<std::string>& words, const char* help) {
    return app.add_option(name, value, help)
        ->check(CLI::IsMember(words).description(""))
        ->type_name(fmt::format("{{{}}}", fmt::join(words, ",")));
  }

  void add_texts() {
    completion_ = add_command("completion", "print a script by which a shell completes pipesim");
    add_choice(*completion_, "shell", shell_, {"bash", "zsh", "fish"},
               "in bash: source <(pipesim completion bash)")
        ->required();
    manual_ = add_command("manual", "print this program's manual page for man");
    for (CLI::App* command : {completion_, manual_}) take_only(*command, {"--errors"});
  }

  void add_picture_options() {
    PictureRequest& picture = request_.picture;
    app_.add_option("--from", picture.from, "pictures begin there: 2, 2.5ms; 0 if absent")
        ->type_name("TIME");
    app_.add_option("--to", picture.to, "and end there; T_total if absent")->type_name("TIME");
    app_.add_option("--devices", picture.devices, "pictures show these devices only: 0,2-5")
        ->type_name("LIST");
    app_.add_flag("--critical", picture.critical, "outline the critical path in pictures");
    app_.add_flag("--memory", picture.memory, "memory over time under a picture");
    app_.add_option("--color", picture.color,
                    "in the terminal; auto, if absent, is never where NO_COLOR is set")
        ->type_name("{auto,always,never}");
    app_.add_option("--theme", picture.theme, "of an SVG; auto if absent")
        ->type_name("{auto,light,dark}");
  }

  void add_import() {
    import_ = add_command("import", "write a config with the medians of measured times");
    take_only(*import_,
              {"-p", "-m", "--schedule", "--set", "--output", "--quiet", "--progress", "--errors"});
    import_
        ->add_option("--kineto", request_.measured.kineto,
                     "traces of the PyTorch profiler (export_chrome_trace)")
        ->type_name("FILE");
    import_->add_option("--csv", request_.measured.csv, "a table: stage,kind,time[,microbatch]")
        ->type_name("FILE")
        ->excludes("--kineto");
    import_
        ->add_option("--category", request_.measured.category,
                     "the ranges to take; the first of these that has any if absent")
        ->type_name("{gpu_user_annotation,user_annotation,cpu_op}");
    for (const RangeOption& option : kRangeOptions) {
      import_
          ->add_option_function<std::string>(
              option.name,
              [this, kind = option.kind](const std::string& given) {
                request_.measured.ranges.emplace_back(kind, given);
              },
              option.help)
          ->type_name("NAME");
    }
  }

  void add_grid(CLI::App& command) {
    const auto add_axis = [&](const char* name, bool is_zipped, const char* help) {
      command
          .add_option_function<std::string>(
              name,
              [this, is_zipped](const std::string& given) {
                request_.sweep.options.axes.push_back({.text = given, .is_zipped = is_zipped});
              },
              help)
          ->type_name("PATH=VALUES")
          ->trigger_on_parse();
    };
    add_axis("--vary", false,
             "each of these values: m=4:256:x2, t_b=1:4:0.5, schedule=gpipe,1f1b; again for "
             "another path");
    add_axis("--zip", true, "the same, but all paths that are zipped advance together");
    command
        .add_option_function<std::string>(
            "--where",
            [this](const std::string& given) {
              request_.sweep.options.conditions.push_back(given);
            },
            "only points for which it holds: 'm >= p && m % p == 0'")
        ->type_name("CONDITION")
        ->trigger_on_parse();
  }

  void add_sweep() {
    SweepRequest& sweep = request_.sweep;
    // An empty shell variable is not the same as no option.
    const auto not_empty = [](const std::string& given) {
      return given.empty() ? std::string("no value") : std::string();
    };
    sweep_ = add_command("sweep", "run every point of a grid over keys of the config");
    add_grid(*sweep_);
    sweep_
        ->add_option("--out", sweep.out,
                     "write results there, as .jsonl or .csv, and go on where an interrupted sweep "
                     "ended; absent: to standard output")
        ->check(not_empty)
        ->type_name("FILE");
    sweep_->add_option("--shard", sweep.shard, "only part I of N, from 0: every Nth point")
        ->check(not_empty)
        ->type_name("I/N");
    sweep_->add_flag("--strict", sweep.strict, "an invalid point ends the sweep");
    sweep_->add_flag("--overwrite", sweep.overwrite, "replace the results of another sweep");
    merge_ = add_command("merge", "join the results of all shards of a sweep");
    take_only(*merge_, {"--quiet", "--progress", "--errors"});
    merge_->add_option("parts", sweep.parts, "the shards' files, in any order")
        ->required()
        ->type_name("FILE");
    merge_->add_option("--out", sweep.out, "the file of the whole sweep")
        ->required()
        ->check(not_empty)
        ->type_name("FILE");
    merge_->add_flag("--overwrite", sweep.overwrite, "replace a file that is there");
    best_ = add_command("best", "the best points of a grid, and its Pareto front");
    add_grid(*best_);
    best_
        ->add_option("--objective", sweep.objective,
                     "the field to be best in; time_per_microbatch if absent")
        ->check(not_empty)
        ->type_name("OBJECTIVE");
    best_
        ->add_option_function<std::string>(
            "--limit", [this](const std::string& given) { request_.sweep.limits.push_back(given); },
            "only points with at most so much: peak_memory=80GiB; again for another field")
        ->type_name("FIELD=MOST")
        ->trigger_on_parse();
    best_->add_option("--top", sweep.top, "how many points; 10 if absent")
        ->check(not_empty)
        ->type_name("N");
  }

  void add_plot() {
    PlotRequest& plot = request_.plot;
    plot_ = add_command("plot", "draw the results of many runs");
    take_only(*plot_, {"--quiet", "--progress", "--errors"});
    plot_->add_option("results", plot.results, "what pipesim prints with --format json, or csv")
        ->required()
        ->type_name("FILE");
    add_choice(*plot_, "--kind", plot.kind, {"lines", "heatmap", "pareto"},
               "the picture; lines if absent");
    add_choice(*plot_, "--log", plot.log, {"x", "y", "xy"}, "logarithmic axes");
    for (const PlotOption& option : kPlotOptions) {
      CLI::Option* const added = plot_->add_option(option.name, plot.*option.value, option.help);
      added->type_name(option.type);
      if (option.value == &PlotRequest::x || option.value == &PlotRequest::y) added->required();
    }
  }

  // Options are applied in command-line order, so each adds its override when it is parsed.
  /// A flag that makes a config key true.
  void add_config_flag(CLI::App& app, const char* name, const char* path, const char* help) {
    app.add_flag_callback(
           name,
           [this, name, path] {
             request_.overrides.push_back({.option = name,
                                           .path = path,
                                           .value = "true",
                                           .kind = OverrideKind::json_or_text});
           },
           help)
        ->trigger_on_parse();
  }

  void add_override(CLI::App& app, const ConfigOption& option) {
    app.add_option_function<std::string>(
           option.name,
           [this, option](const std::string& given) {
             const bool is_text = option.kind == OverrideKind::text;
             request_.overrides.push_back({.option = option.name,
                                           .path = option.path,
                                           .value = is_text ? given : list_to_json(given),
                                           .kind = option.kind});
           },
           option.help)
        ->type_name(option.type)
        ->allow_extra_args(false)
        ->trigger_on_parse();
  }

  Request show_request() const {
    Request request = request_;
    request.picture.show = true;
    return request;
  }

  CommandSyntax syntax(const Registry& registry) const {
    Words known = {{"OBJECTIVE", objectives()}};
    for (const Schedule* schedule : registry) known["SCHEDULE"].emplace_back(schedule->info.name);
    return syntax_of(app_, known, taken_);
  }

  /// For texts about pipesim, to which few of its options mean anything.
  void require_only(const Words::mapped_type& meant) const {
    for (const CLI::Option* option : app_.get_options()) {
      const std::string name = option->get_name();
      if (option->count() == 0 || std::find(meant.begin(), meant.end(), name) != meant.end()) {
        continue;
      }
      fail_option(name,
                  fmt::format("{} takes only {}", app_.get_subcommands().front()->get_name(),
                              fmt::join(meant, " and ")),
                  "");
    }
  }

  int print_text(const std::string& text) const {
    require_only({"--errors"});
    OutputFile result("/dev/stdout", "");
    result.write(text);
    result.commit();
    return 0;
  }

  /// What is no key of a config cannot be asked of shapes.
  const Request& shapes_request() const {
    reject_table_options(request_, "shapes");
    return request_;
  }

  OutputFormat list_format() const {
    require_only({"--format", "--errors"});
    OutputFormat format = OutputFormat::table;
    for (const Override& given : request_.overrides) {
      if (given.value != "json" && given.value != "table") {
        fail_option(given.option, fmt::format("list has no format \"{}\"", given.value),
                    "table or json", given.value);
      }
      format = given.value == "json" ? OutputFormat::json : OutputFormat::table;
    }
    return format;
  }

  CLI::App app_;
  CLI::App* compare_ = nullptr;
  CLI::App* show_ = nullptr;
  CLI::App* explain_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* program_ = nullptr;
  CLI::App* verify_ = nullptr;
  CLI::App* export_ = nullptr;
  CLI::App* import_ = nullptr;
  CLI::App* plot_ = nullptr;
  CLI::App* sweep_ = nullptr;
  CLI::App* merge_ = nullptr;
  CLI::App* best_ = nullptr;
  CLI::App* shapes_ = nullptr;
  CLI::App* list_ = nullptr;
  CLI::App* completion_ = nullptr;
  CLI::App* manual_ = nullptr;
  Request request_;
  Words taken_;  // by command, the options of pipesim itself
  std::string shell_;
  std::string errors_ = "text";
  std::string progress_ = "auto";
  std::vector<Fault> malformed_;  // arguments of options
  std::int64_t max_memory_ = 0;   // 0: no option
  bool events_ = false;
};

int main_without_exceptions(int argc, char** argv) {
  // A reader that stops reading is found by the write that fails, after temporary files are gone.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond ulimit -f likewise
  CommandLine command_line;
  try {
    command_line.parse(argc, argv);
    return command_line.execute();
  } catch (const CLI::ParseError& error) {
    return command_line.exit(error);
  } catch (const Error& error) {
    command_line.report(error);
    return error.kind() == ErrorKind::bad_input ? kExitBadInput : kExitRunFailed;
  } catch (const std::bad_alloc&) {
    command_line.report(
        Error(Fault{.place = "pipesim",
                    .what = fmt::format("out of memory: more than the {} that are free are needed",
                                        format_bytes(available_memory())),
                    .allowed = "fewer devices, microbatches or jobs"}));
    return kExitRunFailed;
  }
}

}  // namespace

}  // namespace pipesim

int main(int argc, char** argv) { return pipesim::main_without_exceptions(argc, argv); }
