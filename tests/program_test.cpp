#include "sim/program.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/error.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

std::string tokens(const LaneOrder& order) {
  std::string text;
  for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
    text += (text.empty() ? "" : " ") + token(cursor.step().op);
  }
  return text;
}

std::string fault_of(const Problem& problem, const Program& program) {
  try {
    validate_program(problem, program);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("loops nest, each level with its own stride") {
    const Stage stage{2};
    const LaneOrder order = {
        repeat(2, {with_stride(repeat(3, {forward(stage, 0)}), 3),
                   with_stride(repeat(3, {with_stride(backward(stage, 2), -1)}), 3)}),
        forward(stage, 6)};
    CHECK(tokens(order) == "2F0 2F1 2F2 2B2 2B1 2B0 2F3 2F4 2F5 2B5 2B4 2B3 2F6");
    CHECK(step_count(order) == 13);
  }

  TEST_CASE("a loop without repetitions or body is nothing, wherever it stands") {
    const Stage stage{0};
    const LaneOrder order = {repeat(0, {forward(stage, 9)}),
                             repeat(2, {repeat(0, {forward(stage, 9)})}), repeat(5, {}),
                             forward(stage, 0), repeat(-1, {forward(stage, 9)})};
    CHECK(tokens(order) == "0F0");
    CHECK(step_count(order) == 1);
    CHECK(StepCursor(LaneOrder{}).done());
  }

  TEST_CASE("a stride of 0 repeats the same microbatch") {
    CHECK(tokens({repeat(2, {with_stride(forward(Stage{1}, 4), 0)})}) == "1F4 1F4");
  }

  TEST_CASE("a program prints as its definition, in as many lines for any m") {
    const std::string text = to_text(test::program_of("1f1b", test::equal_stages(2, 8, 1, 2)));
    CHECK(text ==
          "device 0\n"
          "  repeat 1\n"
          "    0F0\n"
          "  repeat 7\n"
          "    0F1\n"
          "    0B0\n"
          "  repeat 1\n"
          "    0B7\n"
          "device 1\n"
          "  repeat 8\n"
          "    1F0\n"
          "    1B0\n");
  }

  TEST_CASE("what a program gets wrong is named") {
    const Problem problem = test::equal_stages(2, 2, 1, 1);
    const Program right = test::program_of("gpipe", problem);
    CHECK(fault_of(problem, right) == "");

    Program program = right;
    program.lanes[1].push_back(forward(Stage{1}, 0));
    CHECK(fault_of(problem, program) == "/schedule: 1F0 stands twice on device 1; each op once");

    program = right;
    program.lanes[1].pop_back();
    CHECK(fault_of(problem, program) == "/schedule: 1B0 is missing on device 1; each op once");

    program = right;
    program.lanes[1].push_back(backward(Stage{0}, 0));
    CHECK(fault_of(problem, program) == "/schedule: 0B0 is on device 1; stage 0 is on device 0");

    program = right;
    program.lanes[0].push_back(forward(Stage{0}, 2));
    CHECK(fault_of(problem, program) ==
          "/schedule: 0F2 on device 0 is not an op of this problem; stages 0 to 1, microbatches 0 "
          "to 1");

    program.lanes.pop_back();
    CHECK(fault_of(problem, program) ==
          "/schedule: the program orders 1 devices; one order for each of the 2 devices");
  }
}
