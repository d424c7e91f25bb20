#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "schedules/candidate.hpp"
#include "schedules/schedule.hpp"
#include "schedules/zero_bubble_search.hpp"
#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/memory.hpp"
#include "sim/metrics.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

const Schedule& zb_auto() { return *find_schedule(builtin_schedules(), "zb_auto"); }

/// F, B (of the input) and W of every stage, and a latency.
struct Costs {
  std::int64_t forward = 1;
  std::int64_t input = 1;
  std::int64_t weight = 1;
  std::int64_t latency = 0;
};

StageCosts split(std::int64_t forward, std::int64_t input, std::int64_t weight) {
  return stage_costs(Ticks{forward}, Ticks{input + weight}, Ticks{weight});
}

Problem equal_stages(int p, int m, const Costs& costs = {}) {
  Problem problem =
      test::problem_of(m, std::vector<StageCosts>(static_cast<std::size_t>(p),
                                                  split(costs.forward, costs.input, costs.weight)));
  problem.communication.intra.latency = Ticks{costs.latency};
  return problem;
}

std::vector<std::string> orders(const Program& program) {
  std::vector<std::string> lanes;
  for (const LaneOrder& lane : program.lanes) {
    std::string& text = lanes.emplace_back();
    for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
      text += (text.empty() ? "" : " ") + short_name(cursor.step().op);
    }
  }
  return lanes;
}

Candidate result(const Problem& problem, const Parameters& parameters = {}) {
  const auto candidate = try_out(problem, test::program_of("zb_auto", problem, parameters));
  REQUIRE(candidate.has_value());
  return candidate.value_or(Candidate{});
}

/// ZB-H1 as in the paper (2401.10241, section 2.2): weight gradients i microbatches late.
Program zb_h1(const Problem& problem) {
  Program program;
  const int m = problem.microbatches;
  for (int i = 0; i < problem.devices; ++i) {
    const Stage stage{i};
    const int warm_up = std::min(problem.devices - 1 - i, m);
    LaneOrder lane = {repeat(warm_up, {forward(stage, 0)})};
    for (int j = 0; j < m; ++j) {
      if (j + warm_up < m) lane.push_back(forward(stage, j + warm_up));
      lane.push_back(backward_input(stage, j));
      if (j >= i) lane.push_back(backward_weight(stage, j - i));
    }
    for (int j = std::max(m - i, 0); j < m; ++j) lane.push_back(backward_weight(stage, j));
    program.lanes.push_back(std::move(lane));
  }
  return program;
}

/// A problem whose stages differ much or little, or not at all, under a limit that may be tight.
Problem random_split_problem(std::mt19937_64& random) {
  const std::int64_t spread =
      std::array{0, 3, 19}[static_cast<std::size_t>(test::draw(random, 0, 2))];
  const std::int64_t least = test::draw(random, 0, 12);
  const auto time = [&] { return test::draw(random, least, least + spread); };
  std::vector<StageCosts> costs;
  const std::int64_t p = test::draw(random, 1, 8);
  for (std::int64_t i = 0; i < p; ++i) costs.push_back(split(1 + time(), time(), time()));
  Problem problem = test::problem_of(static_cast<int>(test::draw(random, 1, 18)), costs);
  problem.communication.intra.latency = Ticks{test::draw(random, 0, 1) * test::draw(random, 0, 5)};
  if (test::draw(random, 0, 3) > 0) problem.memory_limit = test::draw(random, 1, 2 * p);
  return problem;
}

