#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "sim/analysis.hpp"
#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

/// Forward and full backward of a stage.
struct Times {
  std::int64_t f = 1;
  std::int64_t b = 2;
};

Problem problem_for(int p, int m, int v, const Times& times = {}) {
  return test::problem_for("interleaved_1f1b", p, m, stage_costs(Ticks{times.f}, Ticks{times.b}),
                           {{"v", v}});
}

Parameters parameters(int v, std::optional<int> group = std::nullopt, int extra_warmup = 0) {
  Parameters result = {{"v", v}};
  if (group) result["group"] = *group;
  if (extra_warmup > 0) result["extra_warmup"] = extra_warmup;
  return result;
}

Metrics metrics_of(int p, int m, int v, const Parameters& given, const Times& times = {}) {
  return test::metrics_of("interleaved_1f1b", problem_for(p, m, v, times), given);
}

Program program_of(int p, int m, const Parameters& given) {
  const int v = static_cast<int>(integer(given, "v").value_or(0));
  return test::program_of("interleaved_1f1b", problem_for(p, m, v), given);
}

Plan plan_of(int p, int m, const Parameters& given) {
  return plan(*find_schedule(builtin_schedules(), "interleaved_1f1b"),
              problem_for(p, m, static_cast<int>(integer(given, "v").value_or(2))), given);
}

/// mT + (p-1)T/v, and below m = p what it takes for one group of all microbatches.
std::int64_t closed_form(int p, int m, int v, const Times& times) {
  const std::int64_t chunk = times.f + times.b;
  return m >= p ? chunk * (m * v + p - 1) : chunk * (v * p + m - 1);
}

bool megatron_accepts(int p, int m, int group) {
  return p <= group && group <= m && (m % group == 0 || m % group >= p);
}

