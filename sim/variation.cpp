#include "sim/variation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <random>
#include <string>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/parallel.hpp"
#include "sim/task_graph.hpp"

namespace pipesim {

namespace {

void require(bool holds, const char* pointer, std::string what, std::string allowed) {
  if (holds) return;
  throw Error(Fault{.pointer = pointer, .what = std::move(what), .allowed = std::move(allowed)});
}

/// The mean of a normal with mean 1 and that standard deviation among its positive values.
double mean_above_zero(double deviation) {
  if (deviation == 0) return 1;
  const double cut = 1 / deviation;
  const double density = std::exp(-cut * cut / 2) / std::sqrt(2 * std::numbers::pi);
  const double above = std::erfc(-cut / std::numbers::sqrt2) / 2;
  return 1 + deviation * density / above;
}

/// Draws the factors of one trial.
class Factors {
 public:
  Factors(const Jitter& jitter, std::uint64_t seed, std::uint64_t trial) : jitter_(jitter) {
    std::seed_seq words = {low_word(seed), low_word(seed >> 32), low_word(trial),
                           low_word(trial >> 32)};
    random_.seed(words);
    const double log_variance = std::log1p(jitter.cv * jitter.cv);
    log_deviation_ = std::sqrt(log_variance);
    log_mean_ = -log_variance / 2;
    normal_mean_ = mean_above_zero(jitter.cv);
  }

  double draw() {
    if (jitter_.kind == JitterKind::lognormal) {
      return std::exp(log_mean_ + log_deviation_ * normal_(random_));
    }
    double factor = 0;
    while (factor <= 0) factor = 1 + jitter_.cv * normal_(random_);
    return factor / normal_mean_;
  }

 private:
  static std::uint32_t low_word(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

  Jitter jitter_;
  std::mt19937_64 random_;
  boost::random::normal_distribution<double> normal_;
  double log_deviation_ = 0;
  double log_mean_ = 0;
  double normal_mean_ = 1;
};

/// The product without the rounding of a double, which has fewer digits than Ticks.
Ticks scaled(Ticks duration, double factor) {
  constexpr int kDigits = std::numeric_limits<double>::digits;
  constexpr int kBits = 126;
  if (duration == Ticks{0}) return duration;
  int exponent = 0;
  const double fraction = std::frexp(factor, &exponent);
  const Int128 product =
      Int128{duration.count} * static_cast<std::int64_t>(std::ldexp(fraction, kDigits));
  const int shift = kDigits - exponent;  // the factor is 2^-shift times an integer
  if (shift >= kBits) return Ticks{1};
  Int128 result = 0;
  if (shift > 0) {
    result = (product + (Int128{1} << (shift - 1))) >> shift;
  } else if (-shift >= 63) {
    throw_time_overflow();
  } else {
    const Int128 most = std::numeric_limits<std::int64_t>::max();
    if (product > most >> -shift) throw_time_overflow();
    result = product << -shift;
  }
  if (result > std::numeric_limits<std::int64_t>::max()) throw_time_overflow();
  return Ticks{std::max(std::int64_t{1}, static_cast<std::int64_t>(result))};
}

/// Whether the stage has ops of the kind at all, and so a cost for them.
bool has_cost(const Problem& problem, OpKind kind, Stage stage) {
  if (!problem.durations.empty()) return true;
  switch (kind) {
    case OpKind::backward_input:
    case OpKind::backward_weight:
      return problem.costs[static_cast<std::size_t>(stage.value)].weight.has_value();
    case OpKind::recompute:
      return problem.recomputes(stage);
    default:
      return true;
  }
}

}  // namespace

Problem jittered(const Problem& problem, const Jitter& jitter, std::uint64_t seed,
                 std::int64_t trial) {
  require(jitter.cv >= 0 && jitter.cv <= kMostVariation, "/variation/jitter/cv",
          fmt::format("a coefficient of variation of {}", jitter.cv),
          fmt::format("0 to {}", kMostVariation));
  Factors factors(jitter, seed, static_cast<std::uint64_t>(trial));
  Problem varied = problem;
  varied.durations.clear();
  varied.durations.reserve(5 * static_cast<std::size_t>(problem.stages()) *
                           static_cast<std::size_t>(problem.microbatches));
  for (const OpKind kind : {OpKind::forward, OpKind::backward, OpKind::backward_input,
                            OpKind::backward_weight, OpKind::recompute}) {
    for (int stage = 0; stage < problem.stages(); ++stage) {
      const bool costs = has_cost(problem, kind, Stage{stage});
      for (int microbatch = 0; microbatch < problem.microbatches; ++microbatch) {
        const Op op = {.kind = kind, .stage = Stage{stage}, .microbatch = Microbatch{microbatch}};
        varied.durations.push_back(costs ? scaled(problem.duration(op), factors.draw()) : Ticks{0});
      }
    }
  }
  return varied;
}

std::vector<Ticks> run_trials(const Problem& problem, const Program& program,
                              const TrialOptions& options) {
  require(options.trials >= 1, "/variation/trials", fmt::format("{} trials", options.trials),
          "at least 1");
  require(options.jobs >= 1 && options.jobs <= kMostJobs, "", fmt::format("{} jobs", options.jobs),
          fmt::format("1 to {}", kMostJobs));
  validate_problem(problem);
  validate_program(problem, program);
  const Phase phase(options.progress, "running trial", options.trials, "trials");
  std::vector<Ticks> totals(static_cast<std::size_t>(options.trials));
  parallel_for(options.trials, options.jobs, [&](std::int64_t trial) {
    const TaskGraph graph(jittered(problem, options.jitter, options.seed, trial), program);
    totals[static_cast<std::size_t>(trial)] = total_time(simulate(graph));
    phase.advance();
  });
  return totals;
}

TrialSummary summary(std::vector<Ticks> totals) {
  PIPESIM_CHECK(!totals.empty());
  std::sort(totals.begin(), totals.end());
  const auto percentile = [&](std::size_t percent) {
    const std::size_t rank = (totals.size() * percent + 99) / 100;
    return totals[rank - 1];
  };
  Int128 sum = 0;
  for (const Ticks total : totals) sum += total.count;
  return {.mean = {sum, static_cast<Int128>(totals.size())},
          .median = percentile(50),
          .p5 = percentile(5),
          .p95 = percentile(95),
          .p99 = percentile(99),
          .min = totals.front(),
          .max = totals.back()};
}

}  // namespace pipesim
