// The schedule custom: an order and a placement from a config.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/io/config.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "tests/configs.hpp"

using namespace pipesim;

namespace {

struct Prepared {
  Problem problem;
  Program program;
};

Prepared prepare(const std::vector<std::string>& assignments) {
  std::vector<Override> overrides = {test::set("p=2"), test::set("m=2"), test::set("t_f=1"),
                                     test::set("t_b=2"), test::set("schedule=custom")};
  for (const std::string& assignment : assignments) overrides.push_back(test::set(assignment));
  const std::vector<ScheduleSignature> known = signatures(builtin_schedules());
  const RunConfig config = read_config(std::nullopt, overrides, known).config;
  const Schedule& schedule = *find_schedule(builtin_schedules(), config.schedule);
  Prepared prepared;
  prepared.problem = make_problem(config, place(schedule, config.p, config.parameters));
  prepared.program = build(schedule, prepared.problem, config.parameters);
  return prepared;
}

std::string fault(const std::vector<std::string>& assignments) {
  try {
    prepare(assignments);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Ticks makespan(const std::vector<std::string>& assignments) {
  const Prepared prepared = prepare(assignments);
  const Timeline timeline = simulate(TaskGraph(prepared.problem, prepared.program));
  Ticks last;
  for (const Span& span : timeline.spans) last = std::max(last, span.end);
  return last;
}

Ticks ms(std::int64_t count) { return Ticks{count * 1'000'000'000}; }

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("custom runs the order that is given") {
    // 0: F0 F1 .  B0 B0 B1 B1   (device 1: .  F0 B0 B0 F1 B1 B1)
    CHECK(makespan({R"(schedule.order=["0F0 0F1 0B0 0B1", "1F0 1B0 1F1 1B1"])"}) == ms(9));
    CHECK(makespan({R"(schedule.order=["0F0 0F1 0B0 0B1", "1F0 1F1 1B0 1B1"])"}) == ms(9));
    CHECK(makespan({R"x(schedule.order=["0F0 0F1 0B0 0B1", "1F0 (1F1;1B0) 1B1"])x", "t_fb=2"}) ==
          ms(8));
  }

  TEST_CASE("custom runs a program that is given as a text, and keeps its loops") {
    const std::string text =
        R"(schedule.order="device 0\n  repeat 2\n    0F0\n  repeat 2\n    0B0\ndevice 1\n)"
        R"(  repeat 2\n    1F0\n    1B0\n")";
    CHECK(makespan({text}) == ms(9));
    CHECK(prepare({text}).program ==
          Program{.lanes = {{repeat(2, {forward(Stage{0}, 0)}), repeat(2, {backward(Stage{0}, 0)})},
                            {repeat(2, {forward(Stage{1}, 0), backward(Stage{1}, 0)})}}});
    CHECK(fault({R"(schedule.order="device 0\n  0F0\n   0B0\ndevice 1\n  repeat 3\n    1F0")"}) ==
          "command line: --set schedule.order: /schedule/order: line 3, column 4: \"0B0\" is "
          "indented by 3; 2 spaces for each level\n"
          "command line: --set schedule.order: /schedule/order: line 5, column 10: \"3\" is no "
          "number of repetitions here; an integer from 1 to 2: each repetition is another "
          "microbatch");
    // What a loop makes of its ops is judged like any other order.
    CHECK(
        fault(
            {R"(schedule.order="device 0\n  repeat 2\n    0F0 step 2147483647\ndevice 1\n  1F0")"}) ==
        "/schedule: 0F2147483647 on device 0 is not an op of this problem; stages 0 to 1, "
        "microbatches 0 to 1");
  }

  TEST_CASE("custom places the stages that its order names") {
    const std::string four = R"(schedule.order=["0F0 2F0 2B0 0B0", "1F0 3F0 3B0 1B0"])";
    CHECK(prepare({four, "m=1"}).problem.placement.device_of == loop_placement(2, 2).device_of);
    const std::string v = R"(schedule.order=["0F0 3F0 3B0 0B0", "1F0 2F0 2B0 1B0"])";
    CHECK(prepare({v, "m=1", "placement=v"}).problem.placement.device_of ==
          v_placement(2).device_of);
    CHECK(makespan({v, "m=1", "placement=[0,1,1,0]"}) == ms(6));
    // Without a placement a stage is where its ops are.
    CHECK(prepare({v, "m=1"}).problem.placement.device_of == v_placement(2).device_of);
    const std::string three = R"(schedule.order=["0F0 2F0 2B0 0B0", "1F0 1B0"])";
    CHECK(prepare({three, "m=1"}).problem.placement.device_of ==
          std::vector<std::vector<Device>>{{Device{0}, Device{1}, Device{0}}});
    const std::string both = R"(schedule.order=["0F0 1F1 1B1 0B0", "0F1 1F0 1B0 0B1"])";
    CHECK(makespan({both, "placement=bidirectional"}) == ms(6));
  }

  TEST_CASE("custom refuses what it cannot place") {
    const std::string three = R"(schedule.order=["0F0 2F0 2B0 0B0", "1F0 1B0"])";
    CHECK(fault({}) ==
          "/schedule/order: missing; required: an array with a string of tokens for each device, "
          "such as \"0F0 0F1 0B0 0B1\", or a file");
    CHECK(fault({R"(schedule.order=["0F0 0B0"])"}) ==
          "/schedule/order: array of 1; an array of p = 2 strings, one for each device");
    CHECK(fault({three, "placement=loop"}) ==
          "/schedule/order: 3 stages on p = 2 devices; "
          "a multiple of p, or a placement with the device of each stage");
    CHECK(fault({R"(schedule.order=["", ""])"}) ==
          "/schedule/order: no op; every op of every stage");
    CHECK(fault({R"(schedule.order=["0F0 2F0", "1F0 0B0"])"}) ==
          "/schedule/order: stage 0 is on device 0 and on device 1; one device, or the placement "
          "bidirectional");
    CHECK(fault({R"(schedule.order=["0F0 2F0", "4F0"])"}) ==
          "/schedule/order: no op of stage 1; stages 0 to 4");
    CHECK(fault({R"(schedule.order=["0F0", "1048576F0"])"}) ==
          "/schedule/order: stage 1048576; stages 0 to 1048575");
    CHECK(fault({three, "placement=v"}) == "/placement: \"v\" with 3 stages; 2p = 4 stages");
    CHECK(fault({three, "placement=bidirectional"}) ==
          "/placement: \"bidirectional\" with 3 stages; p = 2 stages in each direction");
    CHECK(fault({three, "placement=[0,1]"}) ==
          "/placement: array of 2; an array of 3 values, one for each stage of the order");
    CHECK(fault({three, "placement=[0,1,2]"}) ==
          "/placement: a stage is on device 2; devices 0 to 1");
    CHECK(fault({three, "placement=[0,1,0]", "m=1"}) == "");
    CHECK(fault({three, "placement=[0,1,0]"}) ==
          "/schedule: 0F1 is missing on device 0; each op once");
  }
}