/// 1F1B and ZB-H1 where they stay within memory.limit.
std::vector<Candidate> classics(const Problem& problem) {
  std::vector<Candidate> found;
  for (const Program& program : {test::program_of("1f1b", problem), zb_h1(problem)}) {
    if (auto candidate = try_out(problem, program)) found.push_back(std::move(*candidate));
  }
  return found;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("zb_auto, p=4, m=8, limit 2p, as the paper's authors order it") {
    const Program program = test::program_of("zb_auto", equal_stages(4, 8), {{"limit", "2p"}});
    CHECK(orders(program) ==
          std::vector<std::string>{
              "F0 F1 F2 F3 F4 F5 F6 I0 F7 W0 I1 W1 I2 W2 I3 W3 I4 W4 I5 W5 I6 W6 I7 W7",
              "F0 F1 F2 F3 F4 I0 F5 I1 F6 I2 F7 I3 W0 I4 W1 I5 W2 I6 W3 I7 W4 W5 W6 W7",
              "F0 F1 F2 I0 F3 I1 F4 I2 F5 I3 F6 I4 F7 I5 W0 I6 W1 I7 W2 W3 W4 W5 W6 W7",
              "F0 I0 F1 I1 F2 I2 F3 I3 F4 I4 F5 I5 F6 I6 F7 I7 W0 W1 W2 W3 W4 W5 W6 W7"});
  }

  TEST_CASE("zb_auto, p=4, m=5, limit 1p, is ZB-H1") {
    const Problem problem = equal_stages(4, 5);
    const auto planned = orders(test::program_of("zb_auto", problem, {{"limit", "1p"}}));
    CHECK(planned == std::vector<std::string>{"F0 F1 F2 F3 I0 W0 F4 I1 W1 I2 W2 I3 W3 I4 W4",
                                              "F0 F1 F2 I0 F3 I1 W0 F4 I2 W1 I3 W2 I4 W3 W4",
                                              "F0 F1 I0 F2 I1 F3 I2 W0 F4 I3 W1 I4 W2 W3 W4",
                                              "F0 I0 F1 I1 F2 I2 F3 I3 W0 F4 I4 W1 W2 W3 W4"});
    CHECK(planned == orders(zb_h1(problem)));
  }

  TEST_CASE("zb_auto with one microbatch of memory runs them one by one") {
    const auto planned = orders(test::program_of("zb_auto", equal_stages(2, 2), {{"limit", 1}}));
    CHECK(planned == std::vector<std::string>(2, "F0 I0 W0 F1 I1 W1"));
  }

  TEST_CASE("zb_auto: spans and T_total of the authors' heuristic are reached") {
    struct Row {
      int p, m;
      std::string limit;
      Costs costs;
      std::int64_t span, t_total;
    };
    constexpr Costs kOnes;
    constexpr Costs kMeasured = {.forward = 12, .input = 13, .weight = 7, .latency = 2};
    const std::vector<Row> rows = {
        {4, 8, "1p", kOnes, 27, 27},           {4, 8, "2p", kOnes, 24, 27},
        {4, 8, "1p", kMeasured, 334, 334},     {4, 8, "2p", kMeasured, 294, 300},
        {4, 16, "1p", kMeasured, 590, 590},    {4, 16, "2p", kMeasured, 522, 554},
        {8, 16, "1p", kMeasured, 694, 694},    {8, 16, "2p", kMeasured, 610, 612},
        {8, 32, "1p", kMeasured, 1206, 1206},  {8, 32, "2p", kMeasured, 1056, 1122},
        {16, 32, "1p", kMeasured, 1414, 1414}, {16, 64, "2p", kMeasured, 2138, 2258}};
    for (const Row& row : rows) {
      CAPTURE(row.p);
      CAPTURE(row.limit);
      const Candidate found = result(equal_stages(row.p, row.m, row.costs), {{"limit", row.limit}});
      CHECK(found.span == Ticks{row.span});
      CHECK(found.t_total <= Ticks{row.t_total});
    }
  }

  TEST_CASE("zb_auto: span_bubble_rate as in Zero Bubble, 2401.10241, table 5, or less") {
    struct Row {
      int p, m;
      Costs microseconds;
      double zb_1p, zb_2p;
    };
    const std::vector<Row> rows = {{8, 24, {18522, 18086, 9337, 601}, .1585, .0433},
                                   {8, 32, {18513, 18086, 9331, 626}, .1242, .0039},
                                   {8, 64, {18546, 18097, 9321, 762}, .0674, .0026},
                                   {16, 48, {11347, 11248, 8132, 377}, .1397, .0066},
                                   {16, 64, {11307, 11254, 8101, 379}, .1088, .0054},
                                   {16, 128, {11325, 11308, 8109, 378}, .0576, .0028}};
    for (const Row& row : rows) {
      CAPTURE(row.p);
      CAPTURE(row.m);
      const Problem problem = equal_stages(row.p, row.m, row.microseconds);
      const auto rate = [&](const std::string& limit) {
        const TaskGraph graph(problem, test::program_of("zb_auto", problem, {{"limit", limit}}));
        const Ratio ratio = compute_metrics(graph, simulate(graph)).span_bubble_rate;
        constexpr double kPlaces = 1e4;
        return std::round(static_cast<double>(ratio.numerator) /
                          static_cast<double>(ratio.denominator) * kPlaces) /
               kPlaces;
      };
      CHECK(rate("1p") <= row.zb_1p);
      CHECK(rate("2p") <= row.zb_2p);
    }
  }

  TEST_CASE("zb_auto is never worse than 1F1B and ZB-H1 where they fit the limit") {
    std::mt19937_64 random(3);
    int both = 0;
    int rounds = 0;
    for (; rounds < 400; ++rounds) {
      CAPTURE(rounds);
      const Problem problem = random_split_problem(random);
      const Candidate short_span = result(problem);
      const Candidate short_total = result(problem, {{"objective", "t_total"}});
      bool is_shorter = true;
      for (const Candidate& classic : classics(problem)) {
        CHECK(short_span.span <= classic.span);
        CHECK(short_total.t_total <= classic.t_total);
        is_shorter = is_shorter && short_span.t_total <= classic.t_total;
      }
      CHECK(short_span.span <= short_total.span);
      CHECK(short_total.t_total <= short_span.t_total);
      both += is_shorter ? 1 : 0;
    }
    CHECK(both >= rounds * 9 / 10);
  }

  TEST_CASE("zb_auto's span is never longer than that of the paper's heuristic") {
    std::mt19937_64 random(4);
    for (int round = 0; round < 200; ++round) {
      CAPTURE(round);
      const Problem problem = random_split_problem(random);
      const Ticks span = result(problem).span;
      const auto budgets = memory_budgets(problem, std::nullopt);
      for (unsigned choice = 0; choice < 8; ++choice) {
        const auto run = zero_bubble_search(problem, budgets,
                                            {.warm_up_ends_early = (choice & 1U) != 0,
                                             .may_skip_forward = (choice & 2U) != 0,
                                             .fills_short_gaps = (choice & 4U) != 0});
        if (run) CHECK(span <= run->longest_span());
      }
    }
  }

  TEST_CASE("unequal stages: the paper's heuristic alone orders them as its authors do") {
    Problem problem = test::problem_of(7, {split(16, 18, 6), split(8, 15, 15), split(7, 19, 5),
                                           split(6, 19, 14), split(11, 16, 15), split(20, 14, 6)});
    problem.memory.stages.assign(6, {.activation = 2, .kept_for_weight = 1});
    problem.memory.limit = 18;
    std::optional<ListSchedule> shortest;
    for (const bool ends_early : {true, false}) {
      for (const bool may_skip : {true, false}) {
        for (const bool fills : {true, false}) {
          auto run = zero_bubble_search(problem, memory_budgets(problem, std::nullopt),
                                        {.warm_up_ends_early = ends_early,
                                         .may_skip_forward = may_skip,
                                         .fills_short_gaps = fills});
          REQUIRE(run.has_value());
          if (shortest && run->longest_span() >= shortest->longest_span()) continue;
          shortest.emplace(*run);
        }
      }
    }
    CHECK(shortest->longest_span() == Ticks{379});
    CHECK(shortest->makespan() == Ticks{385});
    CHECK(
        orders(shortest->program()) ==
        std::vector<std::string>{"F0 F1 F2 F3 F4 F5 F6 I0 W0 I1 W1 I2 W2 I3 W3 I4 W4 I5 W5 I6 W6",
                                 "F0 F1 F2 F3 F4 F5 F6 I0 W0 I1 I2 W1 I3 W2 I4 W3 I5 W4 I6 W5 W6",
                                 "F0 F1 F2 F3 F4 F5 F6 I0 I1 I2 W0 W1 I3 W2 W3 I4 W4 I5 W5 I6 W6",
                                 "F0 F1 F2 F3 F4 F5 F6 I0 I1 I2 I3 W0 I4 W1 I5 W2 I6 W3 W4 W5 W6",
                                 "F0 F1 F2 F3 I0 I1 F4 I2 F5 I3 F6 I4 W0 I5 W1 I6 W2 W3 W4 W5 W6",
                                 "F0 I0 F1 I1 F2 I2 F3 I3 F4 I4 F5 I5 F6 I6 W0 W1 W2 W3 W4 W5 W6"});
  }

  TEST_CASE("a forward that ends when the gradient comes is one of the warm-up") {
    const Problem problem =
        test::problem_of(2, {split(5, 6, 5), split(4, 4, 6), split(4, 2, 4), split(3, 1, 6)});
    CHECK(result(problem, {{"limit", 4}}).span == Ticks{46});
    const Problem equal = equal_stages(2, 4);
    const auto run = zero_bubble_search(equal, memory_budgets(equal, std::nullopt), {});
    REQUIRE(run.has_value());
    if (run) CHECK(orders(run->program())[0] == "F0 F1 F2 I0 F3 W0 I1 W1 I2 W2 I3 W3");
  }

  TEST_CASE("zb_auto takes the order that is good for span and T_total, if there is one") {
    const Problem problem = test::problem_of(5, {split(6, 4, 2), split(4, 5, 2), split(3, 3, 5)});
    const Candidate found = result(problem, {{"limit", 4}});  // 63 and 72 exist
    CHECK(found.span == Ticks{64});
    CHECK(found.t_total == Ticks{68});
    for (const Candidate& classic : classics(problem)) CHECK(found.t_total <= classic.t_total);
  }

  TEST_CASE("the other measures of a slow device find shorter spans and steps") {
    Problem problem = test::problem_of(3, {split(3, 4, 1), split(5, 4, 4), split(2, 5, 4)});
    problem.communication.intra.latency = Ticks{2};
    CHECK(result(problem, {{"limit", 3}}).t_total == Ticks{47});  // 51 without counting the work
    problem = test::problem_of(4, {split(5, 1, 2), split(1, 6, 6), split(5, 4, 2)});
    problem.communication.intra.latency = Ticks{2};
    const Candidate found = result(problem, {{"limit", 3}});
    CHECK(found.span == Ticks{65});  // 67 without counting the first wait
    CHECK(found.t_total == Ticks{72});
  }

  TEST_CASE("a short span and a short T_total can exclude each other") {
    Problem problem = test::problem_of(3, {split(20, 7, 6), split(18, 13, 13)});
    problem.communication.intra.latency = Ticks{1};
    const Candidate short_span = result(problem, {{"limit", 2}});
    CHECK(short_span.span == Ticks{136});
    CHECK(short_span.t_total == Ticks{157});
    const Candidate short_total = result(problem, {{"limit", 2}, {"objective", "t_total"}});
    CHECK(short_total.span == Ticks{141});
    CHECK(short_total.t_total == Ticks{153});
  }

  TEST_CASE("zb_auto keeps every limit, on memory and by its own bound on activations") {
    std::mt19937_64 random(5);
    for (int round = 0; round < 200; ++round) {
      CAPTURE(round);
      Problem problem = random_split_problem(random);
      const std::int64_t limit = test::draw(random, 1, 9);
      problem.memory_limit.reset();
      const Parameters parameters = {{"limit", limit}};
      const Program program = build(zb_auto(), problem, parameters);
      const TaskGraph graph(problem, program);
      const Timeline timeline = simulate(graph);
      const Metrics metrics = compute_metrics(graph, timeline);
      const std::vector<std::int64_t> peaks = peak_memory(graph, timeline);
      for (std::size_t device = 0; device < peaks.size(); ++device) {
        CHECK(peaks[device] <= 2 * limit);
        const std::int64_t bound = peak(zb_auto(), problem, parameters, Device{device});
        CHECK(bound == std::min<std::int64_t>(2 * limit - 1, problem.microbatches));
        CHECK(metrics.devices[device].peak_activations <= bound);
      }
    }
  }

  TEST_CASE("zb_auto plans within half microbatches of memory too") {
    Problem problem = equal_stages(4, 8);
    problem.memory.stages.assign(4, {.activation = 2, .kept_for_weight = 1});
    std::vector<std::int64_t> totals;
    for (const std::int64_t limit : {4, 5, 6}) {
      problem.memory.limit = limit;
      const TaskGraph graph(problem, test::program_of("zb_auto", problem));
      const Timeline timeline = simulate(graph);
      CHECK(std::ranges::max(peak_memory(graph, timeline)) <= limit);
      totals.push_back(total_time(timeline).count);
    }
    CHECK(totals == std::vector<std::int64_t>{41, 37, 31});
  }

  TEST_CASE("zb_auto plans within bytes, beside parameters and messages under way") {
    Problem problem = equal_stages(4, 12, {.forward = 12, .input = 13, .weight = 7, .latency = 2});
    problem.communication.mode = TransferMode::async;
    problem.communication.intra.occupancy = Ticks{1};
    problem.memory.in_bytes = true;
    problem.memory.message = 1;
    for (const std::int64_t resident : {50, 20, 20, 60}) {
      problem.memory.stages.push_back(
          {.activation = 10, .kept_for_weight = 3, .resident = resident});
    }
    Ticks before{1'000'000};
    for (const std::int64_t limit : {76, 84, 90, 100, 140}) {
      CAPTURE(limit);
      problem.memory.limit = limit;
      const TaskGraph graph(problem, test::program_of("zb_auto", problem));
      const Timeline timeline = simulate(graph);
      CHECK_FALSE(find_over_limit(graph, timeline).has_value());
      CHECK(total_time(timeline) <= before);
      before = total_time(timeline);
    }
  }

  TEST_CASE("with recomputation zb_auto keeps inputs and one activation at a time") {
    Problem problem = equal_stages(4, 10, {.forward = 2, .input = 3, .weight = 1, .latency = 1});
    problem.recompute.assign(4, true);
    problem.memory.in_bytes = true;
    problem.memory.limit = 20;
    problem.memory.stages.assign(4, {.activation = 10, .kept_for_weight = 2, .input = 1});
    const TaskGraph graph(problem, test::program_of("zb_auto", problem));
    const Timeline timeline = simulate(graph);
    CHECK_FALSE(find_over_limit(graph, timeline).has_value());
    CHECK(total_time(timeline) <=
          total_time(simulate(problem, with_recompute(problem, zb_h1(problem)))));
  }

  TEST_CASE("an overhead of every op can make a backward in one op the better one") {
    Problem problem = equal_stages(4, 8, {.forward = 2, .input = 2, .weight = 2});
    problem.launch_overhead = Ticks{5};
    CHECK(result(problem, {{"objective", "t_total"}}).t_total <=
          total_time(simulate(problem, test::program_of("1f1b", problem))));
  }

  TEST_CASE("zb_auto looks at one step, whatever follows it") {
    Problem problem = equal_stages(3, 4);
    const auto planned = orders(test::program_of("zb_auto", problem));
    problem.iterations.count = 3;
    problem.iterations.optimizer.assign(3, Ticks{9});
    problem.iterations.barrier = true;
    CHECK(orders(test::program_of("zb_auto", problem)) == planned);
  }

  TEST_CASE("a transfer that blocks both devices leaves zb_auto an order that runs") {
    Problem problem = equal_stages(4, 8, {.forward = 3, .input = 3, .weight = 2, .latency = 1});
    for (const TransferMode mode : {TransferMode::single_stream, TransferMode::rendezvous}) {
      problem.communication.mode = mode;
      const Candidate found = result(problem, {{"objective", "t_total"}});
      for (const Candidate& classic : classics(problem)) CHECK(found.t_total <= classic.t_total);
    }
  }

  TEST_CASE("zb_auto's program has loops: as many items for many microbatches") {
    const auto lines = [](int m) {
      const Program program = test::program_of("zb_auto", equal_stages(4, m), {{"limit", "1p"}});
      const std::string text = to_text(program);
      return std::count(text.begin(), text.end(), '\n');
    };
    CHECK(lines(100) == lines(1000));
  }

  TEST_CASE("zb_auto fills its limit in from memory.limit and says so") {
    Problem problem = equal_stages(4, 8);
    CHECK(plan(zb_auto(), problem, {}).parameters.empty());
    problem.memory_limit = 3;
    const Plan planned = plan(zb_auto(), problem, {});
    CHECK(integer(planned.parameters, "limit") == 3);
    CHECK(planned.notes == std::vector<std::string>{"limit=3 filled in from memory.limit"});
    CHECK(plan(zb_auto(), problem, {{"limit", 3}}).notes.empty());
    problem.memory_limit = 8;  // no more than there is without a limit
    CHECK(plan(zb_auto(), problem, {}).parameters.empty());
  }

  TEST_CASE("two limits that differ are refused") {
    Problem problem = equal_stages(4, 8);
    problem.memory_limit = 6;
    CHECK_THROWS_WITH_AS(build(zb_auto(), problem, {{"limit", 3}}),
                         "/schedule/limit: 3 microbatches, but memory.limit is 6; one of the two, "
                         "or both equal",
                         Error);
    CHECK_THROWS_WITH_AS(build(zb_auto(), problem, {{"limit", "2p"}}),
                         "/schedule/limit: 8 microbatches, but memory.limit is 6; one of the two, "
                         "or both equal",
                         Error);
    CHECK_NOTHROW(build(zb_auto(), problem, {{"limit", 6}}));
    problem.memory_limit = 4;
    CHECK_NOTHROW(build(zb_auto(), problem, {{"limit", "1p"}}));
  }

  TEST_CASE("without t_w there is nothing to split") {
    CHECK_THROWS_WITH_AS(build(zb_auto(), test::equal_stages(2, 2, 1, 2), {}),
                         "/t_w: missing: 0I0 splits the backward; required: a time of at most t_b",
                         Error);
  }
}
