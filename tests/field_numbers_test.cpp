// Numbers that papers and their authors' code publish, one table a test. p devices, m microbatches;
// F, B, W: a microbatch's forward, input gradient and weight gradient on one device, or on one
// stage of it where the test says chunk.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "schedules/schedule.hpp"
#include "tests/schedule_run.hpp"

using namespace pipesim;
using test::ScheduleRun;

namespace {

/// The p and m of tables with four columns.
constexpr std::array<std::array<int, 2>, 4> kSizes = {{{4, 8}, {4, 16}, {8, 16}, {8, 32}}};

/// One unit of the tables' times in ticks: 1, 2, 3, 4, 6 or 8 stages of a device share it evenly.
constexpr std::int64_t kUnit = 24;

struct Costs {
  std::int64_t forward;
  std::int64_t backward_input;
  std::int64_t backward_weight;
  std::int64_t latency = 0;
};

/// F = B = W = 1: a backward takes twice a forward.
constexpr Costs kOnes = {kUnit, kUnit, kUnit};
/// The same for each of a device's two stages.
constexpr Costs kOnesPerChunk = {2 * kUnit, 2 * kUnit, 2 * kUnit};

const Schedule& schedule_of(const std::string& name) {
  const Schedule* const schedule = find_schedule(builtin_schedules(), name);
  if (schedule == nullptr) throw std::runtime_error("no schedule " + name);
  return *schedule;
}

/// Equal stages. The costs are a device's for a whole microbatch; its stages, and the slices of a
/// microbatch, have equal shares of them.
Problem equal_stages(const std::string& name, int p, int m, const Costs& costs,
                     const Parameters& parameters) {
  Problem problem;
  problem.devices = p;
  problem.slices = static_cast<std::int32_t>(slices(schedule_of(name), parameters).size());
  problem.microbatches = m * problem.slices;
  problem.placement = place(schedule_of(name), p, parameters);
  const int share = problem.stages() / p * problem.slices;
  problem.costs.assign(static_cast<std::size_t>(problem.stages()),
                       stage_costs(Ticks{costs.forward / share},
                                   Ticks{(costs.backward_input + costs.backward_weight) / share},
                                   Ticks{costs.backward_weight / share}));
  problem.communication.intra.latency = Ticks{costs.latency};
  return problem;
}

ScheduleRun run(const std::string& name, int p, int m, const Costs& costs,
                const Parameters& parameters = {}) {
  return test::run_schedule(schedule_of(name), equal_stages(name, p, m, costs, parameters),
                            parameters);
}

/// `fused` is what an overlapped pair of one stage takes.
ScheduleRun run_fused(const std::string& name, int p, int m, const Costs& costs, Ticks fused) {
  Problem problem = equal_stages(name, p, m, costs, {});
  for (StageCosts& stage : problem.costs) stage.fused = fused;
  return test::run_schedule(schedule_of(name), problem, {});
}

/// The forwards of two microbatches are one block: the first takes no time, the second that of
/// both.
ScheduleRun run_forward_pairs(const std::string& name, int p, int m, const Costs& costs,
                              const Parameters& parameters) {
  Problem problem = equal_stages(name, p, m, costs, parameters);
  std::vector<Ticks> durations;
  for (const OpKind kind : {OpKind::forward, OpKind::backward, OpKind::backward_input,
                            OpKind::backward_weight, OpKind::recompute}) {
    for (int s = 0; s < problem.stages(); ++s) {
      for (int j = 0; j < m; ++j) {
        const Ticks one = problem.duration(Op{kind, Stage{s}, Microbatch{j}});
        durations.push_back(kind == OpKind::forward ? one * (j % 2 == 0 ? 0 : 2) : one);
      }
    }
  }
  problem.durations = std::move(durations);
  return test::run_schedule(schedule_of(name), problem, parameters);
}

double in_units(Ticks time) { return static_cast<double>(time.count) / kUnit; }

/// A ratio in units of 1/10000, rounded half up.
std::int64_t four_places(const Ratio& ratio) {
  return static_cast<std::int64_t>((ratio.numerator * 20000 + ratio.denominator) /
                                   (2 * ratio.denominator));
}

}  // namespace

