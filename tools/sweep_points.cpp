#include "tools/sweep_points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "sim/io/machine_memory.hpp"
#include "sim/parallel.hpp"
#include "tools/memory.hpp"
#include "tools/prepared_run.hpp"

namespace pipesim {

namespace {

/// Of a point, whose values stand beside it: the places of the faults say nothing more.
std::string reason_of(const Error& error) {
  std::string reason;
  for (Fault fault : error.faults()) {
    fault.place.clear();
    reason += (reason.empty() ? "" : "; ") + message(fault);
  }
  return reason;
}

/// What all points of a sweep may take.
struct Bounds {
  std::int64_t max_tasks;
  MemoryBudget memory{available_memory()};
};

Report run_point(const RunConfig& config, const Registry& registry, Bounds& bounds) {
  const ReportOptions options = {.steady_state = false};
  Prepared prepared = pose(config, registry, Wanted::metrics, bounds.max_tasks);
  if (prepared.schedule->info.unrolls) {
    const MemoryBudget::Part part(bounds.memory, op_count(prepared.problem));
    find_order(prepared);
    return measure(prepared, options);
  }
  find_order(prepared);
  if (auto report = stream(prepared, options)) return std::move(*report);
  const MemoryBudget::Part part(bounds.memory, op_count(prepared.problem));
  return measure(prepared, options);
}

PointResult result_of(std::int64_t point, std::vector<SweepValue> values, SweepPointReader& reader,
                      const Registry& registry, Bounds& bounds) {
  PointResult result = {.point = point, .values = std::move(values)};
  try {
    LoadedConfig loaded = reader.read(result.values);
    loaded.config.output = OutputConfig();
    loaded.config.output.format = OutputFormat::json;
    result.report = run_point(loaded.config, registry, bounds);
  } catch (const Error& error) {
    result.error = error;
  }
  return result;
}

/// Sizes of pieces that take some milliseconds each: small enough that little is lost with them,
/// large enough that handing them on costs nothing.
class PieceSizes {
 public:
  std::int64_t next() const {
    constexpr std::int64_t kMost = 512;
    constexpr std::int64_t kNanoseconds = 2'000'000;
    const std::int64_t done = points_;
    if (done == 0) return 1;
    return std::clamp<std::int64_t>(kNanoseconds * done / std::max<std::int64_t>(1, nanoseconds_),
                                    1, std::min(kMost, done));
  }

  void add(std::int64_t points, std::chrono::nanoseconds time) {
    points_ += points;
    nanoseconds_ += time.count();
  }

 private:
  std::atomic<std::int64_t> points_ = 0;
  std::atomic<std::int64_t> nanoseconds_ = 0;
};

/// Readers that no thread is using.
class Readers {
 public:
  Readers(const Sweep& sweep, const Registry& registry)
      : sweep_(sweep), schedules_(signatures(registry)) {}

  std::unique_ptr<SweepPointReader> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<SweepPointReader>(sweep_, schedules_);
    auto reader = std::move(free_.back());
    free_.pop_back();
    return reader;
  }

  void give_back(std::unique_ptr<SweepPointReader> reader) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(reader));
  }

 private:
  const Sweep& sweep_;
  std::vector<ScheduleSignature> schedules_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<SweepPointReader>> free_;
};

std::int64_t points_in(const PointRange& range, std::int64_t size) {
  return range.first >= size ? 0 : (size - range.first - 1) / range.stride + 1;
}

void require_results_only(const OutputConfig& output, const ConfigPlaces& places,
                          const GridCommand& command) {
  try {
    reject_traces(output, command.name, "a run");
    reject_pictures({}, output, command.name);
    reject(!output.file.empty() && command.has_own_file, "/output/file",
           fmt::format("{} writes to --out", command.name), "--out FILE");
  } catch (const Error& error) {
    throw places.located(error);
  }
}

/// The same thing that is wrong.
bool is_same(const Fault& left, const Fault& right) {
  return left.pointer == right.pointer && left.what == right.what;
}

}  // namespace

