#include "tools/sweep_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "sim/io/json_tree.hpp"
#include "sim/io/output_file.hpp"
#include "tools/files.hpp"
#include "tools/option_fault.hpp"

namespace pipesim {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOption = "command line: --out";
constexpr std::string_view kShardKey = "\"shard\": \"";
constexpr std::string_view kPointsMember = ", \"points\": ";
constexpr std::string_view kOtherOut = "another --out, or --overwrite";
constexpr std::string_view kOtherFile = "the same sweep, another --out, or --overwrite";

[[noreturn]] void refuse(const std::string& path, std::string what, std::string_view allowed) {
  fail_option("--out", std::move(what), std::string(allowed), path);
}

[[noreturn]] void fail_to(std::string_view verb, const std::string& path, int error_number) {
  refuse(path, fmt::format("cannot {} \"{}\": {}", verb, path, std::strerror(error_number)), "");
}

void write_definition(const std::string& path, const std::string& definition) {
  OutputFile file(description_path(path), "");
  file.write(definition + "\n");
  file.commit();
}

void rename_or_fail(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) fail_to("write", to, errno);
}

[[noreturn]] void refuse_damaged(const std::string& path, std::int64_t bytes) {
  refuse(
      path,
      fmt::format("\"{}\" is damaged: after {} bytes stands no result of this sweep", path, bytes),
      kOtherOut);
}

[[noreturn]] void refuse_description(const std::string& path,
                                     std::string what = "describes no sweep") {
  throw Error(Fault{.place = path,
                    .what = std::move(what),
                    .allowed = "what pipesim sweep wrote beside its results, or --overwrite"});
}

std::string shard_member(std::int64_t shard, std::int64_t shards) {
  return fmt::format("{}{}/{}\"", kShardKey, shard, shards);
}

std::string with_points(const std::string& definition, std::int64_t points) {
  return fmt::format("{}{}{}}}", definition.substr(0, definition.size() - 1), kPointsMember,
                     points);
}

/// What both have in it is compared, what one has alone is a difference.
void add_differences(const JsonTree& there_tree, std::optional<JsonTree::Id> there,
                     const JsonTree& now_tree, std::optional<JsonTree::Id> now,
                     const std::string& pointer, std::vector<SweepDifference>& differences) {
  const bool are_objects = there && now && there_tree.kind(*there) == JsonKind::object &&
                           now_tree.kind(*now) == JsonKind::object;
  if (!are_objects) {
    const std::string before = there ? there_tree.excerpt(*there) : "nothing";
    const std::string after = now ? now_tree.excerpt(*now) : "nothing";
    if (there && now && there_tree.raw(*there) == now_tree.raw(*now)) return;
    differences.push_back({.pointer = pointer, .there = before, .now = after});
    return;
  }
  std::vector<std::string> keys;
  for (const auto id : there_tree.children(*there)) keys.emplace_back(there_tree.key(id));
  for (const auto id : now_tree.children(*now)) {
    const std::string key(now_tree.key(id));
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    add_differences(there_tree, there_tree.find(*there, key), now_tree, now_tree.find(*now, key),
                    child_pointer(pointer, key), differences);
  }
}

}  // namespace

SweepFormat format_of_name(const std::string& path) {
  if (path.ends_with(".csv")) return SweepFormat::csv;
  if (!path.ends_with(".jsonl")) {
    refuse(path, fmt::format("\"{}\" says no format", path), "a name that ends in .jsonl or .csv");
  }
  return SweepFormat::jsonl;
}

std::string description_path(const std::string& path) { return path + ".sweep"; }

std::string SweepDescription::whole() const {
  std::string text = definition;
  const std::string own = shard_member(shard, shards);
  return text.replace(text.find(own), own.size(), shard_member(0, 1));
}

SweepDescription parse_description(std::string text, const std::string& place) {
  while (text.ends_with('\n')) text.pop_back();
  SweepDescription description;
  const std::size_t points = text.rfind(kPointsMember);
  if (points != std::string::npos &&
      text.find_first_of("]\"", points + kPointsMember.size()) == std::string::npos) {
    const char* const begin = text.data() + points + kPointsMember.size();
    std::from_chars(begin, text.data() + text.size(), description.points.emplace());
    text.replace(points, std::string::npos, "}");
  }
  const std::size_t shard = text.find(kShardKey);
  if (shard == std::string::npos) refuse_description(place);
  const char* const end = text.data() + text.size();
  const char* const first = text.data() + shard + kShardKey.size();
  const auto [slash, fault] = std::from_chars(first, end, description.shard);
  if (fault == std::errc{} && slash != end) std::from_chars(slash + 1, end, description.shards);
  constexpr std::int64_t kMostShards = 1'000'000;
  const bool is_ours = description.shard >= 0 && description.shard < description.shards &&
                       description.shards <= kMostShards && is_json(text) &&
                       text.find(shard_member(description.shard, description.shards)) == shard;
  if (!is_ours) refuse_description(place);
  constexpr std::string_view kFormatKey = "\"format\": \"";
  const std::size_t format = text.find(kFormatKey);
  if (format < shard) {
    const std::size_t begin = format + kFormatKey.size();
    description.format = text.substr(begin, text.find('"', begin) - begin);
  }
  description.definition = std::move(text);
  return description;
}

