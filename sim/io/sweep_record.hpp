// What a sweep writes of each point.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/io/report.hpp"
#include "sim/io/sweep.hpp"

namespace pipesim {

/// The form of a sweep's results.
enum class SweepFormat {
  jsonl,  ///< one JSON object a line
  csv     ///< a header line and one line a point
};

/// "jsonl" or "csv".
std::string_view name(SweepFormat format);

/// A point and what came of it. Exactly one of report and reason says it, but a run over its memory
/// limit has both.
struct SweepRecord {
  std::int64_t point = 0;  ///< in the grid
  std::vector<SweepValue> values;
  const Report* report = nullptr;
  std::string reason;
};

/// "ok", "over_limit" or "invalid".
std::string_view status(const SweepRecord& record);

/// Writes records as docs/results.schema.json says, in one line each.
class SweepWriter {
 public:
  SweepWriter(const Sweep& sweep, SweepFormat format);

  /// What stands before the first record: a line, or nothing.
  std::string header() const;
  std::string line(const SweepRecord& record) const;
  /// The point of a line (without its end) that line() may have written, else -1.
  static std::int64_t point_of(std::string_view line);
  /// Whether line() may have written the line (without its end) of the point with those values:
  /// only a value of its results may be another one, and in JSONL none of its config.
  bool may_be_of(std::int64_t point, const std::vector<SweepValue>& values,
                 std::string_view line) const;

 private:
  std::string head(std::int64_t point, std::string_view status,
                   const std::vector<SweepValue>& values) const;
  bool is_json_result(std::string_view line, bool is_run) const;
  std::string json_line(const SweepRecord& record) const;
  std::string csv_line(const SweepRecord& record) const;

  SweepFormat format_;
  std::vector<std::string> axes_;     // the paths
  std::vector<std::string> columns_;  // of a result in CSV
  bool has_model_ = false;
  bool has_trials_ = false;
};

}  // namespace pipesim
