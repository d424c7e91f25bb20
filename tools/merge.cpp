// pipesim merge: the shards of a sweep -> the file of the whole.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "sim/io/sweep_record.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"
#include "tools/option_fault.hpp"
#include "tools/picture_options.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"
#include "tools/sweep_file.hpp"

namespace pipesim {

namespace {

/// A shard's file, line by line.
class ShardReader {
 public:
  ShardReader(std::string path, SweepDescription description)
      : path_(std::move(path)), description_(std::move(description)), lines_(path_) {
    if (!lines_) fail("cannot be read", "a file, and no more of them than may be open at once");
  }

  const std::string& path() const { return path_; }
  const SweepDescription& description() const { return description_; }
  const std::string& line() const { return line_; }
  /// Of the line; -1 before the first.
  std::int64_t point() const { return point_; }

  /// The header line of CSV with its end, "" of JSONL.
  std::string take_header(SweepFormat format) {
    if (format == SweepFormat::jsonl) return "";
    if (!std::getline(lines_, line_) || !line_.starts_with("schema_version,point,")) {
      fail("its header is missing", kAllowed);
    }
    return line_ + "\n";
  }

  /// Goes on to the next line. False at the end, where it has seen as many as there should be.
  bool next() {
    const std::int64_t before = point_;
    const bool is_line = static_cast<bool>(std::getline(lines_, line_));
    if (!is_line || lines_.eof()) {
      if (is_line && !line_.empty()) fail("its last line has no end", kAllowed);
      if (seen_ != *description_.points) {
        fail(fmt::format("{} of {} points are in it", seen_, *description_.points), kAllowed);
      }
      return false;
    }
    point_ = SweepWriter::point_of(line_);
    if (point_ <= before || point_ % description_.shards != description_.shard) {
      fail(fmt::format("after {} points stands no result of shard {}/{}", seen_, description_.shard,
                       description_.shards),
           kAllowed);
    }
    ++seen_;
    return true;
  }

 private:
  static constexpr std::string_view kAllowed = "the file as pipesim sweep --shard wrote it";

  [[noreturn]] void fail(std::string what, std::string_view allowed) const {
    throw Error(Fault{.place = path_, .what = std::move(what), .allowed = std::string(allowed)});
  }

