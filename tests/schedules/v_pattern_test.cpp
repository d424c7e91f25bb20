// v_min, v_half and 1f1b_v: Qi et al., Pipeline Parallelism with Controllable Memory, 2405.15362.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/metrics.hpp"
#include "sim/steady_state.hpp"
#include "sim/verify_timeline.hpp"
#include "tests/schedules/placed_problems.hpp"

using namespace pipesim;

namespace {

const std::array<std::string, 3> kSchedules = {"v_min", "v_half", "1f1b_v"};
const StageCosts kUnit = test::split_chunk(1, 1, 1);

Program program_for(const std::string& schedule, int p, int m) {
  return test::program_of(schedule, test::problem_for(schedule, p, m, kUnit));
}

std::int64_t excess(const std::string& schedule, int p, int m) {
  const Problem problem = test::problem_for(schedule, p, m, kUnit);
  return test::excess(problem, test::program_of(schedule, problem));
}

std::int64_t t_total(const std::string& schedule, int p, int m, const StageCosts& costs,
                     std::int64_t latency) {
  Problem problem = test::problem_for(schedule, p, m, costs);
  problem.communication.intra.latency = Ticks{latency};
  return total_time(simulate(problem, test::program_of(schedule, problem))).count;
}

/// 2 floor((p+4)/3), 2 floor((p+2)/2), 2 floor((2p+3)/3).
std::int64_t most_kept(const std::string& schedule, std::int64_t p) {
  if (schedule == "v_min") return 2 * ((p + 4) / 3);
  return schedule == "v_half" ? 2 * ((p + 2) / 2) : 2 * ((2 * p + 3) / 3);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("v_min, p=4, m=4, as the authors' zbv_greedy orders it") {
    const Program program = program_for("v_min", 4, 4);
    CHECK(test::order_of(program, 0) ==
          "0F0 0F1 0F2 7F0 7I0 7W0 7F1 7I1 7W1 0I0 0W0 0F3 7F2 7I2 0I1 7W2 0W1 7F3 7I3 0I2 7W3 "
          "0W2 0I3 0W3");
    CHECK(test::order_of(program, 1) ==
          "1F0 1F1 6F0 6F1 6I0 6W0 1F2 1I0 6I1 6W1 1W0 6F2 1F3 1I1 6I2 6W2 1W1 6F3 1I2 6I3 6W3 "
          "1W2 1I3 1W3");
    CHECK(test::order_of(program, 2) ==
          "2F0 2F1 5F0 5F1 5I0 5W0 2F2 2I0 2W0 5I1 5F2 5W1 2I1 2F3 2W1 5I2 5F3 5W2 2I2 2W2 5I3 "
          "5W3 2I3 2W3");
    CHECK(test::order_of(program, 3) ==
          "3F0 4F0 3F1 4F1 4I0 3I0 4W0 3W0 3F2 4F2 4I1 3I1 4W1 3W1 3F3 4F3 4I2 3I2 4W2 3W2 4I3 "
          "3I3 4W3 3W3");
  }

  TEST_CASE("v_half, p=4, m=6, as the authors' zbv_greedy orders it") {
    CHECK(test::order_of(program_for("v_half", 4, 6), 0) ==
          "0F0 0F1 0F2 0F3 0F4 7F0 7I0 7W0 7F1 7I1 7W1 7F2 0I0 7I2 7W2 7F3 0W0 0F5 0I1 7I3 7W3 "
          "7F4 7I4 7W4 0I2 0W1 0W2 7F5 7I5 0I3 7W5 0I4 0W3 0W4 0I5 0W5");
  }

  TEST_CASE("1f1b_v, p=4, m=4, as the authors' v1f1b orders it") {
    const Program program = program_for("1f1b_v", 4, 4);
    CHECK(test::order_of(program, 0) ==
          "0F0 0F1 0F2 0F3 7F0 7B0 7F1 7B1 7F2 7B2 7F3 7B3 0B0 0B1 0B2 0B3");
    CHECK(test::order_of(program, 1) ==
          "1F0 1F1 1F2 1F3 6F0 6F1 6B0 6F2 6B1 6B2 6F3 1B0 6B3 1B1 1B2 1B3");
    CHECK(test::order_of(program, 2) ==
          "2F0 2F1 2F2 5F0 5F1 5F2 5B0 2F3 5B1 2B0 5F3 5B2 2B1 5B3 2B2 2B3");
    CHECK(test::order_of(program, 3) ==
          "3F0 4F0 3F1 4F1 3F2 4F2 4B0 3B0 3F3 4F3 4B1 3B1 4B2 3B2 4B3 3B3");
  }

  TEST_CASE("one device: the order of one V") {
    CHECK(test::order_of(program_for("v_min", 1, 2), 0) ==
          "0F0 1F0 1I0 0I0 1W0 0W0 0F1 1F1 1I1 0I1 1W1 0W1");
    CHECK(test::order_of(program_for("1f1b_v", 1, 1), 0) == "0F0 1F0 1B0 0B0");
  }

  TEST_CASE("F = I = W = 1: v_min takes 4p-5 more than its work, 4p-7 where 3 divides p") {
    for (int p = 2; p <= 20; ++p) {
      const int expected = p % 3 == 0 ? 4 * p - 7 : 4 * p - 5;
      for (const int m : {2 * p, 2 * p + 3, 5 * p}) CHECK(excess("v_min", p, m) == expected);
      if (p <= 12) CHECK(excess("v_min", p, p + 1) == expected);
    }
  }

  TEST_CASE("F = I = W = 1: v_half takes 3p-7 more than its work for even p, 3p-4 for odd p") {
    for (int p = 2; p <= 20; ++p) {
      const int expected = p == 2 ? 1 : 3 * p - (p % 2 == 0 ? 7 : 4);
      for (const int m : {2 * p, 2 * p + 3, 5 * p}) CHECK(excess("v_half", p, m) == expected);
    }
    CHECK(excess("v_half", 4, 4) == 10);
    CHECK(excess("v_half", 4, 5) == 8);
    CHECK(excess("v_half", 4, 6) == 5);
    CHECK(excess("v_half", 4, 7) == 5);
  }

  TEST_CASE("F = 1, B = 2: 1f1b_v takes less more than its work than the 6(p-1) of 1f1b") {
    const std::vector<int> expected = {4, 8, 15, 18, 22, 30, 33, 36, 45, 48, 52, 60, 63, 67, 75};
    for (int p = 2; p <= 16; ++p) {
      for (const int m : {2 * p, 2 * p + 1, 5 * p}) {
        CHECK(excess("1f1b_v", p, m) == expected[static_cast<std::size_t>(p) - 2]);
      }
    }
  }

  TEST_CASE("known times, F = I = W = 1 for a stage: the longest span of a device is the whole") {
    struct Row {
      std::string schedule;
      std::array<std::int64_t, 5> t_total;
    };
    const std::array<std::array<int, 2>, 5> sizes = {{{4, 8}, {4, 16}, {8, 16}, {8, 24}, {8, 32}}};
    for (const Row& row : std::vector<Row>{{"v_min", {59, 107, 123, 171, 219}},
                                           {"v_half", {53, 101, 113, 161, 209}},
                                           {"1f1b_v", {63, 111, 129, 177, 225}}}) {
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        const Problem problem = test::problem_for(row.schedule, sizes[i][0], sizes[i][1], kUnit);
        const Metrics metrics = test::metrics_of(problem, test::program_of(row.schedule, problem));
        CHECK(metrics.t_total.count == row.t_total[i]);
        CHECK(test::longest_span(metrics) == row.t_total[i]);
        CHECK(metrics.peak_activations() == most_kept(row.schedule, sizes[i][0]));
      }
    }
  }

