#include "sim/idle.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "tests/clusters.hpp"

using namespace pipesim;

namespace {

/// "dependency on 1: 2-5 before F3" for each part.
std::vector<std::string> rows(const TaskGraph& graph, const std::vector<IdlePart>& parts) {
  std::vector<std::string> result;
  for (const IdlePart& part : parts) {
    std::string row(name(part.cause));
    if (part.on) row += " on " + std::to_string(part.on->value);
    row += ": " + std::to_string(part.begin.count) + "-" + std::to_string(part.end.count);
    if (part.next != kNoTask) row += " before " + short_name(graph.op(part.next));
    result.push_back(row);
  }
  return result;
}

IdleTimes all_devices(const TaskGraph& graph) {
  IdleTimes sum{};
  for (const auto& parts : idle_parts(graph, simulate(graph))) {
    const IdleTimes times = idle_times(parts);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += times[i];
  }
  return sum;
}

IdleCause largest(const Problem& problem, const Program& program) {
  const IdleTimes times = all_devices(TaskGraph(problem, program));
  return static_cast<IdleCause>(std::max_element(times.begin(), times.end()) - times.begin());
}

Problem two_stages(int m, StageCosts first, StageCosts second) {
  return test::problem_of(m, {first, second});
}

void check_sums(const TaskGraph& graph) {
  const Timeline timeline = simulate(graph);
  const auto parts = idle_parts(graph, timeline);
  const Ticks t_total = total_time(timeline);
  for (std::size_t device = 0; device < parts.size(); ++device) {
    Ticks busy;
    for (const Span* span = timeline.begin(device); span != timeline.end(device); ++span) {
      busy += span->end - span->start;
    }
    Ticks idle;
    Ticks before;
    for (const IdlePart& part : parts[device]) {
      CHECK(part.begin >= before);
      CHECK(part.begin < part.end);
      before = part.end;
      idle += part.end - part.begin;
    }
    CHECK(busy + idle == t_total);
  }
}

}  // namespace

TEST_SUITE("unit") {
  // 1f1b, p=2, m=2, F=2, B=4, latency 1. Device 0: F0 0-2, F1 2-4, B0 10-14, B1 16-20; device 1:
  // F0 3-5, B0 5-9, F1 9-11, B1 11-15.
  TEST_CASE("each gap has its cause, part by part") {
    Problem problem = test::equal_stages(2, 2, 2, 4);
    problem.communication.intra.latency = Ticks{1};
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const auto parts = idle_parts(graph, simulate(graph));
    using Rows = std::vector<std::string>;
    CHECK(rows(graph, parts[0]) ==
          Rows{"dependency on 1: 4-9 before B0", "communication: 9-10 before B0",
               "dependency on 1: 14-15 before B1", "communication: 15-16 before B1"});
    CHECK(rows(graph, parts[1]) == Rows{"fill: 0-3 before F0", "drain: 15-20"});
  }

  // gpipe as drawn in communication_test.cpp: SEND_F1 is ready at 4 and stands behind SEND_F0
  // until 6; SEND_B1 is ready at 20, when SEND_B0 ends.
  TEST_CASE("a transfer that stands behind another is head-of-line blocking") {
    Problem problem = test::equal_stages(2, 2, 2, 4);
    problem.communication.mode = TransferMode::single_stream;
    problem.communication.intra = {.latency = Ticks{1}, .occupancy = Ticks{3}};
    const TaskGraph graph(problem, test::program_of("gpipe", problem));
    const auto parts = idle_parts(graph, simulate(graph));
    using Rows = std::vector<std::string>;
    CHECK(rows(graph, parts[0]) ==
          Rows{"dependency on 1: 4-16 before B0", "communication: 16-20 before B0"});
    CHECK(rows(graph, parts[1]) ==
          Rows{"fill: 0-6 before F0", "communication: 8-10 before F1", "drain: 20-28"});
  }

  TEST_CASE("each cause is the largest somewhere") {
    const StageCosts even{Ticks{1}, Ticks{1}};
    const auto gpipe = [](const Problem& problem) { return test::program_of("gpipe", problem); };
    Problem problem = two_stages(1, {Ticks{10}, Ticks{1}}, even);
    CHECK(largest(problem, gpipe(problem)) == IdleCause::fill);
    problem = two_stages(1, {Ticks{1}, Ticks{10}}, even);
    CHECK(largest(problem, gpipe(problem)) == IdleCause::drain);
    problem = two_stages(1, even, {Ticks{10}, Ticks{10}});
    CHECK(largest(problem, gpipe(problem)) == IdleCause::dependency);

    // Each forward waits for a slow link, once the pipeline is filled.
    problem = two_stages(20, even, even);
    problem.communication.mode = TransferMode::async;
    problem.communication.intra.occupancy = Ticks{10};
    CHECK(largest(problem, gpipe(problem)) == IdleCause::communication);

    // Two long transfers leave device 0 before the one that device 1 needs next.
    problem = two_stages(20, even, even);
    problem.communication.mode = TransferMode::single_stream;
    problem.communication.intra.occupancy = Ticks{10};
    const IdleTimes blocked = all_devices(TaskGraph(problem, test::program_of("1f1b", problem)));
    CHECK(blocked[static_cast<std::size_t>(IdleCause::head_of_line)] > 0);

    // Two devices wait at the barrier while the third one's gradients are reduced.
    problem = test::equal_stages(3, 1, 1, 1);
    problem.iterations.count = 10;
    problem.iterations.barrier = true;
    problem.iterations.grad_sync = {Ticks{1}, Ticks{1}, Ticks{50}};
    CHECK(largest(problem, gpipe(problem)) == IdleCause::barrier);

    problem = test::equal_stages(1, 1, 1, 1);
    problem.iterations.count = 3;
    problem.iterations.optimizer = {Ticks{30}};
    CHECK(largest(problem, gpipe(problem)) == IdleCause::optimizer);

    problem = test::equal_stages(1, 2, 1, 2);
    problem.parking = {.keeper = {Device{0}}, .copy_time = {Ticks{5}}};
    const Stage stage{0};
    const Program parks{{{forward(stage, 0), item(OpKind::evict, stage, 0), forward(stage, 1),
                          backward(stage, 1), item(OpKind::load, stage, 0), backward(stage, 0)}}};
    CHECK(largest(problem, parks) == IdleCause::memory);
  }

  TEST_CASE("the parts of a device add up to its idle time, in every mode") {
    std::mt19937_64 random(41);
    for (int round = 0; round < 400; ++round) {
      const TransferMode modes[] = {TransferMode::free, TransferMode::async,
                                    TransferMode::single_stream, TransferMode::rendezvous};
      const TransferMode mode = modes[round % 4];
      Problem problem = test::random_cluster(random, mode, round % 8 < 2);
      if (round % 3 == 0) {
        problem.iterations.count = static_cast<int>(test::draw(random, 1, 3));
        problem.iterations.overlap_grad_sync = round % 2 == 0;
        problem.iterations.barrier = test::draw(random, 0, 1) == 1;
        for (int stage = 0; stage < problem.stages(); ++stage) {
          problem.iterations.grad_sync.emplace_back(test::draw(random, 0, 9));
        }
      }
      CAPTURE(round);
      const TaskGraph graph(problem, test::breadth_first(problem));
      if (find_cycle(graph).empty()) check_sums(graph);
    }
  }
}
