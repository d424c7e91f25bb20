// The file of a sweep's results: grows line by line, and is there when it is complete.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/sweep_record.hpp"

namespace pipesim {

/// Who writes what: equal for the same sweep, whatever the order of keys in its source.
struct SweepIdentity {
  std::string definition;  ///< a JSON object
  std::string header;      ///< the line that begins the file; "" is none
  /// The point that the sweep has after that one, -1 for the first; empty: not known.
  std::function<std::int64_t(std::int64_t after)> next{};
  /// Whether a line (without its end) may be the result of that point; empty: not known.
  std::function<bool(std::int64_t point, std::string_view line)> may_be_of{};
};

/// The format that the name of a file says. Throws Error (bad input) if it says none.
SweepFormat format_of_name(const std::string& path);

/// What FILE.sweep says of the results in FILE.
struct SweepDescription {
  std::string definition;                ///< of the shard, without the points
  std::string format;                    ///< as a name of SweepFormat
  std::int64_t shard = 0;                ///< this one
  std::int64_t shards = 1;               ///< of so many
  std::optional<std::int64_t> points{};  ///< lines of points in the file; none: not complete

  /// The definition of the sweep that the shard is a part of.
  std::string whole() const;
};

/// Reads its text. Throws Error (bad input) at that place if it is no description.
SweepDescription parse_description(std::string text, const std::string& place);

/// Reads it; nothing if there is none. Throws Error (bad input) if it is no description.
std::optional<SweepDescription> read_description(const std::string& path);

/// Where a file's description stands.
std::string description_path(const std::string& path);

/// The results of a sweep as they are written: FILE.part until all are there, then FILE. What they
/// are the results of stands in FILE.sweep, and in FILE.part.sweep meanwhile. While this lives the
/// process has the lock of FILE.part. Every function throws Error (bad input).
class SweepFile {
 public:
  /// Takes over what a sweep that was interrupted has left: a last line without its end is cut off.
  /// Refuses a file that another process writes, and unless `overwrite` results of another sweep
  /// and a file in which anything is no result of this one, or results are missing.
  SweepFile(const std::string& path, const SweepIdentity& identity, bool overwrite);
  ~SweepFile();
  SweepFile(const SweepFile&) = delete;
  SweepFile& operator=(const SweepFile&) = delete;

  /// Whether FILE is there already and has all points.
  bool is_complete() const { return is_complete_; }
  /// How many points were found.
  std::int64_t found() const { return found_; }
  /// The last point that was found, -1 if there is none.
  std::int64_t last_point() const { return last_point_; }
  /// What was repaired, a sentence each.
  const std::vector<std::string>& notes() const { return notes_; }

  /// Appends whole lines; they outlive the process once this has returned.
  void append(std::string_view lines);
  /// Removes what this has begun; what was found stays.
  void discard();
  /// Puts the file in its place, with `points` lines of points.
  void finish(std::int64_t points);

 private:
  void lock();
  void take_over(const SweepIdentity& identity, bool overwrite);
  void begin_anew(const SweepIdentity& identity);
  void read_part(const SweepIdentity& identity, bool overwrite);
  void require_whole(const SweepIdentity& identity, const SweepDescription& description);
  /// Where the results end that the file begins with.
  struct End {
    std::int64_t bytes = 0;
    bool is_damaged = false;  ///< before a whole line that is none
  };
  /// Finds and counts the points.
  End read_lines(const std::string& path, const SweepIdentity& identity, bool is_complete);
  void cut(std::int64_t size);
  void require_same(const std::string& path,
                    const std::optional<SweepDescription>& description) const;

  std::string path_;
  std::string part_;
  std::string definition_;
  int descriptor_ = -1;
  bool was_there_ = false;  // the part
  bool is_complete_ = false;
  std::int64_t found_ = 0;
  std::int64_t last_point_ = -1;
  std::vector<std::string> notes_;
};

/// A value in which two definitions differ, as JSON or "nothing".
struct SweepDifference {
  std::string pointer;
  std::string there;
  std::string now;
};

std::vector<SweepDifference> sweep_differences(const std::string& there, const std::string& now);

}  // namespace pipesim
