#include "sim/task_graph.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

TEST_SUITE("unit") {
  TEST_CASE("successors are the inverse of predecessors, in every mode of communication") {
    for (const TransferMode mode : {TransferMode::free, TransferMode::async,
                                    TransferMode::single_stream, TransferMode::rendezvous}) {
      Problem problem = test::equal_stages(4, 3, 1, 2);
      problem.communication.mode = mode;
      problem.communication.intra = {.latency = Ticks{1}, .occupancy = Ticks{2}};
      const TaskGraph graph(problem, test::program_of("1f1b", problem));
      std::vector<std::tuple<TaskId, TaskId, std::int64_t>> out;
      std::vector<std::tuple<TaskId, TaskId, std::int64_t>> in;
      for (TaskId task = 0; task < graph.size(); ++task) {
        for (const Neighbor& next : graph.successors(task)) {
          out.emplace_back(task, next.task, next.latency.count);
        }
        for (const Neighbor& before : graph.predecessors(task)) {
          in.emplace_back(before.task, task, before.latency.count);
        }
      }
      std::sort(out.begin(), out.end());
      std::sort(in.begin(), in.end());
      CHECK(out == in);
    }
  }

  TEST_CASE("a task's neighbours are the op before it on its lane and its inputs") {
    const Problem problem = test::equal_stages(2, 2, 1, 2);
    const TaskGraph graph(problem, test::program_of("gpipe", problem));
    // Lane 0: 0F0 0F1 0B0 0B1; lane 1: 1F0 1F1 1B0 1B1.
    CHECK(graph.size() == 8);
    CHECK(graph.devices() == 2);
    CHECK(token(graph.op(6)) == "1B0");
    CHECK(graph.find(Role::gradient, Stage{1}, Microbatch{0}) == 6);
    const NeighborList before = graph.predecessors(2);
    REQUIRE(before.size() == 3);
    CHECK(before[0].task == 1);
    CHECK(before[0].kind == EdgeKind::order);
    CHECK(before[1].task == 0);
    CHECK(before[1].kind == EdgeKind::data);
    CHECK(before[2].task == 6);
    const NeighborList after = graph.successors(0);
    REQUIRE(after.size() == 3);
    CHECK(after[0].task == 1);
    CHECK(after[1].task == 4);
    CHECK(after[2].task == 2);
    CHECK(graph.predecessors(0).size() == 0);
    CHECK(graph.successors(3).size() == 0);
  }

  TEST_CASE("a cycle is found wherever it is, none where there is none") {
    const Problem problem = test::equal_stages(3, 2, 1, 2);
    Program program = test::program_of("1f1b", problem);
    CHECK(find_cycle(TaskGraph(problem, program)).empty());
    program.lanes[2] = {backward(Stage{2}, 1), forward(Stage{2}, 0), backward(Stage{2}, 0),
                        forward(Stage{2}, 1)};
    const TaskGraph graph(problem, program);
    const std::vector<TaskId> cycle = find_cycle(graph);
    REQUIRE(cycle.size() >= 2);
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      const TaskId awaited = cycle[(i + 1) % cycle.size()];
      const NeighborList before = graph.predecessors(cycle[i]);
      CHECK(std::any_of(before.begin(), before.end(),
                        [&](const Neighbor& neighbor) { return neighbor.task == awaited; }));
    }
  }

  TEST_CASE("of critical paths that end together the one that ends in the lowest task") {
    const Problem problem = test::problem_of(1, {{Ticks{1}, Ticks{0}}, {Ticks{1}, Ticks{2}}});
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    // 0B0 takes no time, so it ends with 1B0.
    CHECK(critical_path(graph, simulate(graph)).tasks == std::vector<TaskId>{0, 2, 3, 1});
  }

  TEST_CASE("the critical path of hw5_2 goes down, stays on the last stage and comes back") {
    const Problem problem = test::equal_stages(4, 8, 2, 4);
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const CriticalPath path = critical_path(graph, simulate(graph));
    CHECK(path.forward == Ticks{22});
    CHECK(path.backward == Ticks{44});
    CHECK(path.waiting == Ticks{0});
    REQUIRE(path.runs.size() == 7);
    CHECK(path.runs[3].stage == Stage{3});
    CHECK(path.runs[3].ops == 16);
    CHECK(short_name(path.runs[3].first) == "F0");
    CHECK(short_name(path.runs[3].last) == "B7");
    CHECK(path.runs[6].device == Device{0});
    CHECK(short_name(path.runs[6].last) == "B7");
  }
}