TEST_SUITE("golden") {
  TEST_CASE("Zero Bubble (2401.10241), table 5: bubble rates of the costs of table 6") {
    struct Row {
      int p;
      int m;
      Costs costs;  // table 6, in microseconds
      std::int64_t one_f_one_b;
      std::int64_t zb_h1;
      std::int64_t zb_h2;
      std::int64_t zb_1p;
      std::int64_t zb_2p;
      std::int64_t zb_h2_of_makespan;  // not of the table: of T_total in place of the span
    };
    const std::vector<Row> rows = {
        {8, 24, {18522, 18086, 9337, 601}, 2431, 1585, 1083, 1585, 433, 1083},
        {8, 32, {18513, 18086, 9331, 626}, 1985, 1242, 837, 1242, 39, 837},
        {8, 64, {18546, 18097, 9321, 762}, 1240, 674, 444, 674, 26, 444},
        {16, 48, {11347, 11248, 8132, 377}, 2552, 1397, 672, 1397, 66, 1065},
        {16, 64, {11307, 11254, 8101, 379}, 2082, 1088, 516, 1088, 54, 820},
        {16, 128, {11325, 11308, 8109, 378}, 1251, 576, 266, 576, 28, 427},
    };
    for (const auto& row : rows) {
      INFO("p=", row.p, " m=", row.m);
      const auto rate = [&](const std::string& name, const Parameters& parameters = {}) {
        return four_places(run(name, row.p, row.m, row.costs, parameters).span_bubble_rate);
      };
      CHECK(rate("1f1b") == row.one_f_one_b);
      CHECK(rate("zb_h1") == row.zb_h1);
      CHECK(rate("zb_h2") == row.zb_h2);
      CHECK(rate("zb_auto", {{"limit", "1p"}}) <= row.zb_1p);
      CHECK(rate("zb_auto", {{"limit", "2p"}}) <= row.zb_2p);
      const ScheduleRun zb_h2 = run("zb_h2", row.p, row.m, row.costs);
      CHECK(four_places(zb_h2.bubble_fraction) == row.zb_h2_of_makespan);
    }
  }

  TEST_CASE("small exact cases: makespans with F = B = W = 1, no latency") {
    struct Row {
      std::string name;
      Parameters parameters;
      double p4_m8;
      double p8_m24;
    };
    const std::vector<Row> rows = {
        {"gpipe", {}, 33, 93},
        {"1f1b", {}, 33, 93},
        {"interleaved_1f1b", {{"v", 2}}, 28.5, 82.5},
        {"interleaved_1f1b", {{"v", 3}}, 27, 79},
        {"looped_bfs", {{"v", 2}}, 28.5, 82.5},
        {"zb_h1", {}, 27, 79},
        {"zb_h2", {}, 27, 79},
        {"seq1f1b", {{"slices", 2}}, 28.5, 82.5},
        {"seq1f1b", {{"slices", 4}}, 26.25, 77.25},
    };
    for (const auto& row : rows) {
      INFO(row.name);
      CHECK(in_units(run(row.name, 4, 8, kOnes, row.parameters).makespan) == row.p4_m8);
      CHECK(in_units(run(row.name, 8, 24, kOnes, row.parameters).makespan) == row.p8_m24);
    }
    CHECK(in_units(run("zb_h2", 4, 8, kOnes).span) == 24);
    CHECK(in_units(run("zb_h2", 8, 24, kOnes).span) == 72);
  }

  TEST_CASE("small exact cases: peaks of p=4, m=8") {
    using Peaks = std::vector<std::int64_t>;
    CHECK(run("1f1b", 4, 8, kOnes).peak == Peaks{4, 3, 2, 1});
    CHECK(run("eager_1f1b", 4, 8, kOnes).peak == Peaks{7, 5, 3, 1});
    CHECK(run("zb_h1", 4, 8, kOnes).peak == Peaks{4, 4, 4, 4});
    CHECK(run("zb_h2", 4, 8, kOnes).peak == Peaks{7, 7, 7, 7});
    CHECK(run("interleaved_1f1b", 4, 8, kOnes, {{"v", 2}}).peak == Peaks{11, 9, 7, 5});
  }

  TEST_CASE("small exact cases: latency, p=4, m=8") {
    struct Row {
      std::int64_t latency;  // in tenths of F
      std::int64_t one_f_one_b;
      std::int64_t eager;
    };
    for (const Row& row : {Row{1, 346, 336}, Row{5, 410, 360}, Row{10, 490, 390}}) {
      const Costs tenths = {10, 10, 10, row.latency};
      CHECK(run("1f1b", 4, 8, tenths).makespan == Ticks{row.one_f_one_b});
      CHECK(run("eager_1f1b", 4, 8, tenths).makespan == Ticks{row.eager});
    }
  }

  TEST_CASE("controllable memory (2405.15362): span and peak with F = B = W = 1 per chunk") {
    struct Row {
      std::string name;
      int p;
      int m;
      double span;
      std::int64_t peak;
    };
    const std::vector<Row> rows = {
        {"v_min", 4, 8, 59, 4},   {"v_half", 4, 8, 53, 6},    {"zb_v", 4, 8, 48, 8},
        {"v_min", 8, 24, 171, 8}, {"v_half", 8, 24, 161, 10}, {"zb_v", 8, 24, 144, 16},
    };
    for (const Row& row : rows) {
      INFO(row.name, " p=", row.p);
      const ScheduleRun outcome = run(row.name, row.p, row.m, kOnesPerChunk);
      CHECK(in_units(outcome.span) == row.span);
      CHECK(std::ranges::max(outcome.peak) == row.peak);
    }
  }

  TEST_CASE(
      "DualPipe and DualPipeV (2412.19437): F = B = W = 1 per chunk, overlapped pairs of 3, 2") {
    struct Row {
      std::string name;
      int p;
      int m;
      double three;
      double two;
      std::int64_t peak;
    };
    const std::vector<Row> rows = {
        {"dualpipe", 4, 10, 32, 26, 5},
        {"dualpipe", 8, 20, 66, 52, 9},
        {"dualpipe_v", 4, 10, 66, 52, 9},
        {"dualpipe_v", 4, 20, 126, 92, 9},
    };
    for (const Row& row : rows) {
      INFO(row.name, " p=", row.p, " m=", row.m);
      const Costs costs = row.name == "dualpipe" ? kOnes : kOnesPerChunk;
      const ScheduleRun three = run_fused(row.name, row.p, row.m, costs, Ticks{3 * kUnit});
      CHECK(in_units(three.makespan) == row.three);
      CHECK(std::ranges::all_of(three.peak, [&](std::int64_t peak) { return peak == row.peak; }));
      const ScheduleRun two = run_fused(row.name, row.p, row.m, costs, Ticks{2 * kUnit});
      CHECK(in_units(two.makespan) == row.two);
    }
  }

  TEST_CASE(
      "makespans for two p and four m: Chimera (2107.06925), Hanayo (2308.15762), GEMS (SC'20)") {
    struct Row {
      std::string name;
      Parameters parameters;
      std::array<double, 4> makespans;  // p=4 m=8, p=4 m=16, p=8 m=16, p=8 m=32
    };
    const std::vector<Row> rows = {
        {"chimera", {}, {30, 58, 66, 126}},
        {"hanayo", {{"waves", 1}}, {32.5, 61.5, 68.5, 129.5}},
        {"hanayo", {{"waves", 2}}, {28.25, 54.75, 58.25, 112.75}},
        {"gems", {}, {75, 147, 279, 551}},
    };
    for (const Row& row : rows) {
      INFO(row.name);
      for (std::size_t i = 0; i < kSizes.size(); ++i) {
        const auto [p, m] = kSizes[i];
        CHECK(in_units(run(row.name, p, m, kOnes, row.parameters).makespan) == row.makespans[i]);
      }
    }
  }

  TEST_CASE(
      "Chimera with forward doubling (2107.06925, section 3.5), a pair of forwards one block") {
    const std::array<double, 4> makespans = {28, 52, 60, 108};
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
      const auto [p, m] = kSizes[i];
      const ScheduleRun pairs =
          run_forward_pairs("chimera", p, m, kOnes, {{"variant", "forward_doubling"}});
      CHECK(in_units(pairs.makespan) == makespans[i]);
    }
  }

  TEST_CASE("makespans for two p and four m: the V family (2405.15362), F = B = W = 1 per chunk") {
    struct Row {
      std::string name;
      std::array<double, 4> makespans;
    };
    const std::vector<Row> rows = {
        {"1f1b_v", {63, 111, 129, 225}},
        {"v_min", {59, 107, 123, 219}},
        {"v_half", {53, 101, 113, 209}},
    };
    for (const Row& row : rows) {
      INFO(row.name);
      for (std::size_t i = 0; i < kSizes.size(); ++i) {
        const auto [p, m] = kSizes[i];
        CHECK(in_units(run(row.name, p, m, kOnesPerChunk).makespan) == row.makespans[i]);
      }
    }
  }

  TEST_CASE("what the searches of sail-sg's zero-bubble code find, or better") {
    struct Row {
      std::string name;
      Parameters parameters;
      Costs costs;
      std::array<std::int64_t, 4> makespans;
      std::array<std::int64_t, 4> spans;
    };
    constexpr Costs kChunk = {24, 26, 14, 2};  // 12, 13 and 7 for each of two
    constexpr Costs kDevice = {12, 13, 7, 2};
    const std::vector<Row> rows = {
        {"v_zb", {}, {2, 2, 2}, {51, 99, 103, 199}, {48, 96, 96, 192}},
        {"v_zb", {}, kChunk, {579, 1091, 1182, 2206}, {574, 1086, 1181, 2205}},
        {"zb_auto", {{"limit", "1p"}}, kDevice, {334, 590, 694, 1206}, {334, 590, 694, 1206}},
        {"zb_auto", {{"limit", "2p"}}, kDevice, {300, 554, 612, 1122}, {294, 522, 610, 1056}},
    };
    for (const Row& row : rows) {
      INFO(row.name, " F=", row.costs.forward);
      for (std::size_t i = 0; i < kSizes.size(); ++i) {
        const auto [p, m] = kSizes[i];
        const ScheduleRun outcome = run(row.name, p, m, row.costs, row.parameters);
        CHECK(outcome.span.count <= row.spans[i]);
        CHECK(outcome.makespan.count <= row.makespans[i]);
      }
    }
  }
}