  TEST_CASE("the times of the authors' orders with F, I, W = 12, 13, 7 and a latency of 2") {
    const StageCosts split = test::split_chunk(12, 13, 7);
    CHECK(t_total("v_min", 4, 8, split, 2) == 833);
    CHECK(t_total("v_min", 4, 12, split, 2) == 1177);
    CHECK(t_total("v_min", 5, 10, split, 2) == 1060);
    CHECK(t_total("v_min", 8, 16, split, 2) == 1778);
    CHECK(t_total("v_half", 2, 4, split, 2) == 290);
    CHECK(t_total("v_half", 3, 6, split, 2) == 491);
    CHECK(t_total("v_half", 5, 10, split, 2) == 861);
    CHECK(t_total("v_half", 6, 12, split, 2) == 1015);
    CHECK(t_total("1f1b_v", 2, 4, split, 2) == 304);
    CHECK(t_total("1f1b_v", 4, 4, split, 2) == 452);
    CHECK(t_total("1f1b_v", 4, 8, split, 2) == 760);
    CHECK(t_total("1f1b_v", 8, 32, split, 2) == 2836);
  }

  TEST_CASE("peaks: some device reaches the bound, none exceeds it, whatever m") {
    for (const std::string& schedule : kSchedules) {
      const Schedule& found = *find_schedule(builtin_schedules(), schedule);
      for (int p = 1; p <= 10; ++p) {
        for (int m = 1; m <= 2 * p + 2; ++m) {
          const Problem problem = test::problem_for(schedule, p, m, kUnit);
          const Metrics metrics = test::metrics_of(problem, build(found, problem, {}));
          const std::int64_t bound = std::min(most_kept(schedule, p), std::int64_t{2} * m);
          CHECK(peak(found, problem, {}, Device{p - 1}) == bound);
          CHECK(metrics.peak_activations() == bound);
        }
      }
    }
  }