std::optional<SweepDescription> read_description(const std::string& path) {
  std::error_code error;
  const std::string from = description_path(path);
  if (!fs::exists(from, error)) return std::nullopt;
  if (!fs::is_regular_file(from, error)) refuse_description(from);
  return parse_description(read_file(from).text, from);
}

std::vector<SweepDifference> sweep_differences(const std::string& there, const std::string& now) {
  JsonTree there_tree;
  JsonTree now_tree;
  JsonFaults doubled;
  std::vector<SweepDifference> differences;
  const auto there_root = there_tree.parse({.text = there}, doubled);
  const auto now_root = now_tree.parse({.text = now}, doubled);
  add_differences(there_tree, there_root, now_tree, now_root, "", differences);
  return differences;
}

SweepFile::SweepFile(const std::string& path, const SweepIdentity& identity, bool overwrite)
    : definition_(identity.definition) {
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_regular_file(path, error)) {
    refuse(path, fmt::format("\"{}\" is no file that a sweep can continue", path),
           "a file; without --out the results go to standard output");
  }
  path_ = path;
  if (fs::is_symlink(path, error)) {
    path_ = fs::canonical(path, error).string();
    if (error) {
      refuse(path, fmt::format("\"{}\" is a symbolic link that leads to no file", path),
             "a file, or a link to one");
    }
  }
  part_ = path_ + ".part";
  was_there_ = fs::exists(part_, error);
  lock();
  try {
    take_over(identity, overwrite);
  } catch (...) {
    if (!was_there_) ::unlink(part_.c_str());
    ::close(descriptor_);
    throw;
  }
}

SweepFile::~SweepFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// The lock is that of the open file, so it ends with the process. A sweep that has just finished
// has renamed its file: then what was locked is no longer what the name means.
void SweepFile::lock() {
  constexpr mode_t kReadWriteForAll = 0666;
  while (true) {
    descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, kReadWriteForAll);
    if (descriptor_ < 0) fail_to("write", part_, errno);
    struct stat opened {};
    struct stat named {};
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int error_number = errno;
      ::close(descriptor_);
      if (error_number != EWOULDBLOCK) fail_to("lock", part_, error_number);
      refuse(path_, fmt::format("another sweep is writing \"{}\"", part_),
             "another --out, or the same command when that sweep has ended");
    }
    if (::fstat(descriptor_, &opened) == 0 && ::stat(part_.c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
      return;
    }
    ::close(descriptor_);
  }
}

void SweepFile::take_over(const SweepIdentity& identity, bool overwrite) {
  std::error_code error;
  const bool is_there = fs::exists(path_, error);
  const bool has_part = fs::file_size(part_, error) > 0;
  const auto read = [&](const std::string& path) -> std::optional<SweepDescription> {
    try {
      return read_description(path);
    } catch (const Error&) {
      if (!overwrite) throw;
      return std::nullopt;
    }
  };
  const std::optional<SweepDescription> of_file = read(path_);
  const std::optional<SweepDescription> of_part = read(part_);
  const auto is_same = [&](const std::optional<SweepDescription>& description) {
    return description && sweep_differences(description->definition, definition_).empty();
  };
  // It had all its points when it was ended, while it put its files in place.
  const bool was_finishing = !of_file && of_part && of_part->points && is_same(of_part);
  if (was_finishing && is_there && !has_part) {
    rename_or_fail(description_path(part_), description_path(path_));
  }
  if (is_there && !overwrite && !(was_finishing && has_part)) {
    if (!was_finishing) require_same(path_, of_file);
    is_complete_ = true;
    require_whole(identity, was_finishing ? *of_part : *of_file);
    if (!was_there_) ::unlink(part_.c_str());
    return;
  }
  if (has_part && (is_same(of_part) || !overwrite)) {
    require_same(part_, of_part);
    read_part(identity, overwrite);
    return;
  }
  begin_anew(identity);
}