  std::string path_;
  SweepDescription description_;
  std::ifstream lines_;
  std::string line_;
  std::int64_t point_ = -1;
  std::int64_t seen_ = 0;
};

using Shards = std::vector<std::unique_ptr<ShardReader>>;

/// Each of the files, in their order. Throws with a fault for every one that cannot be a part.
Shards open_shards(const std::vector<std::string>& paths) {
  Shards shards;
  std::vector<Fault> faults;
  for (const std::string& path : paths) {
    auto description = read_description(path);
    if (!description) {
      faults.push_back({.place = path,
                        .what = fmt::format("no {} says what it holds", description_path(path)),
                        .allowed = "a file that pipesim sweep --shard wrote, and what it wrote "
                                   "beside it"});
    } else if (!description->points) {
      faults.push_back({.place = path,
                        .what = fmt::format("shard {}/{} is not complete", description->shard,
                                            description->shards),
                        .allowed = "the same sweep once more, which continues it"});
    } else {
      shards.push_back(std::make_unique<ShardReader>(path, std::move(*description)));
    }
  }
  if (!faults.empty()) throw Error(std::move(faults));
  return shards;
}

/// Throws unless the files are each shard of one sweep once.
void require_one_sweep(const Shards& shards) {
  constexpr std::int64_t kMostNamed = 20;
  const SweepDescription& first = shards.front()->description();
  std::vector<Fault> faults;
  std::vector<const ShardReader*> by_shard(static_cast<std::size_t>(first.shards));
  for (const auto& shard : shards) {
    const SweepDescription& description = shard->description();
    for (const auto& difference : sweep_differences(first.whole(), description.whole())) {
      faults.push_back({.place = shard->path(),
                        .pointer = difference.pointer,
                        .value = difference.now,
                        .what = fmt::format("{} here, {} in {}", difference.now, difference.there,
                                            shards.front()->path()),
                        .allowed = "shards of one sweep"});
    }
    if (description.shards != first.shards) {
      faults.push_back(
          {.place = shard->path(),
           .what = fmt::format("one of {} shards, but one of {} is {}", description.shards,
                               first.shards, shards.front()->path()),
           .allowed = "shards of one sweep"});
      continue;
    }
    auto& place = by_shard[static_cast<std::size_t>(description.shard)];
    if (place) {
      faults.push_back({.place = shard->path(),
                        .what = fmt::format("shard {}/{} is there twice: also {}",
                                            description.shard, description.shards, place->path()),
                        .allowed = "each shard once"});
    }
    place = shard.get();
  }
  std::string missing;
  std::int64_t count = 0;
  for (std::size_t i = 0; i < by_shard.size(); ++i) {
    if (by_shard[i] || ++count > kMostNamed) continue;
    missing += fmt::format("{}{}", missing.empty() ? "" : ", ", i);
  }
  if (count > kMostNamed) missing += fmt::format(" and {} more", count - kMostNamed);
  if (count > 0 && faults.empty()) {
    faults.push_back(
        {.place = "command line: merge",
         .what = fmt::format("of {} shards {} missing: {}", first.shards,
                             count == 1 ? "one is" : fmt::format("{} are", count), missing),
         .allowed = "every shard of the sweep"});
  }
  if (!faults.empty()) throw Error(std::move(faults));
}

/// The lines of all shards in the order of their points, from the one after `last` on.
void append_in_order(const Shards& shards, std::int64_t last, SweepFile& file, const Phase& phase) {
  constexpr std::size_t kBatch = std::size_t{1} << 20;
  const auto is_later = [](const ShardReader* left, const ShardReader* right) {
    return left->point() > right->point();
  };
  std::priority_queue<ShardReader*, std::vector<ShardReader*>, decltype(is_later)> open(is_later);
  for (const auto& shard : shards) {
    if (shard->next()) open.push(shard.get());
  }
  std::string batch;
  while (!open.empty()) {
    ShardReader* const shard = open.top();
    open.pop();
    if (shard->point() > last) {
      batch += shard->line();
      batch += '\n';
    }
    phase.advance();
    if (shard->next()) open.push(shard);
    if (batch.size() < kBatch) continue;
    file.append(batch);
    batch.clear();
  }
  file.append(batch);
}

/// The shards say what is merged.
void require_merge_options(const Request& request) {
  std::vector<std::string> others;
  if (request.config_file) others.emplace_back("--config");
  if (request.no_header) others.emplace_back("--no-header");
  if (request.formula) others.emplace_back("--formula");
  for (const Override& given : request.overrides) others.push_back(given.option);
  std::vector<Fault> faults;
  faults.reserve(others.size());
  for (const std::string& option : others) {
    faults.push_back({.place = fmt::format("command line: {}", option),
                      .what = "not an option of a merge",
                      .allowed = "the options of pipesim merge --help"});
  }
  if (!faults.empty()) throw Error(std::move(faults));
  reject_picture_options(request.picture);
}

}  // namespace

int merge(const Request& request) {
  require_merge_options(request);
  const SweepFormat format = format_of_name(request.sweep.out);
  require_different_files(request, {});
  const Shards shards = open_shards(request.sweep.parts);
  require_one_sweep(shards);
  if (shards.front()->description().format != name(format)) {
    fail_option("--out",
                fmt::format("\"{}\" beside shards in {}", request.sweep.out,
                            shards.front()->description().format),
                "a name of that format", request.sweep.out);
  }
  std::int64_t points = 0;
  std::string header;
  for (const auto& shard : shards) {
    points += *shard->description().points;
    const std::string own = shard->take_header(format);
    if (shard != shards.front() && own != header) {
      throw Error(Fault{.place = shard->path(),
                        .what = "another header than that of " + shards.front()->path(),
                        .allowed = "shards of one sweep"});
    }
    header = own;
  }
  SweepFile file(request.sweep.out,
                 {.definition = shards.front()->description().whole(), .header = header},
                 request.sweep.overwrite);
  print_notes(request, file.notes());
  if (!file.is_complete()) {
    const Phase phase(request.progress, "merging", points, "points");
    try {
      append_in_order(shards, file.last_point(), file, phase);
    } catch (const Error&) {
      file.discard();
      throw;
    }
    file.finish(points);
  }
  print_notes(request, {fmt::format("{}: {} points of {} shard{}", request.sweep.out, points,
                                    shards.size(), shards.size() == 1 ? "" : "s")});
  return 0;
}

}  // namespace pipesim
