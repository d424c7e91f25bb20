#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "schedules/candidate.hpp"
#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

const Schedule& v_zb() { return *find_schedule(builtin_schedules(), "v_zb"); }

/// Every chunk with these times.
Problem equal_chunks(int p, int m, std::int64_t forward, std::int64_t input, std::int64_t weight,
                     std::int64_t latency = 0) {
  Problem problem;
  problem.devices = p;
  problem.microbatches = m;
  problem.placement = v_placement(p);
  problem.costs.assign(2 * static_cast<std::size_t>(p),
                       stage_costs(Ticks{forward}, Ticks{input + weight}, Ticks{weight}));
  problem.communication.intra.latency = Ticks{latency};
  return problem;
}

std::vector<std::string> orders(const Program& program) {
  std::vector<std::string> lanes;
  for (const LaneOrder& lane : program.lanes) {
    std::string& text = lanes.emplace_back();
    for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
      text += (text.empty() ? "" : " ") + token(cursor.step());
    }
  }
  return lanes;
}

Candidate result(const Problem& problem, const Parameters& parameters = {}) {
  const auto candidate = try_out(problem, test::program_of("v_zb", problem, parameters));
  REQUIRE(candidate.has_value());
  return candidate.value_or(Candidate{});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("v_zb, p=2, m=4, as the paper's authors order it") {
    CHECK(orders(test::program_of("v_zb", equal_chunks(2, 4, 1, 1, 1))) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 3F0 3I0 3W0 3F1 3I1 3W1 0F3 0I0 0W0 3F2 3I2 3W2 0I1 0W1 3F3 3I3 0I2 "
              "3W3 0I3 0W2 0W3",
              "1F0 2F0 1F1 2F1 2I0 2W0 1F2 1I0 1W0 2F2 2I1 2W1 1F3 1I1 1W1 2F3 2I2 1I2 2I3 1I3 "
              "2W2 1W2 2W3 1W3"});
    CHECK(orders(test::program_of("v_zb", equal_chunks(2, 4, 12, 13, 7, 2))) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 3F0 3I0 3W0 3F1 3I1 3W1 0F3 0I0 0W0 3F2 3I2 3W2 0I1 0W1 3F3 3I3 0I2 "
              "3W3 0W2 0I3 0W3",
              "1F0 2F0 1F1 2F1 2I0 2W0 1F2 1I0 1W0 2F2 2I1 2W1 1F3 1I1 1W1 2F3 2I2 1I2 2I3 1I3 "
              "2W2 1W2 2W3 1W3"});
  }

  TEST_CASE("v_zb: T_total and span of the authors' search, at most p microbatches a device") {
    struct Row {
      int p, m;
      std::int64_t equal_total, equal_span, total, span;
    };
    for (const Row& row : {Row{4, 8, 51, 48, 579, 574}, Row{4, 16, 99, 96, 1091, 1086},
                           Row{8, 16, 103, 96, 1182, 1181}, Row{8, 32, 199, 192, 2206, 2205}}) {
      CAPTURE(row.p);
      CAPTURE(row.m);
      const auto check = [&](const Problem& problem, std::int64_t t_total, std::int64_t span) {
        const Candidate found = result(problem);
        CHECK(found.t_total == Ticks{t_total});
        CHECK(found.span == Ticks{span});
        const TaskGraph graph(problem, found.program);
        CHECK(std::ranges::max(peak_memory(graph, simulate(graph))) <= std::int64_t{4} * row.p);
      };
      check(equal_chunks(row.p, row.m, 1, 1, 1), row.equal_total, row.equal_span);
      check(equal_chunks(row.p, row.m, 12, 13, 7, 2), row.total, row.span);
    }
  }

  TEST_CASE("v_zb runs any problem within any limit of at least one microbatch") {
    std::mt19937_64 random(6);
    for (int round = 0; round < 400; ++round) {
      CAPTURE(round);
      const int p = static_cast<int>(test::draw(random, 1, 6));
      Problem problem = equal_chunks(p, static_cast<int>(test::draw(random, 1, 14)),
                                     test::draw(random, 1, 9), test::draw(random, 0, 9),
                                     test::draw(random, 0, 9), test::draw(random, 0, 3));
      if (round % 2 == 0) {
        for (StageCosts& costs : problem.costs) {
          costs = stage_costs(Ticks{test::draw(random, 0, 9)}, Ticks{test::draw(random, 5, 9)},
                              Ticks{test::draw(random, 0, 5)});
        }
      }
      Parameters parameters;
      if (round % 3 > 0) parameters = {{"limit", test::draw(random, 1, std::int64_t{2} * p)}};
      const TaskGraph graph(problem, build(v_zb(), problem, parameters));
      const Timeline timeline = simulate(graph);
      const std::int64_t limit = integer(parameters, "limit").value_or(p);
      const Metrics metrics = compute_metrics(graph, timeline);
      const std::vector<std::int64_t> peaks = peak_memory(graph, timeline);
      for (std::size_t device = 0; device < peaks.size(); ++device) {
        CHECK(peaks[device] <= 4 * limit);
        const std::int64_t bound = peak(v_zb(), problem, parameters, Device{device});
        CHECK(bound == std::min(4 * limit - 1, std::int64_t{2} * problem.microbatches));
        CHECK(metrics.devices[device].peak_activations <= bound);
      }
    }
  }

  TEST_CASE("v_zb, unequal stages: the order for equal ones may be the better one") {
    Problem problem = equal_chunks(3, 2, 1, 1, 1);
    const auto costs = [](std::int64_t forward, std::int64_t input, std::int64_t weight) {
      return stage_costs(Ticks{forward}, Ticks{input + weight}, Ticks{weight});
    };
    problem.costs = {costs(4, 1, 3), costs(1, 5, 1), costs(2, 2, 5),
                     costs(2, 1, 1), costs(6, 4, 1), costs(5, 3, 5)};
    CHECK(result(problem).span == Ticks{50});  // 51 by the greedy rule
  }

  TEST_CASE("v_zb: the order does not depend on how many ticks a time has") {
    std::mt19937_64 random(11);
    for (int round = 0; round < 200; ++round) {
      CAPTURE(round);
      Problem problem = equal_chunks(3, 5, 1, 1, 1);
      Problem longer = problem;
      for (std::size_t stage = 0; stage < problem.costs.size(); ++stage) {
        const std::int64_t forward = test::draw(random, 0, 3);
        const std::int64_t backward = test::draw(random, 1, 3);
        const std::int64_t weight = test::draw(random, 0, backward);
        problem.costs[stage] = stage_costs(Ticks{forward}, Ticks{backward}, Ticks{weight});
        longer.costs[stage] =
            stage_costs(Ticks{7 * forward}, Ticks{7 * backward}, Ticks{7 * weight});
      }
      CHECK(test::program_of("v_zb", longer) == test::program_of("v_zb", problem));
    }
  }

  TEST_CASE("v_zb has an order for times near the longest that can be counted") {
    Problem problem = equal_chunks(3, 2, 1, 1, 1);
    constexpr std::int64_t kLong = std::numeric_limits<std::int64_t>::max() / 40;
    problem.costs[1] = stage_costs(Ticks{kLong}, Ticks{kLong}, Ticks{kLong / 2});
    CHECK(result(problem).t_total > Ticks{4 * kLong});
  }

  TEST_CASE("v_zb searches again with the bubbles that it found") {
    CHECK(result(equal_chunks(3, 6, 5, 4, 6)).span == Ticks{181});  // 182 in one pass
    CHECK(result(equal_chunks(3, 7, 5, 5, 6), {{"limit", 3}}).span == Ticks{225});  // 226
  }

  TEST_CASE("v_zb uses more memory, or less, where memory.limit says so") {
    Problem problem = equal_chunks(4, 12, 12, 13, 7, 2);
    const auto span = [&](std::optional<std::int64_t> limit) {
      problem.memory_limit = limit;
      return result(problem).span;
    };
    const Ticks of_p = span(std::nullopt);
    CHECK(span(4) == of_p);
    CHECK(span(6) < of_p);
    CHECK(span(3) > of_p);
    CHECK(span(1) > span(2));
  }

  TEST_CASE("v_zb fills its limit in from memory.limit, and refuses another") {
    Problem problem = equal_chunks(4, 8, 1, 1, 1);
    problem.memory_limit = 3;
    const Plan planned = plan(v_zb(), problem, {});
    CHECK(integer(planned.parameters, "limit") == 3);
    CHECK(planned.notes == std::vector<std::string>{"limit=3 filled in from memory.limit"});
    CHECK_THROWS_WITH_AS(build(v_zb(), problem, {{"limit", 4}}),
                         "/schedule/limit: 4 microbatches, but memory.limit is 3; one of the two, "
                         "or both equal",
                         Error);
  }
}
