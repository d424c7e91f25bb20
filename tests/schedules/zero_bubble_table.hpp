// What the tests of the zero bubble schedules share: times of split backwards, and the tables of
// the paper (Qi et al., 2401.10241).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/metrics.hpp"
#include "tests/schedules/schedule_runs.hpp"

namespace pipesim::test {

/// Forward, input and weight gradient.
struct SplitTimes {
  std::int64_t f;
  std::int64_t i;
  std::int64_t w;

  std::int64_t sum() const { return f + i + w; }
  std::int64_t least() const { return std::min({f, i, w}); }
  StageCosts costs() const { return stage_costs(Ticks{f}, Ticks{i + w}, Ticks{w}); }
};

/// Equal and unequal times, those of table 6's order of magnitude among them.
inline std::vector<SplitTimes> split_times() {
  return {{1, 1, 1},  {12, 13, 7}, {7, 5, 4}, {5, 9, 2},
          {20, 3, 3}, {3, 3, 9},   {4, 1, 8}, {6, 9, 7}};
}

/// The longest time of a device from its first start to its last end.
inline std::int64_t longest_span(const Metrics& metrics) {
  std::int64_t longest = 0;
  for (const DeviceMetrics& device : metrics.devices) {
    longest = std::max(longest, device.last_end.count - device.first_start.count);
  }
  return longest;
}

/// A row of table 6, times in microseconds, with its rates of table 5 in ten-thousandths.
struct PublishedRun {
  int p;
  int m;
  SplitTimes times;
  std::int64_t latency;
  std::int64_t rate_1f1b;
  std::int64_t rate_zb_h1;
  std::int64_t rate_zb_h2;
};

inline std::vector<PublishedRun> published_runs() {
  return {{8, 24, {18522, 18086, 9337}, 601, 2431, 1585, 1083},
          {8, 32, {18513, 18086, 9331}, 626, 1985, 1242, 837},
          {8, 64, {18546, 18097, 9321}, 762, 1240, 674, 444},
          {16, 48, {11347, 11248, 8132}, 377, 2552, 1397, 672},
          {16, 64, {11307, 11254, 8101}, 379, 2082, 1088, 516},
          {16, 128, {11325, 11308, 8109}, 378, 1251, 576, 266}};
}

/// The bubble rate of table 5, in ten-thousandths, to the nearest.
inline std::int64_t published_rate(const std::string& schedule, const PublishedRun& run) {
  Problem problem = problem_for(schedule, run.p, run.m, run.times.costs());
  problem.communication.intra.latency = Ticks{run.latency};
  const Ratio rate = metrics_of(schedule, problem).span_bubble_rate;
  return static_cast<std::int64_t>((rate.numerator * 20'000 + rate.denominator) /
                                   (rate.denominator * 2));
}

}  // namespace pipesim::test
