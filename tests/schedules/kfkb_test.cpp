#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

Problem problem_for(int p, int m, std::int64_t forward = 1, std::int64_t backward = 2,
                    std::int64_t latency = 0) {
  Problem problem = test::problem_for("kfkb", p, m, stage_costs(Ticks{forward}, Ticks{backward}));
  problem.communication.intra.latency = Ticks{latency};
  return problem;
}

Metrics metrics_of(const Problem& problem, int k) {
  return test::metrics_of("kfkb", problem, {{"k", k}});
}

std::vector<std::string> orders(int p, int m, int k) {
  return test::orders_of(test::program_of("kfkb", problem_for(p, m), {{"k", k}}));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of kfkb, p=4, m=8, k=2") {
    CHECK(orders(4, 8, 2) == std::vector<std::string>{
                                 "0F0 0F1 0F2 0F3 0F4 0F5 0F6 0F7 0B0 0B1 0B2 0B3 0B4 0B5 0B6 0B7",
                                 "1F0 1F1 1F2 1F3 1F4 1F5 1B0 1B1 1F6 1F7 1B2 1B3 1B4 1B5 1B6 1B7",
                                 "2F0 2F1 2F2 2F3 2B0 2B1 2F4 2F5 2B2 2B3 2F6 2F7 2B4 2B5 2B6 2B7",
                                 "3F0 3F1 3B0 3B1 3F2 3F3 3B2 3B3 3F4 3F5 3B4 3B5 3F6 3F7 3B6 3B7",
                             });
  }

  TEST_CASE("the last group of kfkb may be shorter, and k larger than m") {
    CHECK(orders(2, 5, 2) == std::vector<std::string>{"0F0 0F1 0F2 0F3 0B0 0B1 0F4 0B2 0B3 0B4",
                                                      "1F0 1F1 1B0 1B1 1F2 1F3 1B2 1B3 1F4 1B4"});
    CHECK(orders(2, 2, 2'000'000'000) ==
          std::vector<std::string>{"0F0 0F1 0B0 0B1", "1F0 1F1 1B0 1B1"});
    CHECK(orders(3, 4, 1) ==
          test::orders_of(test::program_of("1f1b", test::equal_stages(3, 4, 1, 2))));
  }

  TEST_CASE("kfkb without latency: (m+p-1)T for any m and k, and min(k(p-i), m) activations") {
    for (const auto& [f, b] : {std::pair{1, 2}, {5, 3}}) {
      for (int p = 1; p <= 6; ++p) {
        for (int m = 1; m <= 14; ++m) {
          for (int k = 1; k <= 6; ++k) {
            const Problem problem = problem_for(p, m, f, b);
            const Metrics metrics = metrics_of(problem, k);
            CHECK(metrics.t_total == Ticks{std::int64_t{m + p - 1} * (f + b)});
            std::vector<std::int64_t> expected;
            expected.reserve(static_cast<std::size_t>(p));
            for (int i = 0; i < p; ++i) expected.push_back(std::min(k * (p - i), m));
            CHECK(test::activations_of(metrics) == expected);
            CHECK(test::peaks_of("kfkb", problem, {{"k", k}}) == expected);
          }
        }
      }
    }
  }

  TEST_CASE("kfkb with latencies of up to (k-1)T/2, k dividing m: + 2(p-1)c") {
    for (const auto& [f, b] : {std::pair{10, 20}, {9, 5}}) {
      for (int p = 2; p <= 5; ++p) {
        for (int k = 2; k <= 4; ++k) {
          for (int m = k; m <= 5 * k; m += k) {
            for (const int c : {1, (f + b) / 2, (k - 1) * (f + b) / 2}) {
              CHECK(metrics_of(problem_for(p, m, f, b, c), k).t_total ==
                    Ticks{(m + p - 1) * (f + b) + 2 * (p - 1) * c});
            }
          }
        }
      }
    }
  }

  TEST_CASE("kfkb hides latencies that 1f1b does not: p=4, m=8, F=1, B=2, latency 1/2: 36, 41") {
    CHECK(metrics_of(problem_for(4, 8, 10, 20, 5), 2).t_total == Ticks{360});
    CHECK(metrics_of(problem_for(4, 8, 10, 20, 5), 1).t_total == Ticks{410});
  }

  TEST_CASE("kfkb without k takes groups of 2 and says so") {
    const Schedule& kfkb = *find_schedule(builtin_schedules(), "kfkb");
    CHECK(integer(plan(kfkb, problem_for(2, 2), {}).parameters, "k") == 2);
  }

  TEST_CASE("kfkb is written in as many lines for any m") {
    const auto lines = [](int m) {
      return test::lines(test::program_of("kfkb", problem_for(4, m), {{"k", 5}}));
    };
    CHECK(lines(100) == lines(10'000));
    CHECK(lines(103) == lines(10'003));
  }
}