std::vector<std::int64_t> published_peaks(int p, int m, int v, int group) {
  std::vector<std::int64_t> peaks;
  peaks.reserve(static_cast<std::size_t>(p));
  for (int i = 0; i < p; ++i) {
    peaks.push_back(std::min(2 * (p - 1 - i) + (v - 1) * group + 1, m * v));
  }
  return peaks;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of interleaved_1f1b, p=2, m=5, v=2, group=3, as Megatron-LM has them") {
    CHECK(test::orders_of(program_of(2, 5, parameters(2, 3))) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 2F0 2F1 2F2 2B0 0F3 2B1 0F4 2B2 2F3 0B0 2F4 0B1 0B2 2B3 2B4 0B3 0B4",
              "1F0 1F1 1F2 3F0 3B0 3F1 3B1 3F2 3B2 1F3 1B0 1F4 1B1 3F3 1B2 3F4 3B3 3B4 1B3 1B4",
          });
  }

  TEST_CASE("the orders of interleaved_1f1b, p=4, m=6, v=2, where all microbatches are one group") {
    const Program program = program_of(4, 6, parameters(2, 6));
    CHECK(test::order_of(program, 0) ==
          "0F0 0F1 0F2 0F3 0F4 0F5 4F0 4F1 4F2 4F3 4F4 4F5 "
          "4B0 4B1 4B2 4B3 4B4 4B5 0B0 0B1 0B2 0B3 0B4 0B5");
    CHECK(test::order_of(program, 3) ==
          "3F0 3F1 3F2 3F3 3F4 3F5 7F0 7B0 7F1 7B1 7F2 7B2 "
          "7F3 7B3 7F4 7B4 7F5 7B5 3B0 3B1 3B2 3B3 3B4 3B5");
  }

  TEST_CASE("with extra_warmup forwards overlap backwards, as in Megatron-LM for p=2, m=4, v=2") {
    CHECK(test::orders_of(program_of(2, 4, parameters(2, 2, 1))) ==
          std::vector<std::string>{
              "0F0 0F1 2F0 2F1 0F2 (0F3;2B0) (2F2;2B1) (2F3;0B0) 0B1 2B2 2B3 0B2 0B3",
              "1F0 1F1 3F0 (3F1;3B0) (1F2;3B1) (1F3;1B0) (3F2;1B1) (3F3;3B2) 3B3 1B2 1B3",
          });
  }

  TEST_CASE("interleaved_1f1b: mT + (p-1)T/v for every group that Megatron-LM accepts") {
    for (int p = 2; p <= 5; ++p) {
      for (int v = 1; v <= 3; ++v) {
        for (int m = p; m <= 3 * p + 2; ++m) {
          for (int group = 1; group <= m + 1; ++group) {
            CAPTURE(p);
            CAPTURE(v);
            CAPTURE(m);
            CAPTURE(group);
            if (!megatron_accepts(p, m, group)) {
              CHECK_THROWS_AS(program_of(p, m, parameters(v, group)), Error);
              continue;
            }
            const Metrics metrics = metrics_of(p, m, v, parameters(v, group), {3, 5});
            CHECK(metrics.t_total == Ticks{closed_form(p, m, v, {3, 5})});
            CHECK(test::activations_of(metrics) == published_peaks(p, m, v, group));
            CHECK(test::peaks_of("interleaved_1f1b", problem_for(p, m, v), parameters(v, group)) ==
                  published_peaks(p, m, v, group));
          }
        }
      }
    }
  }

  TEST_CASE("interleaved_1f1b without a group runs for every p, m and v") {
    for (int p = 1; p <= 8; ++p) {
      for (int v = 1; v <= 4; ++v) {
        for (int m = 1; m <= 3 * p + 2; ++m) {
          CAPTURE(p);
          CAPTURE(v);
          CAPTURE(m);
          const Ticks least{closed_form(p, m, v, {})};
          const Ticks total = metrics_of(p, m, v, parameters(v)).t_total;
          CHECK(total >= least);
          // A group that Megatron-LM accepts is filled in.
          const bool accepted = integer(plan_of(p, m, parameters(v)).parameters, "group") || m < p;
          if (accepted) CHECK(total == least);
          CHECK(metrics_of(p, m, v, parameters(v, std::nullopt, 1)).t_total >= least);
        }
      }
    }
  }

  TEST_CASE("the group that is filled in is m // (m // p), as PyTorch's, where that divides m") {
    for (int p = 1; p <= 9; ++p) {
      for (int m = p; m <= 5 * p + 3; ++m) {
        const auto group = integer(plan_of(p, m, parameters(2)).parameters, "group");
        if (group) CHECK(megatron_accepts(p, m, static_cast<int>(*group)));
        if (m % (m / p) == 0) CHECK(group == m / (m / p));
      }
    }
  }

  TEST_CASE("interleaved_1f1b says which group it chose unless it is p") {
    CHECK(plan_of(4, 8, parameters(2)).notes.empty());
    CHECK(integer(plan_of(4, 8, parameters(2)).parameters, "group") == 4);
    CHECK(
        plan_of(4, 9, parameters(2)).notes ==
        std::vector<std::string>{"groups of 4: the last one, 1 microbatches, does not fill the p = "
                                 "4 devices; it would with group 5"});
    CHECK(plan_of(4, 9, parameters(3)).notes ==
          std::vector<std::string>{"group=5 filled in: with 4 the last one, 1 microbatches, would "
                                   "deadlock p = 4 devices"});
    CHECK(plan_of(4, 3, parameters(2)).notes ==
          std::vector<std::string>{
              "all m = 3 microbatches are one group: they are fewer than p = 4"});
    CHECK_FALSE(integer(plan_of(4, 3, parameters(2)).parameters, "group").has_value());
    CHECK(plan_of(4, 8, parameters(2, 8)).notes.empty());
    CHECK(integer(plan_of(4, 8, parameters(2, 8)).parameters, "group") == 8);
  }

  TEST_CASE("interleaved_1f1b refuses what Megatron-LM refuses") {
    CHECK_THROWS_WITH(program_of(4, 8, parameters(2, 3)),
                      "/schedule/group: group = 3; p = 4 to m = 8");
    CHECK_THROWS_WITH(program_of(4, 8, parameters(2, 9)),
                      "/schedule/group: group = 9; p = 4 to m = 8");
    CHECK_THROWS_WITH(
        program_of(4, 9, parameters(2, 4)),
        "/schedule/group: m % group = 9 % 4 = 1; 0 or at least p = 4, such as with group 5");
    CHECK_THROWS_WITH(
        program_of(4, 3, parameters(2, 3)),
        "/schedule/group: 3 with m = 3 below p = 4; no group: all m = 3 microbatches are one");
  }

  TEST_CASE(
      "interleaved_1f1b, p=4, m=8, F=1, B=2: 28.5 with v=2, 27 with v=3; p=8, m=24: 82.5, 79") {
    CHECK(metrics_of(4, 8, 2, parameters(2), {1, 2}).t_total == Ticks{57});
    CHECK(metrics_of(4, 8, 3, parameters(3), {1, 2}).t_total == Ticks{81});
    CHECK(metrics_of(8, 24, 2, parameters(2), {1, 2}).t_total == Ticks{165});
    CHECK(metrics_of(8, 24, 3, parameters(3), {1, 2}).t_total == Ticks{237});
    CHECK(test::activations_of(metrics_of(4, 8, 2, parameters(2))) ==
          std::vector<std::int64_t>{11, 9, 7, 5});
  }

  TEST_CASE("interleaved_1f1b with small latencies, p dividing m, groups of p: + 2(pv-1)c") {
    for (int p = 2; p <= 5; ++p) {
      for (int v = 2; v <= 3; ++v) {
        for (int m = p; m <= 4 * p; m += p) {
          Problem problem = problem_for(p, m, v, {30, 50});
          problem.communication.intra.latency = Ticks{1};
          CHECK(test::metrics_of("interleaved_1f1b", problem, parameters(v)).t_total ==
                Ticks{closed_form(p, m, v, {30, 50}) + std::int64_t{2} * (p * v - 1)});
        }
      }
    }
  }

  TEST_CASE("an extra warm-up takes one activation more") {
    const Metrics metrics = metrics_of(4, 8, 2, parameters(2, 4, 1));
    CHECK(test::activations_of(metrics) == std::vector<std::int64_t>{12, 10, 8, 6});
    CHECK(test::peaks_of("interleaved_1f1b", problem_for(4, 8, 2), parameters(2, 4, 1)) ==
          std::vector<std::int64_t>{12, 10, 8, 6});
  }

  TEST_CASE("interleaved_1f1b is written in as many lines for any m, and any group") {
    const auto lines = [](int m, int group) {
      return test::lines(program_of(4, m, parameters(3, group)));
    };
    CHECK(lines(100, 4) == lines(10'000, 4));
    CHECK(lines(100, 20) == lines(10'000, 20));
    CHECK(lines(107, 25) == lines(10'007, 25));
    CHECK(lines(10'000, 20) == lines(10'000, 1000));
  }
}
