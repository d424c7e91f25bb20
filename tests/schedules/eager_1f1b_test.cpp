#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

Problem problem_for(int p, int m, std::int64_t forward, std::int64_t backward,
                    std::int64_t latency) {
  Problem problem =
      test::problem_for("eager_1f1b", p, m, stage_costs(Ticks{forward}, Ticks{backward}));
  problem.communication.intra.latency = Ticks{latency};
  return problem;
}

std::int64_t t_total(const Problem& problem) {
  return test::metrics_of("eager_1f1b", problem).t_total.count;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of eager_1f1b, p=4, m=7") {
    CHECK(test::orders_of(test::program_of("eager_1f1b", problem_for(4, 7, 1, 2, 0))) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 0F3 0F4 0F5 0F6 0B0 0B1 0B2 0B3 0B4 0B5 0B6",
              "1F0 1F1 1F2 1F3 1F4 1B0 1F5 1B1 1F6 1B2 1B3 1B4 1B5 1B6",
              "2F0 2F1 2F2 2B0 2F3 2B1 2F4 2B2 2F5 2B3 2F6 2B4 2B5 2B6",
              "3F0 3B0 3F1 3B1 3F2 3B2 3F3 3B3 3F4 3B4 3F5 3B5 3F6 3B6",
          });
  }

  TEST_CASE(
      "eager_1f1b hides latencies of up to half a microbatch's work, T = F+B: "
      "(m+p-1)T + 2(p-1)c") {
    for (const auto& [f, b] : {std::pair{10, 20}, {7, 5}, {9, 1}}) {
      for (int p = 1; p <= 6; ++p) {
        for (int m = 1; m <= 3 * p; ++m) {
          for (const int c : {0, 1, (f + b) / 4, (f + b) / 2}) {
            CHECK(t_total(problem_for(p, m, f, b, c)) == (m + p - 1) * (f + b) + 2 * (p - 1) * c);
          }
          if (p > 1 && m > 2 * p) {
            const int c = (f + b) / 2 + 1;
            CHECK(t_total(problem_for(p, m, f, b, c)) > (m + p - 1) * (f + b) + 2 * (p - 1) * c);
          }
        }
      }
    }
  }

  TEST_CASE("eager_1f1b, p=4, m=8, F=1, B=2: 33.6, 36 and 39 with latencies of .1, .5 and 1") {
    CHECK(t_total(problem_for(4, 8, 10, 20, 1)) == 336);
    CHECK(t_total(problem_for(4, 8, 10, 20, 5)) == 360);
    CHECK(t_total(problem_for(4, 8, 10, 20, 10)) == 390);
  }

  TEST_CASE("eager_1f1b holds min(2(p-1-i)+1, m) activations") {
    const Problem problem = problem_for(4, 8, 1, 2, 0);
    const std::vector<std::int64_t> expected = {7, 5, 3, 1};
    CHECK(test::activations_of(test::metrics_of("eager_1f1b", problem)) == expected);
    CHECK(test::peaks_of("eager_1f1b", problem) == expected);
    CHECK(test::peaks_of("eager_1f1b", problem_for(4, 2, 1, 2, 0)) ==
          std::vector<std::int64_t>{2, 2, 2, 1});
  }

  TEST_CASE("eager_1f1b is written in as many lines for any m") {
    CHECK(test::lines(test::program_of("eager_1f1b", problem_for(4, 100, 1, 2, 0))) ==
          test::lines(test::program_of("eager_1f1b", problem_for(4, 10'000, 1, 2, 0))));
  }
}
