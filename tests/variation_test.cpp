#include "sim/variation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

constexpr std::int64_t kMicrosecond = 1'000'000;

std::vector<Ticks> trials_of(const std::string& schedule, const Problem& problem,
                             const TrialOptions& options) {
  return run_trials(problem, test::program_of(schedule, problem), options);
}

std::vector<Ticks> ticks(const std::vector<std::int64_t>& counts) {
  std::vector<Ticks> times;
  times.reserve(counts.size());
  for (const std::int64_t count : counts) times.emplace_back(count);
  return times;
}

/// Of the factors of many ops, with their standard deviation.
struct Moments {
  double mean = 0;
  double deviation = 0;
  std::int64_t smallest = 0;
};

/// Of 2 * 8 * 2000 forwards and backwards of a million ticks.
Moments moments(const Jitter& jitter) {
  const Problem problem = jittered(test::equal_stages(8, 2000, 1'000'000, 1'000'000), jitter, 7, 0);
  constexpr std::size_t kOps = 32'000;
  REQUIRE(problem.durations.size() == 5 * kOps / 2);
  Moments found;
  found.smallest = problem.durations.front().count;
  double squares = 0;
  for (std::size_t i = 0; i < kOps; ++i) {
    const double factor = static_cast<double>(problem.durations[i].count) / 1e6;
    found.mean += factor / kOps;
    squares += factor * factor / kOps;
    found.smallest = std::min(found.smallest, problem.durations[i].count);
  }
  found.deviation = std::sqrt(squares - found.mean * found.mean);
  return found;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("variation: without jitter every trial is the plain run") {
    Problem problem = test::equal_stages(4, 8, 2 * kMicrosecond, 4 * kMicrosecond);
    problem.launch_overhead = Ticks{3};
    for (const JitterKind kind : {JitterKind::lognormal, JitterKind::normal}) {
      const auto totals = trials_of("1f1b", problem, {.jitter = {kind, 0}, .seed = 5, .trials = 4});
      const Ticks plain = total_time(simulate(problem, test::program_of("1f1b", problem)));
      CHECK(totals == std::vector<Ticks>(4, plain));
    }
  }

  TEST_CASE("variation: times beyond the digits of a double stay exact") {
    constexpr std::int64_t kLong = (std::int64_t{1} << 60) + 1;
    const Problem problem = test::equal_stages(1, 1, kLong, 1);
    CHECK(jittered(problem, {}, 0, 0).durations[0] == Ticks{kLong});
    CHECK(jittered(problem, {.kind = JitterKind::normal}, 0, 0).durations[0] == Ticks{kLong});
  }

  TEST_CASE("variation: durations of a microbatch and split backwards are the base of the jitter") {
    Problem problem = test::problem_of(2, {stage_costs(Ticks{10}, Ticks{20}, Ticks{5})});
    CHECK(jittered(problem, {}, 1, 0).durations == ticks({10, 10, 20, 20, 15, 15, 5, 5, 0, 0}));
    problem.recompute = {true};
    CHECK(jittered(problem, {}, 1, 0).durations == ticks({10, 10, 20, 20, 15, 15, 5, 5, 10, 10}));
    problem.durations = ticks({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    CHECK(jittered(problem, {}, 1, 0).durations == problem.durations);
    problem.iterations.count = 3;
    CHECK(jittered(problem, {}, 1, 0).durations == problem.durations);
  }

  TEST_CASE("variation: zero stays zero, and nothing becomes it") {
    const Problem problem = test::problem_of(500, {{Ticks{1}, Ticks{0}}});
    for (const JitterKind kind : {JitterKind::lognormal, JitterKind::normal}) {
      const Problem varied = jittered(problem, {kind, 2}, 3, 0);
      const auto middle = varied.durations.begin() + 500;
      CHECK(*std::min_element(varied.durations.begin(), middle) == Ticks{1});
      CHECK(*std::max_element(varied.durations.begin(), middle) > Ticks{1});
      CHECK(*std::max_element(middle, varied.durations.end()) == Ticks{0});
    }
  }

  TEST_CASE("variation: factors have mean 1 and the coefficient of variation asked for") {
    for (const double cv : {0.05, 0.2, 0.5}) {
      CAPTURE(cv);
      // The mean of 32000 factors has a standard deviation of cv / 179.
      const Moments lognormal = moments({JitterKind::lognormal, cv});
      CHECK(std::abs(lognormal.mean - 1) < cv / 40);
      CHECK(lognormal.deviation == doctest::Approx(cv).epsilon(0.05));
      const Moments normal = moments({JitterKind::normal, cv});
      CHECK(std::abs(normal.mean - 1) < cv / 40);
      CHECK(normal.deviation == doctest::Approx(cv).epsilon(cv > 0.3 ? 0.1 : 0.02));
    }
    // So wide that a third of the normals is redrawn, and the mean still 1.
    const Moments wide = moments({JitterKind::normal, 2});
    CHECK(std::abs(wide.mean - 1) < 0.02);
    CHECK(wide.smallest > 0);
  }

  TEST_CASE("variation: every op has a factor of its own, every trial and seed others") {
    const Problem problem = test::equal_stages(2, 2, kMicrosecond, kMicrosecond);
    const Jitter jitter = {JitterKind::lognormal, 0.1};
    std::vector<Ticks> times;
    for (const std::uint64_t seed : {0U, 1U}) {
      for (const std::int64_t trial : {0, 1}) {
        const Problem varied = jittered(problem, jitter, seed, trial);
        CHECK(varied.durations == jittered(problem, jitter, seed, trial).durations);
        times.insert(times.end(), varied.durations.begin(), varied.durations.begin() + 8);
      }
    }
    std::sort(times.begin(), times.end());
    CHECK(std::adjacent_find(times.begin(), times.end()) == times.end());
    CHECK(jittered(problem, jitter, std::uint64_t{1} << 32, 0).durations !=
          jittered(problem, jitter, 0, 0).durations);
  }

  TEST_CASE("variation: the same trials for any number of threads") {
    const Problem problem = test::equal_stages(4, 8, kMicrosecond, 2 * kMicrosecond);
    TrialOptions options = {.jitter = {JitterKind::lognormal, 0.3}, .seed = 11, .trials = 23};
    const auto one = trials_of("1f1b", problem, options);
    CHECK(one.size() == 23);
    CHECK(one[0] != one[1]);
    for (const int jobs : {2, 5, 64}) {
      options.jobs = jobs;
      CHECK(trials_of("1f1b", problem, options) == one);
    }
    options.trials = 3;
    CHECK(trials_of("1f1b", problem, options) == std::vector<Ticks>(one.begin(), one.begin() + 3));
  }

  TEST_CASE("variation: these values are the same with every compiler and standard library") {
    const Problem problem = test::equal_stages(2, 2, kMicrosecond, 2 * kMicrosecond);
    CHECK(trials_of("1f1b", problem, {.jitter = {JitterKind::lognormal, 0.2}, .trials = 3}) ==
          ticks({9'848'499, 8'056'816, 8'218'242}));
    CHECK(trials_of("1f1b", problem, {.jitter = {JitterKind::normal, 0.2}, .trials = 3}) ==
          ticks({9'722'632, 8'122'959, 8'299'858}));
  }

  TEST_CASE("variation: summary by nearest rank") {
    const TrialSummary four = summary(ticks({40, 10, 30, 20}));
    CHECK(four.mean == Ratio{25, 1});
    CHECK(four.median == Ticks{20});
    CHECK(four.p5 == Ticks{10});
    CHECK(four.p95 == Ticks{40});
    CHECK(four.p99 == Ticks{40});
    CHECK(four.min == Ticks{10});
    CHECK(four.max == Ticks{40});
    std::vector<Ticks> many;
    for (std::int64_t i = 200; i >= 1; --i) many.emplace_back(i);
    const TrialSummary of_many = summary(many);
    CHECK(of_many.mean == Ratio{201, 2});
    CHECK(of_many.median == Ticks{100});
    CHECK(of_many.p5 == Ticks{10});
    CHECK(of_many.p95 == Ticks{190});
    CHECK(of_many.p99 == Ticks{198});
    const TrialSummary one = summary(ticks({7}));
    CHECK(one.median == Ticks{7});
    CHECK(one.p5 == Ticks{7});
    CHECK(one.p99 == Ticks{7});
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    CHECK(summary(ticks({kMost, kMost, kMost})).mean == Ratio{kMost, 1});
  }

  TEST_CASE("variation: faults") {
    const Problem problem = test::equal_stages(2, 2, 1, 2);
    const auto run = [&](const TrialOptions& options) { trials_of("1f1b", problem, options); };
    CHECK_THROWS_WITH_AS(run({.trials = 0}), "/variation/trials: 0 trials; at least 1", Error);
    CHECK_THROWS_WITH_AS(run({.jobs = 0}), "0 jobs; 1 to 1024", Error);
    CHECK_THROWS_WITH_AS(run({.jobs = 1025}), "1025 jobs; 1 to 1024", Error);
    CHECK_THROWS_WITH_AS(run({.jitter = {.cv = -0.5}, .trials = 9, .jobs = 4}),
                         "/variation/jitter/cv: a coefficient of variation of -0.5; 0 to 100",
                         Error);
    CHECK_THROWS_WITH_AS(run({.jitter = {.cv = std::numeric_limits<double>::quiet_NaN()}}),
                         "/variation/jitter/cv: a coefficient of variation of nan; 0 to 100",
                         Error);
    const Problem long_ops = test::equal_stages(1, 8, std::numeric_limits<std::int64_t>::max(), 1);
    CHECK_THROWS_AS(jittered(long_ops, {JitterKind::normal, 0.5}, 0, 0), Error);
  }
}
