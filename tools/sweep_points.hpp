// The points of a sweep, run in parallel and handed on in their order.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"
#include "sim/io/report.hpp"
#include "sim/io/sweep.hpp"
#include "sim/io/sweep_record.hpp"
#include "sim/progress.hpp"

namespace pipesim {

/// Every points `stride` from `first` on, all below the size of the grid.
struct PointRange {
  std::int64_t first = 0;
  std::int64_t stride = 1;
};

/// A point that was run, or the reason why it could not.
struct PointResult {
  std::int64_t point = 0;
  std::vector<SweepValue> values;
  std::optional<Report> report{};  ///< without critical path and steady state
  std::optional<Error> error{};

  SweepRecord record() const;
};

/// How points are run, and what is done with them.
struct PointWork {
  int jobs = 1;
  std::int64_t max_tasks = 0;          ///< that a point may have
  Progress* progress = nullptr;        ///< may be null
  std::function<bool()> is_stopped{};  ///< asked before each few points
  /// Is given a few points, one after another, on any thread; what it returns is called in the
  /// order of points, one at a time.
  std::function<std::function<void()>(const std::vector<PointResult>&)> use{};
};

/// Runs the points of the range that the sweep has. What is handed on is the same for any number of
/// jobs. Throws Error (bad input) where a condition has no answer, and what `use` throws.
void run_points(const Sweep& sweep, const Registry& registry, const PointRange& range,
                const PointWork& work);

/// Runs one point. Requires that the sweep has it.
PointResult run_one_point(const Sweep& sweep, const Registry& registry, std::int64_t point,
                          std::int64_t max_tasks);

/// A command that runs points.
struct GridCommand {
  std::string_view name;      ///< with its article, where it has one
  bool has_own_file = false;  ///< that output.file does not name
};

/// A point's config, as far as one of a sample is valid, else what the config says of outputs.
/// Throws Error (bad input) with the faults that all points share, as far as a sample of them
/// tells: they are faults of the config or of what varies, not of a point. Also if the config asks
/// for more than the command writes.
LoadedConfig require_some_valid(const Sweep& sweep, const Registry& registry,
                                const GridCommand& command);

}  // namespace pipesim
