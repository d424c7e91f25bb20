// Runs whose op times vary at random, and what is to be expected of them.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/progress.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// The distribution of the factor by which an op takes longer or shorter. Its mean is 1 and it is
/// always above 0.
enum class JitterKind {
  lognormal,
  normal  ///< redrawn until positive, and divided by the mean of what is then left of it
};

struct Jitter {
  JitterKind kind = JitterKind::lognormal;
  double cv = 0;  ///< coefficient of variation: standard deviation over mean (of a normal, before
                  ///< it is cut at 0)
};

inline constexpr int kMostVariation = 100;

struct TrialOptions {
  Jitter jitter{};
  std::uint64_t seed = 0;
  std::int64_t trials = 1;
  int jobs = 1;                  ///< trials at once; each holds a graph and its timeline
  Progress* progress = nullptr;  ///< is told of the trials that are done; may be null
};

/// The problem as one trial runs it: `durations` holds every op's time with a factor of its own,
/// rounded half up to a tick, at least one tick where the op takes any time. Launch overhead and
/// transfers do not vary, and all steps of training repeat the same times. The result depends on
/// nothing but the arguments, on every standard library: the random numbers are those of
/// std::mt19937_64, seeded by std::seed_seq from seed and trial, and Boost's normal distribution.
/// Throws Error (bad input) unless cv is in [0, kMostVariation], and if a time leaves the range of
/// Ticks.
Problem jittered(const Problem& problem, const Jitter& jitter, std::uint64_t seed,
                 std::int64_t trial);

/// T_total of every trial, in the order of the trials 0, 1, ...; the same for any number of jobs.
/// Throws Error (bad input) unless problem and program are valid, there is at least one trial, jobs
/// are in [1, kMostJobs] and jittered() accepts the jitter; what a trial throws, of several the
/// first one.
std::vector<Ticks> run_trials(const Problem& problem, const Program& program,
                              const TrialOptions& options);

/// Percentiles are nearest rank: the smallest value that at least q percent of the trials reach or
/// stay below.
struct TrialSummary {
  Ratio mean;  ///< in ticks
  Ticks median;
  Ticks p5;
  Ticks p95;
  Ticks p99;
  Ticks min;
  Ticks max;
};

/// Requires at least one trial.
TrialSummary summary(std::vector<Ticks> totals);

}  // namespace pipesim