  TEST_CASE("any number of microbatches runs, with any costs") {
    std::mt19937_64 random(31);
    for (const std::string& schedule : kSchedules) {
      for (int p = 1; p <= 6; ++p) {
        for (int m = 1; m <= 3 * p; ++m) {
          Problem problem = test::problem_for(schedule, p, m, kUnit);
          for (StageCosts& costs : problem.costs) {
            const std::int64_t weight = test::draw(random, 0, 9);
            costs = test::split_chunk(test::draw(random, 1, 9), test::draw(random, 0, 9), weight);
          }
          problem.communication.intra.latency = Ticks{test::draw(random, 0, 5)};
          const Program program = test::program_of(schedule, problem);
          CHECK_FALSE(verify_timeline(problem, program, simulate(problem, program)).has_value());
        }
      }
    }
  }

  TEST_CASE("v_min and v_half stay within a memory limit and say how") {
    for (const std::string schedule : {"v_min", "v_half"}) {
      const Schedule& found = *find_schedule(builtin_schedules(), schedule);
      for (int p = 1; p <= 8; ++p) {
        for (int limit = 1; limit <= p; ++limit) {
          for (const int m : {1, p, 3 * p + 1, 50}) {
            Problem problem = test::problem_for(schedule, p, m, kUnit);
            const Program free = build(found, problem, {});
            problem.memory_limit = limit;
            const Program limited = build(found, problem, {});
            const std::int64_t bound = std::min<std::int64_t>(
                {most_kept(schedule, p), std::int64_t{2} * m, std::int64_t{2} * limit});
            CHECK(peak(found, problem, {}, Device{0}) == bound);
            CHECK(test::metrics_of(problem, limited).peak_activations() <= bound);
            const bool is_unchanged = plan(found, problem, {}).notes.empty();
            CHECK((to_text(limited) == to_text(free)) == is_unchanged);
            CHECK(is_unchanged ==
                  (limit >= m || 2 * std::int64_t{limit} >= most_kept(schedule, p)));
          }
        }
      }
    }
    Problem problem = test::problem_for("v_half", 8, 24, kUnit);
    problem.memory_limit = 4;
    CHECK(plan(*find_schedule(builtin_schedules(), "v_half"), problem, {}).notes ==
          std::vector<std::string>{"microbatches follow each other 12 slots apart instead of 6: "
                                   "memory.limit leaves room for 4"});
    CHECK(excess("v_half", 8, 24) == 17);
    CHECK(test::excess(problem, test::program_of("v_half", problem)) == 254 - 144);
  }

  TEST_CASE("v_min and v_half need the time of a weight gradient") {
    const Problem problem = test::problem_for("v_min", 4, 8, test::chunk(1, 2));
    for (const std::string schedule : {"v_min", "v_half"}) {
      CHECK_THROWS_WITH(test::program_of(schedule, problem),
                        "/t_w: missing: 7I0 splits the backward; required: a time of at most t_b");
    }
  }

  TEST_CASE("the programs are loops, of a size that does not depend on m") {
    for (const std::string& schedule : kSchedules) {
      for (const int p : {1, 2, 3, 4, 6, 7}) {
        const auto lines = test::lines(program_for(schedule, p, 100));
        CHECK(lines == test::lines(program_for(schedule, p, 10000)));
      }
      const Problem longest =
          test::problem_for(schedule, 3, std::numeric_limits<std::int32_t>::max(), kUnit);
      const Program program = find_schedule(builtin_schedules(), schedule)->build(longest, {});
      const std::int64_t kinds = schedule == "1f1b_v" ? 4 : 6;
      CHECK(step_count(program.lanes[0]) == kinds * longest.microbatches);
    }
  }

  TEST_CASE("a microbatch more takes six slots more") {
    for (const std::string& schedule : kSchedules) {
      for (const int p : {1, 2, 3, 5, 8}) {
        const auto build_for = [&](const Problem& problem) {
          return test::program_of(schedule, problem);
        };
        for (int m = 4 * p + 7; m <= 4 * p + 12; ++m) {
          CHECK(excess(schedule, p, m) == excess(schedule, p, m + 1));
        }
        const SteadyState state = steady_state(test::problem_for(schedule, p, 4, kUnit), build_for);
        REQUIRE_MESSAGE(state.ticks_per_microbatch.has_value(), state.text);
        CHECK(*state.ticks_per_microbatch == Ratio{6, 1});
      }
    }
  }

  TEST_CASE("v_half and v_min keep a microbatch where the limit leaves room for none") {
    for (const std::string name : {"v_half", "v_min"}) {
      CAPTURE(name);
      const Schedule& schedule = *find_schedule(builtin_schedules(), name);
      Problem problem = test::problem_for(
          schedule, 3, 4, [](int) { return stage_costs(Ticks{1}, Ticks{2}, Ticks{1}); });
      problem.memory_limit = 0;  // of a limit in bytes that holds one stage's activations only
      CHECK(peak(schedule, problem, {}, Device{0}) == 2);
      const std::vector<std::string> notes = plan(schedule, problem, {}).notes;
      REQUIRE(notes.size() == 1);
      CHECK(notes.front().ends_with(
          "memory.limit leaves room for less than one, which must be kept"));
      const TaskGraph graph(problem, test::program_of(name, problem));
      CHECK(compute_metrics(graph, simulate(graph)).peak_activations() == 2);
    }
  }
}