SweepRecord PointResult::record() const {
  SweepRecord record = {.point = point, .values = values, .report = nullptr, .reason = {}};
  if (error) record.reason = reason_of(*error);
  if (report) {
    record.report = &*report;
    if (report->over_limit) {
      record.reason = sentence(*report->over_limit, report->problem, report->config.time_unit);
    }
  }
  return record;
}

void run_points(const Sweep& sweep, const Registry& registry, const PointRange& range,
                const PointWork& work) {
  using Clock = std::chrono::steady_clock;
  const std::int64_t count = points_in(range, sweep.size());
  const Phase phase(work.progress, "sweeping", count, "points");
  Readers readers(sweep, registry);
  Bounds bounds{.max_tasks = work.max_tasks};
  PieceSizes sizes;
  std::int64_t begun = 0;
  const auto next = [&]() -> std::optional<Piece> {
    if (begun == count || work.is_stopped()) return std::nullopt;
    const std::int64_t begin = begun;
    begun += std::min(sizes.next(), count - begun);
    return Piece{begin, begun};
  };
  const auto run = [&](Piece piece) -> std::function<void()> {
    const Clock::time_point start = Clock::now();
    auto reader = readers.take();
    std::vector<PointResult> results;
    for (std::int64_t index = piece.begin; index < piece.end; ++index) {
      const std::int64_t point = range.first + index * range.stride;
      std::vector<SweepValue> values = sweep.values(point);
      try {
        if (!sweep.has(values)) continue;
      } catch (const Error& error) {
        results.push_back({.point = point, .values = std::move(values), .error = error});
        continue;
      }
      results.push_back(result_of(point, std::move(values), *reader, registry, bounds));
    }
    readers.give_back(std::move(reader));
    auto take = work.use(results);
    sizes.add(piece.end - piece.begin, Clock::now() - start);
    return [&, piece, take = std::move(take)] {
      take();
      phase.advance(piece.end - piece.begin);
    };
  };
  parallel_in_order(work.jobs, next, run);
}

PointResult run_one_point(const Sweep& sweep, const Registry& registry, std::int64_t point,
                          std::int64_t max_tasks) {
  const std::vector<ScheduleSignature> schedules = signatures(registry);
  SweepPointReader reader(sweep, schedules);
  Bounds bounds{.max_tasks = max_tasks};
  return result_of(point, sweep.values(point), reader, registry, bounds);
}

LoadedConfig require_some_valid(const Sweep& sweep, const Registry& registry,
                                const GridCommand& command) {
  constexpr std::int64_t kSample = 64;
  const std::vector<ScheduleSignature> schedules = signatures(registry);
  SweepPointReader reader(sweep, schedules);
  std::optional<std::vector<Fault>> shared;
  const std::int64_t count = std::min(kSample, sweep.size());
  for (std::int64_t i = 0; i < count; ++i) {
    // 128 bits: the size may be near 2^63.
    const auto point =
        static_cast<std::int64_t>(count == 1 ? 0 : Int128{sweep.size() - 1} * i / (count - 1));
    const std::vector<SweepValue> values = sweep.values(point);
    try {
      if (!sweep.has(values)) continue;
      LoadedConfig loaded = reader.read(values);
      require_results_only(loaded.config.output, loaded.places, command);
      return loaded;
    } catch (const Error& error) {
      if (!shared) {
        shared = error.faults();
        continue;
      }
      std::erase_if(*shared, [&](const Fault& fault) {
        return std::none_of(error.faults().begin(), error.faults().end(),
                            [&](const Fault& other) { return is_same(fault, other); });
      });
    }
  }
  if (shared && !shared->empty()) throw Error(std::move(*shared));
  const ConfigText outputs_alone = {
      .name = "output",
      .text =
          fmt::format(R"({{"p": 1, "m": 1, "t_f": 1, "t_b": 1, "schedule": "{}", "output": {}}})",
                      schedules.front().name, sweep.output_json())};
  const LoadedConfig loaded = read_config(outputs_alone, {}, schedules);
  require_results_only(loaded.config.output, loaded.places, command);
  LoadedConfig outputs;
  outputs.config.output = loaded.config.output;
  return outputs;
}

}  // namespace pipesim