void SweepFile::require_same(const std::string& path,
                             const std::optional<SweepDescription>& description) const {
  constexpr std::size_t kMostShown = 10;
  if (!description) {
    refuse(path,
           fmt::format("\"{}\" is there, but no \"{}\" says what it holds", path,
                       description_path(path)),
           kOtherOut);
  }
  std::vector<SweepDifference> differences =
      sweep_differences(description->definition, definition_);
  if (differences.empty()) return;
  differences.resize(std::min(differences.size(), kMostShown));
  std::vector<Fault> faults;
  faults.reserve(differences.size() + 1);
  for (const SweepDifference& difference : differences) {
    faults.push_back({.place = path,
                      .pointer = difference.pointer,
                      .value = difference.now,
                      .what = fmt::format("{} there, {} now", difference.there, difference.now)});
  }
  faults.push_back({.place = std::string(kOption),
                    .value = path,
                    .what = fmt::format("\"{}\" holds another sweep", path),
                    .allowed = std::string(kOtherFile)});
  throw Error(std::move(faults));
}

void SweepFile::begin_anew(const SweepIdentity& identity) {
  cut(0);
  write_definition(part_, definition_);
  append(identity.header);
}

void SweepFile::cut(std::int64_t size) {
  if (::ftruncate(descriptor_, size) != 0) fail_to("write", part_, errno);
}

SweepFile::End SweepFile::read_lines(const std::string& path, const SweepIdentity& identity,
                                     bool is_complete) {
  std::ifstream lines(path, std::ios::binary);
  if (!lines) fail_to("read", path, errno);
  std::string line;
  std::int64_t whole = 0;  // bytes of lines that have their end
  bool expects_header = !identity.header.empty();
  while (std::getline(lines, line) && !lines.eof()) {
    if (expects_header) {
      if (line + "\n" != identity.header) return {.bytes = whole, .is_damaged = true};
    } else {
      const std::int64_t point = SweepWriter::point_of(line);
      // Of a complete file the number of points is known, which takes no way through the grid.
      const bool is_next =
          is_complete || !identity.next ? point > last_point_ : point == identity.next(last_point_);
      if (point < 0 || !is_next || (identity.may_be_of && !identity.may_be_of(point, line))) {
        return {.bytes = whole, .is_damaged = true};
      }
      last_point_ = point;
      ++found_;
    }
    expects_header = false;
    whole += static_cast<std::int64_t>(line.size()) + 1;
  }
  return {.bytes = whole};
}

void SweepFile::read_part(const SweepIdentity& identity, bool overwrite) {
  const End end = read_lines(part_, identity, false);
  if (end.is_damaged && !overwrite) refuse_damaged(part_, end.bytes);
  const auto rest = static_cast<std::int64_t>(fs::file_size(part_)) - end.bytes;
  if (rest > 0) {
    notes_.push_back(fmt::format("{}: {} cut off ({} bytes)", part_,
                                 end.is_damaged ? "it was damaged, and what follows was"
                                                : "its last line had no end and was",
                                 rest));
  }
  cut(end.bytes);
  write_definition(part_, definition_);
  if (end.bytes == 0) append(identity.header);
}

void SweepFile::require_whole(const SweepIdentity& identity, const SweepDescription& description) {
  if (!description.points) refuse_description(description_path(path_), "describes no whole sweep");
  const End end = read_lines(path_, identity, true);
  if (!end.is_damaged && found_ != *description.points) {
    refuse(path_, fmt::format("{} of {} points are in \"{}\"", found_, *description.points, path_),
           kOtherOut);
  }
  const auto size = std::max<std::uintmax_t>(fs::file_size(path_), identity.header.size());
  if (std::cmp_less(end.bytes, size)) refuse_damaged(path_, end.bytes);
}

void SweepFile::append(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = ::write(descriptor_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      refuse(part_, fmt::format("cannot write \"{}\": {}", part_, std::strerror(errno)),
             "the same command continues when there is room");
    }
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
}

void SweepFile::discard() {
  if (is_complete_ || found_ > 0) return;
  ::unlink(part_.c_str());
  ::unlink(description_path(part_).c_str());
}

// A file beside which another sweep's description stands would be taken for that sweep's.
void SweepFile::finish(std::int64_t points) {
  if (::fsync(descriptor_) != 0) fail_to("write", part_, errno);
  write_definition(part_, with_points(definition_, points));
  ::unlink(description_path(path_).c_str());
  rename_or_fail(part_, path_);
  rename_or_fail(description_path(part_), description_path(path_));
}

}  // namespace pipesim
