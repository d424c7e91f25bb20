// pipesim sweep: every point of a grid.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <functional>
#include <optional>
#include <string_view>

#include "sim/io/json_text.hpp"
#include "sim/io/sweep_record.hpp"
#include "sim/version.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"
#include "tools/interruption.hpp"
#include "tools/option_fault.hpp"
#include "tools/picture_options.hpp"
#include "tools/prepared_run.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"
#include "tools/sweep_file.hpp"
#include "tools/sweep_points.hpp"

namespace pipesim {

namespace {

/// The part of the grid that "I/N" names: every Nth point from I on.
PointRange shard_of(const std::string& text) {
  if (text.empty()) return {};
  constexpr std::int64_t kMost = 1'000'000;
  PointRange range;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, range.first);
  const bool has_slash = first.ec == std::errc{} && first.ptr != end && *first.ptr == '/';
  const auto second =
      has_slash ? std::from_chars(first.ptr + 1, end, range.stride) : std::from_chars_result{};
  const bool is_whole = has_slash && second.ec == std::errc{} && second.ptr == end;
  if (!is_whole || range.first < 0 || range.stride < 1 || range.stride > kMost ||
      range.first >= range.stride) {
    fail_option("--shard", fmt::format("\"{}\" is no shard", text),
                "I/N with I from 0 to N-1, such as 0/8, and N up to 1000000", text);
  }
  return range;
}

/// By the name of the file, else as the config says.
SweepFormat format_of(const Request& request, const OutputConfig& output) {
  const bool says_csv = output.format == OutputFormat::csv;
  if (request.sweep.out.empty()) return says_csv ? SweepFormat::csv : SweepFormat::jsonl;
  const SweepFormat format = format_of_name(request.sweep.out);
  if (output.format != OutputFormat::table && says_csv != (format == SweepFormat::csv)) {
    fail_option("--out",
                fmt::format("\"{}\" beside the format {}", request.sweep.out, name(output.format)),
                "a name of that format, or no format", request.sweep.out);
  }
  return format;
}

void require_options(const Request& request) {
  const auto reject_option = [](bool given, std::string_view option, std::string_view what,
                                std::string_view allowed) {
    if (given) fail_option(option, std::string(what), std::string(allowed), "");
  };
  reject_picture_options(request.picture);
  reject_option(request.formula, "--formula", "a sweep has no formula", "a run");
  reject_option(request.sweep.overwrite && request.sweep.out.empty(), "--overwrite",
                "there is no file to overwrite", "with --out FILE");
  for (const Override& given : request.overrides) {
    reject_option(given.path == "output.format" && given.value == "table", given.option,
                  "a sweep has no table", "json, a line a point, or csv");
  }
}

/// The faults of a point that end a sweep.
Error as_strict(const PointResult& result) {
  std::string at;
  for (const SweepValue& value : result.values) {
    at += fmt::format("{}{}={}", at.empty() ? "" : ", ", value.axis->path, value.plain());
  }
  std::vector<Fault> faults = result.error->faults();
  for (Fault& fault : faults) fault.place = fmt::format("point {} ({})", result.point, at);
  return Error(std::move(faults), result.error->kind());
}

struct Count {
  std::atomic<std::int64_t> points = 0;
  std::int64_t invalid = 0;
  std::int64_t over_limit = 0;
};

/// Runs the points from `range` on and hands their lines on.
void write_points(const Sweep& sweep, const Registry& registry, const Request& request,
                  const PointRange& range, const SweepWriter& writer,
                  const Interruption& interruption,
                  const std::function<void(std::string_view)>& write, Count& count) {
  const PointWork work = {
      .jobs = request.jobs,
      .max_tasks = request.max_tasks,
      .progress = unless_terminal(request.progress,
                                  request.sweep.out.empty() ? "/dev/stdout" : request.sweep.out),
      .is_stopped = [&] { return interruption.requested(); },
      .use = [&](const std::vector<PointResult>& results) -> std::function<void()> {
        std::string lines;
        Count of_these;
        std::optional<Error> fatal;
        for (const PointResult& result : results) {
          if (request.sweep.strict && result.error) {
            fatal = as_strict(result);
            break;
          }
          lines += writer.line(result.record());
          ++of_these.points;
          if (result.error) ++of_these.invalid;
          if (result.report && result.report->over_limit) ++of_these.over_limit;
        }
        return [&, lines = std::move(lines), points = of_these.points.load(),
                invalid = of_these.invalid, over_limit = of_these.over_limit,
                fatal = std::move(fatal)] {
          write(lines);
          count.points += points;
          count.invalid += invalid;
          count.over_limit += over_limit;
          if (fatal) throw Error(*fatal);
        };
      }};
  run_points(sweep, registry, range, work);
}

std::string points(std::int64_t count) {
  return fmt::format("{} point{}", count, count == 1 ? "" : "s");
}

std::string summary(const std::string& out, const Count& count, std::int64_t found) {
  std::string text = fmt::format("{}: {}: {} simulated now, {} found done", out,
                                 points(count.points + found), count.points.load(), found);
  if (count.invalid > 0) text += fmt::format("; {} of those simulated invalid", count.invalid);
  if (count.over_limit > 0) {
    text += fmt::format("; {} over the memory limit", count.over_limit);
  }
  return text;
}

/// The point of the range that the sweep has after that one; its size if there is none.
std::int64_t next_point(const Sweep& sweep, const PointRange& range, std::int64_t after) {
  std::int64_t point = after < 0 ? range.first : after;
  if (after >= 0 && __builtin_add_overflow(point, range.stride, &point)) return sweep.size();
  while (point < sweep.size()) {
    try {
      if (sweep.has(sweep.values(point))) break;
    } catch (const Error&) {
      break;  // it is there, as an invalid one
    }
    if (__builtin_add_overflow(point, range.stride, &point)) break;
  }
  return std::min(point, sweep.size());
}

/// Equal for equal results.
std::string definition_of(const Sweep& sweep, const PointRange& range, SweepFormat format) {
  std::string files;
  for (const std::string& path : sweep.input_files()) {
    // A file that cannot be read is an invalid point, and the same one as long as it cannot.
    std::string hash = "null";
    try {
      hash = json_string(content_hash(read_file(path).text));
    } catch (const Error&) {
    }
    files += fmt::format("{}{}: {}", files.empty() ? "" : ", ", json_string(path), hash);
  }
  return fmt::format(
      R"({{"schema_version": {}, "pipesim_version": "{}", "format": "{}", "shard": "{}/{}", )"
      R"({}, "files": {{{}}}}})",
      kResultSchemaVersion, kVersion, name(format), range.first, range.stride, sweep.definition(),
      files);
}

void note_no_points(const Request& request, const Sweep& sweep, std::int64_t points) {
  if (points > 0) return;
  print_notes(request, {fmt::format("no point is left of the {} of the grid", sweep.size())});
}

int sweep_to_output(const Sweep& sweep, const Request& request, const Registry& registry,
                    const PointRange& range, SweepFormat format) {
  const SweepWriter writer(sweep, format);
  OutputFile out = result_file({});
  if (!request.no_header) out.write(writer.header());
  Count count;
  const Interruption interruption([] { return std::string("interrupted\n"); });
  write_points(
      sweep, registry, request, range, writer, interruption,
      [&](std::string_view lines) {
        out.write(lines);
        out.flush();
      },
      count);
  out.commit();
  note_no_points(request, sweep, count.points);
  return interruption.requested() ? interruption.exit_code() : 0;
}

int sweep_to_file(const Sweep& sweep, const Request& request, const Registry& registry,
                  const PointRange& range, SweepFormat format) {
  const std::string& out = request.sweep.out;
  const SweepWriter writer(sweep, format);
  const SweepIdentity identity = {
      .definition = definition_of(sweep, range, format),
      .header = writer.header(),
      .next = [&](std::int64_t after) { return next_point(sweep, range, after); },
      .may_be_of =
          [&](std::int64_t point, std::string_view line) {
            return point < sweep.size() && point % range.stride == range.first &&
                   writer.may_be_of(point, sweep.values(point), line);
          }};
  SweepFile file(out, identity, request.sweep.overwrite);
  print_notes(request, file.notes());
  Count count;
  if (!file.is_complete()) {
    const auto last_words = [&] {
      return fmt::format("interrupted: {} in {}.part; the same command continues\n",
                         points(file.found() + count.points), out);
    };
    PointRange rest = range;
    if (file.last_point() >= 0) rest.first = file.last_point() + range.stride;
    const Interruption interruption(last_words);
    try {
      write_points(
          sweep, registry, request, rest, writer, interruption,
          [&](std::string_view lines) { file.append(lines); }, count);
    } catch (const Error&) {
      if (count.points == 0) file.discard();
      throw;
    }
    if (interruption.requested()) {
      write_standard_error(last_words());
      return interruption.exit_code();
    }
    file.finish(file.found() + count.points);
  }
  print_notes(request, {summary(out, count, file.found())});
  return 0;
}

}  // namespace

int sweep(const Request& request, const Registry& registry) {
  require_options(request);
  const PointRange range = shard_of(request.sweep.shard);
  const Sweep sweep(config_text(request), request.overrides, request.sweep.options);
  const RunConfig config =
      require_some_valid(sweep, registry, {.name = "a sweep", .has_own_file = true}).config;
  require_different_files(request, config, sweep.input_files());
  const SweepFormat format = format_of(request, config.output);
  if (request.no_header && (format != SweepFormat::csv || !request.sweep.out.empty())) {
    fail_option("--no-header", "only csv on standard output can go without its header",
                "--format csv without --out", "");
  }
  return request.sweep.out.empty() ? sweep_to_output(sweep, request, registry, range, format)
                                   : sweep_to_file(sweep, request, registry, range, format);
}

}  // namespace pipesim
