// What a config means on a placement. Numbers are in ms; stages on p=2 with v=2 are looped:
// stages 0 and 2 on device 0, 1 and 3 on device 1.
#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/io/config.hpp"
#include "sim/io/config_costs.hpp"
#include "tests/configs.hpp"

using namespace pipesim;
using test::set;

namespace {

const std::string kTwoDevices =
    R"({"p": 2, "m": 3, "t_f": 2, "t_b": 4, "time_unit": "ps", "schedule": "1f1b"})";

RunConfig config_with(const std::vector<std::string>& assignments) {
  std::vector<Override> overrides;
  overrides.reserve(assignments.size());
  for (const std::string& assignment : assignments) overrides.push_back(set(assignment));
  return test::load({.file = kTwoDevices, .overrides = overrides}).config;
}

Problem problem_with(const std::vector<std::string>& assignments,
                     const Placement& placement = loop_placement(2, 2)) {
  return make_problem(config_with(assignments), placement);
}

std::string fault_with(const std::vector<std::string>& assignments,
                       const Placement& placement = loop_placement(2, 2)) {
  const RunConfig config = config_with(assignments);
  try {
    make_problem(config, placement);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// The problem of a costs table given as text.
Problem problem_of_costs(const std::string& text, const Placement& placement) {
  RunConfig config = config_with({});
  config.t_f.values.clear();
  config.t_b.values.clear();
  config.costs = parse_cost_table("costs.csv", text, TimeUnit::ps);
  return make_problem(config, placement);
}

std::string fault_of_costs(const std::string& text) {
  try {
    problem_of_costs(text, loop_placement(2, 1));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Ticks duration(const Problem& problem, const std::string& op) {
  return problem.duration(parse_token(op).value_or(Op{}));
}

std::vector<std::int64_t> forwards(const Problem& problem) {
  std::vector<std::int64_t> result;
  result.reserve(problem.costs.size());
  for (const StageCosts& costs : problem.costs) result.push_back(costs.forward.count);
  return result;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("times for a device, for a stage, and no other number of them") {
    CHECK(forwards(problem_with({"t_f=5"})) == std::vector<std::int64_t>{3, 3, 2, 2});
    CHECK(forwards(problem_with({"t_f=[5, 4]"})) == std::vector<std::int64_t>{3, 2, 2, 2});
    CHECK(forwards(problem_with({"t_f=[5, 4, 3, 2]"})) == std::vector<std::int64_t>{5, 4, 3, 2});
    CHECK(fault_with({"t_f=[5, 4, 3]"}) ==
          "/t_f: array of 3; an array of p = 2 or of 4 values, one for each stage, "
          "or one value for all");
    CHECK(fault_with({"t_f=[5, 4, 3]"}, loop_placement(2, 1)) ==
          "/t_f: array of 3; an array of p = 2 values, or one value for all");
  }

  TEST_CASE("every cost of a stage") {
    const Problem problem = problem_with({"t_w=[1, 2]", "t_fb=10", "t_r=6", "first.t_f=7",
                                          "last={\"t_f\": 1, \"t_b\": 5, \"t_w\": 3}"});
    CHECK(problem.costs ==
          std::vector<StageCosts>{{Ticks{8}, Ticks{2}, Ticks{1}, Ticks{5}, Ticks{3}},
                                  {Ticks{1}, Ticks{2}, Ticks{1}, Ticks{5}, Ticks{3}},
                                  {Ticks{1}, Ticks{2}, Ticks{0}, Ticks{5}, Ticks{3}},
                                  {Ticks{2}, Ticks{7}, Ticks{4}, Ticks{5}, Ticks{3}}});
    CHECK(problem_with({"first.t_f=7"}).costs[0].recompute == Ticks{8});
    CHECK(fault_with({"t_w=[1, 1, 3, 1]"}) ==
          "/t_w: stage 2 has t_w 3, t_b 2; at most t_b, of which it is a part");
    CHECK(fault_with({"t_w=[1]", "m=4"}) ==
          "/t_w: array of 1; an array of p = 2 or of 4 values, one for each stage, "
          "or one value for all");
  }

  TEST_CASE("communication") {
    const Communication all =
        problem_with({R"(p2p={"mode": "async", "latency": 3, "bytes": 1, "bandwidth": "3b/s"})"})
            .communication;
    CHECK(all.mode == TransferMode::async);
    CHECK(all.intra == Link{.latency = Ticks{3}, .occupancy = Ticks{2'666'666'666'667}});
    CHECK(all.inter == all.intra);
    CHECK(all.devices_per_node == 0);
    const Communication nodes =
        problem_with({R"(p2p={"devices_per_node": 1, "bytes": 1, "intra": {"latency": 3},
                             "inter": {"bandwidth": "1B/s"}, "shared_link": {"bandwidth": "2B/s"}})"})
            .communication;
    CHECK(nodes.devices_per_node == 1);
    CHECK(nodes.intra == Link{.latency = Ticks{3}, .occupancy = Ticks{0}});
    CHECK(nodes.inter == Link{.latency = Ticks{0}, .occupancy = Ticks{1'000'000'000'000}});
    CHECK(nodes.shared_link == Ticks{500'000'000'000});
    CHECK(problem_with({"p2p.latency=[[0, 1], [2, 0]]"}).communication.latencies ==
          std::vector{Ticks{0}, Ticks{1}, Ticks{2}, Ticks{0}});
    CHECK(fault_with({"p2p.latency=[[0, 1]]"}) ==
          "/p2p/latency: array of 1; a matrix of p = 2 rows of 2 values, or one value for all");
    CHECK(fault_with({"p2p.latency=[[0, 1], [2]]"}) ==
          "/p2p/latency/1: array of 1; a matrix of p = 2 rows of 2 values, or one value for all");
  }

  TEST_CASE("memory in microbatches") {
    const Placement uneven = {.device_of = {{Device{0}, Device{1}, Device{0}, Device{0}}}};
    const Problem problem = problem_with({"memory.limit=2.5"}, uneven);
    CHECK(!problem.memory.in_bytes);
    CHECK(problem.memory.units_per_microbatch == 6);
    CHECK(problem.memory.limit == 15);
    CHECK(problem.memory_limit == 2);
    CHECK(problem.memory.stages[0].activation == 2);
    CHECK(problem.memory.stages[0].kept_for_weight == 1);
    CHECK(problem.memory.stages[1].activation == 6);
    CHECK(problem.memory.stages[1].kept_for_weight == 3);
    CHECK(problem.memory.message == 0);
    CHECK(problem_with({}).memory.limit == std::nullopt);
    CHECK(problem_with({"memory.limit=0.5"}).memory_limit == 0);
    CHECK(fault_with({"memory.limit=0.4"}) ==
          "/memory/limit: 0.4 microbatches are less than one activation; "
          "at least 1/2, one stage's part");
    CHECK(fault_with({"memory.limit=0.9"}, loop_placement(2, 1)) ==
          "/memory/limit: 0.9 microbatches are less than one activation; at least 1");
  }

  TEST_CASE("memory in bytes") {
    const std::string section =
        R"(memory={"activation": [5, 8], "parameters": 4, "optimizer": [1, 2, 3, 4],
                   "limit": "30B"})";
    const std::string p2p = R"(p2p={"mode": "async", "bytes": 9, "bandwidth": "1B/s"})";
    const Problem problem = problem_with({section, p2p, "recompute=[1]"});
    CHECK(problem.memory.in_bytes);
    CHECK(problem.memory.limit == 30);
    CHECK(problem.memory.message == 9);
    CHECK(problem.memory_limit == 2);  // device 1: (30 - 10) / 8, device 0: (30 - 8) / 5
    const std::vector<StageMemory>& stages = problem.memory.stages;
    CHECK(stages[0].activation == 3);
    CHECK(stages[0].kept_for_weight == 1);
    CHECK(stages[0].resident == 3);
    CHECK(stages[0].input == 0);
    CHECK(stages[1].activation == 4);
    CHECK(stages[1].input == 9);
    CHECK(stages[2].activation == 2);
    CHECK(stages[3].resident == 6);
    CHECK(problem_with({section, "p2p={\"bytes\": 9, \"bandwidth\": \"1B/s\"}"}).memory.message ==
          0);
    CHECK(fault_with({section, "memory.limit=13B"}) ==
          "/memory/limit: 13B are less than device 1 needs for one activation; "
          "at least 14B, of which 10B are parameters and optimizer state");
    CHECK(fault_with({section, "memory.activation_w=[5, 9]"}) ==
          "/memory/activation_w: stage 1 has activation_w 5B, activation 4B; "
          "at most activation, of which it is a part");
    // Both flows' stages are there all the time, a microbatch is on one of them.
    CHECK(problem_with({R"(memory={"activation": 10, "parameters": [3, 7], "limit": "40B"})"},
                       bidirectional_placement(2))
              .memory_limit == 3);
  }

  TEST_CASE("recompute names stages that exist") {
    CHECK(problem_with({}).recompute.empty());
    CHECK(problem_with({"recompute=true"}).recompute == std::vector<bool>(4, true));
    CHECK(problem_with({"recompute=[1]"}).recompute ==
          std::vector<bool>{false, true, false, false});
    CHECK(fault_with({"recompute=[4]"}) == "/recompute: there is no stage 4; stages 0 to 3");
  }

  TEST_CASE("iterations") {
    const Problem problem =
        problem_with({R"(iterations={"count": 3, "grad_sync": 5, "overlap_grad_sync": true,
                                     "optimizer": [1, 2], "barrier": true})"});
    CHECK(problem.iterations.count == 3);
    CHECK(problem.total_microbatches() == 9);
    CHECK(problem.iterations.grad_sync == std::vector{Ticks{3}, Ticks{3}, Ticks{2}, Ticks{2}});
    CHECK(problem.iterations.optimizer == std::vector{Ticks{1}, Ticks{2}});
    CHECK(problem.iterations.overlap_grad_sync);
    CHECK(problem.iterations.barrier);
    CHECK(!problem_with({R"(iterations={"grad_sync": 0, "optimizer": 0})"}).iterations.has_tasks());
    const Problem joined = problem_with({R"(iterations={"count": 3, "flush": false})"});
    CHECK(joined.iterations.count == 1);
    CHECK(joined.microbatches == 9);
    CHECK(fault_with({"iterations.optimizer=[1, 2, 3, 4]"}) ==
          "/iterations/optimizer: array of 4; an array of p = 2 values, or one value for all");
    CHECK(fault_with({"iterations.count=2000000000"}) ==
          "/iterations/count: 6000000000 microbatches in all steps; at most 2147483647");
  }

  TEST_CASE("microbatches that differ, overhead and stragglers") {
    const Problem problem =
        problem_with({"t_f=[3, 2]", "t_w=[2, 2]", "variation.microbatch_scale=[1, 0.5, 2.1]",
                      "variation.launch_overhead=4",
                      R"(variation.stragglers=[{"device": 1, "factor": 1.5, "from": 1, "to": 2}])"},
                     loop_placement(2, 1));
    CHECK(duration(problem, "0F0") == Ticks{3});
    CHECK(duration(problem, "0F1") == Ticks{2});  // 1.5, half up
    CHECK(duration(problem, "0F2") == Ticks{6});  // 6.3
    CHECK(duration(problem, "1B2") == Ticks{8});  // 8.4
    CHECK(duration(problem, "1W2") == Ticks{4});  // 4.2
    CHECK(duration(problem, "1I2") == Ticks{4});  // what W leaves of B
    CHECK(duration(problem, "0R1") == Ticks{2});
    CHECK(problem.launch_overhead == Ticks{4});
    REQUIRE(problem.stragglers.size() == 1);
    CHECK(problem.stragglers[0].numerator == 3);
    CHECK(problem.stragglers[0].denominator == 2);
    CHECK(problem.stragglers[0].from == Ticks{1});
    CHECK(problem.stragglers[0].to == Ticks{2});
    const Problem joined = problem_with(
        {R"(iterations={"count": 2, "flush": false})", "variation.microbatch_scale=[1, 2, 3]"});
    CHECK(duration(joined, "0F5") == Ticks{3});
    CHECK(fault_with({"variation.microbatch_scale=[1, 2]"}) ==
          "/variation/microbatch_scale: array of 2; an array of m = 3 values");
    CHECK(fault_with({"variation.microbatch_scale=[0, 0, 0]"}) ==
          "/variation/microbatch_scale: T_ideal is 0: no op takes any time; "
          "at least one time above 0");
    CHECK(fault_with({R"(variation.stragglers=[{"device": 2, "factor": 2}])"}) ==
          "/variation/stragglers/0/device: there is no device 2; devices 0 to 1");
  }

  TEST_CASE("a placement keeps to the devices") {
    CHECK(fault_with({}, {.device_of = {{Device{0}, Device{2}}}}) ==
          "/placement: a stage is on device 2; devices 0 to 1");
    CHECK(fault_with({}, {.device_of = {{Device{0}, Device{0}}}}) ==
          "/placement: device 1 has no stage; a stage on every device");
  }

  TEST_CASE("a costs file") {
    const Problem plain = problem_of_costs(
        "stage,kind,time\r\n0,F,3\n0,B,5\n\n1,F,2ns\n1,I,3\n1,W,4\n1,R,9\n", loop_placement(2, 1));
    CHECK(plain.durations.empty());
    CHECK(plain.costs ==
          std::vector<StageCosts>{stage_costs(Ticks{3}, Ticks{5}),
                                  {Ticks{2000}, Ticks{7}, Ticks{4}, std::nullopt, Ticks{9}}});

    const Problem varied = problem_of_costs(
        "\xEF\xBB\xBFstage,kind,microbatch,time\n0,F,,3\n0,B,,5\n0,W,,1\n1,F,0,2\n1,F,1,4\n"
        "1,F,2,6\n1,B,,3\n0,B,2,8\n0,F,2,0\n",
        loop_placement(2, 1));
    CHECK(duration(varied, "0F0") == Ticks{3});
    CHECK(duration(varied, "0F2") == Ticks{0});
    CHECK(duration(varied, "0R2") == Ticks{0});
    CHECK(duration(varied, "0B2") == Ticks{8});
    CHECK(duration(varied, "0I2") == Ticks{7});
    CHECK(duration(varied, "0W2") == Ticks{1});
    CHECK(duration(varied, "1F1") == Ticks{4});
    CHECK(varied.costs[1].forward == Ticks{6});
    CHECK(!varied.costs[1].weight);
  }

  TEST_CASE("a costs file that cannot be") {
    const std::string header = "stage,kind,microbatch,time\n";
    CHECK(fault_of_costs("stage,time\n") ==
          "costs.csv:1:1: \"stage,time\" is no header of costs; "
          "stage,kind,time or stage,kind,microbatch,time");
    CHECK(fault_of_costs(header) == "costs.csv:1:1: no costs; a row for every stage and kind");
    CHECK(fault_of_costs(header + "x,F,0,1\n0,G,,2\n0,SEND_F,,2\n1,F,-1,1\n1,F,,-2\n1,F,,soon\n"
                                  "1,F,1\n0,B,,0.5\n") ==
          "costs.csv:2:1: \"x\" is no stage; an integer from 0\n"
          "costs.csv:3:3: \"G\" is no kind; F, B, I, W or R\n"
          "costs.csv:4:3: \"SEND_F\" is no kind; F, B, I, W or R\n"
          "costs.csv:5:5: \"-1\" is no microbatch; an integer from 0, or nothing for all\n"
          "costs.csv:6:6: \"-2\" is negative; a time of at least 0\n"
          "costs.csv:7:6: \"soon\" is not a time; a time such as 4 or 4ms\n"
          "costs.csv:8:1: 3 fields; 4 fields as in the header\n"
          "costs.csv:9:6: \"0.5\" is finer than a tick; a whole number of picoseconds");
    CHECK(fault_of_costs(header + "0,F,1,1\n0,F,1,2\n") ==
          "costs.csv:3:1: the same stage, kind and microbatch again; the first one is in line 2");
    CHECK(fault_of_costs(header + "2,F,,1\n0,F,3,1\n") ==
          "costs.csv:2:1: there is no stage 2; stages 0 to 1\n"
          "costs.csv:3:1: there is no microbatch 3; microbatches 0 to 2");
    CHECK(fault_of_costs(header + "0,F,,1\n0,I,,1\n1,B,,1\n") ==
          "costs.csv: stage 0 has no B; B, or both I and W, for every stage\n"
          "costs.csv: stage 1 has no F; F for every stage");
    CHECK(
        fault_of_costs(header + "0,F,,1\n0,B,,5\n0,I,,2\n0,W,,2\n1,F,,1\n1,B,,1\n1,W,,2\n") ==
        "costs.csv: stage 0 has a B that is not I and W together; B = I + W, or only two of them\n"
        "costs.csv: stage 1 has a B that is not I and W together; B = I + W, or only two of them");
    CHECK(fault_of_costs(header + "0,F,,1\n0,B,,5\n0,W,1,2\n1,F,,1\n1,B,,1\n") ==
          "costs.csv: stage 0 has W only for some microbatches; "
          "W for every microbatch, or for none");
    CHECK(fault_of_costs(header + "0,F,,1\n0,B,0,5\n1,F,,1\n1,B,,1\n") ==
          "costs.csv: stage 0 has no B; B, or both I and W, for every stage");
    CHECK(fault_of_costs("stage,kind,time\n0,F,0\n0,B,0\n1,F,0\n1,B,0\n") ==
          "/t_f: T_ideal is 0: no op takes any time; at least one time above 0");
  }

  TEST_CASE("a costs file is read with the config, and named if it cannot be") {
    const std::string document =
        R"({"p": 1, "m": 1, "schedule": "1f1b", "time_unit": "ps", "costs": "FILE"})";
    const auto with_file = [&](const std::string& file) {
      std::string text = document;
      return text.replace(text.find("FILE"), 4, file);
    };
    CHECK(test::faults_of(with_file("/no/such.csv")) ==
          "run.json:1:66: /costs: cannot read /no/such.csv: No such file or directory; a readable "
          "file");
    CHECK(test::faults_of(with_file("/")) ==
          "run.json:1:66: /costs: cannot read /: Is a directory; a readable file");
    const std::string file = "config_costs_test.csv";
    std::ofstream(file) << "stage,kind,time\n0,F,1\n0,B,x\n";
    CHECK(test::faults_of(with_file(file)) ==
          "config_costs_test.csv:3:5: \"x\" is not a time; a time such as 4 or 4ms");
    std::ofstream(file) << "stage,kind,time\n0,F,1\n0,B,2\n";
    const RunConfig config = test::config_of(with_file(file));
    CHECK(config.costs.rows.size() == 2);
    CHECK(resolved_json(config) ==
          R"({"schema_version": 1, "p": 1, "m": 1, "time_unit": "ps", )"
          R"("costs": "config_costs_test.csv", "schedule": {"name": "1f1b"}, )"
          R"("output": {"format": "table"}})");
    CHECK(test::config_of(resolved_json(config)) == config);
    std::remove(file.c_str());
  }
}
