#include "sim/io/program_text.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

Program read(const std::string& text, std::int64_t microbatches = 1'000'000) {
  const ParsedProgram parsed = parse_program_text(text, microbatches);
  CHECK(parsed.faults.empty());
  return parsed.program;
}

/// The faults, a line each: "LINE:COLUMN: WHAT; ALLOWED".
std::string faults(const std::string& text, std::int64_t microbatches = 8) {
  std::string result;
  for (Fault fault : parse_program_text(text, microbatches).faults) {
    fault.place = fmt::format("{}:{}", fault.line, fault.column);
    result += (result.empty() ? "" : "\n") + message(fault);
  }
  return result;
}

std::vector<Item> random_items(std::mt19937_64& random, int depth) {
  std::vector<Item> items;
  for (std::int64_t count = test::draw(random, 1, 3); count > 0; --count) {
    const std::int64_t stage = test::draw(random, 0, 3);
    Item item = forward(Stage{stage}, test::draw(random, 0, 9));
    if (depth < 4 && random() % 2 == 0) {
      item = repeat(test::draw(random, 1, 9), random_items(random, depth + 1));
    } else if (random() % 3 == 0) {
      item = overlapped(item, backward_input(Stage{stage}, 7));
    }
    items.push_back(depth == 0 ? item : with_stride(item, test::draw(random, -3, 3)));
  }
  return items;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("program text: every schedule's program is read as it was printed") {
    for (const Schedule* schedule : test::general_schedules()) {
      for (const int m : {1, 8, 100}) {
        const Problem problem = test::placed(*schedule, test::equal_stages(4, m, 1, 2));
        if (!test::accepts(*schedule, problem)) continue;
        const Program program = test::program_of(std::string(schedule->info.name), problem);
        const Program again = read(to_text(program));
        CHECK(to_text(again) == to_text(program));
        CHECK(step_count(again.lanes[2]) == step_count(program.lanes[2]));
      }
    }
  }

  TEST_CASE("program text: loops in loops, strides, pairs") {
    std::mt19937_64 random(3);
    for (int round = 0; round < 200; ++round) {
      Program program;
      for (int device = 0; device < 3; ++device) program.lanes.push_back(random_items(random, 0));
      CHECK(read(to_text(program)) == program);
    }
  }

  TEST_CASE("program text: a loop that runs nothing is not printed") {
    const Program program{.lanes = {{repeat(3, {repeat(0, {forward(Stage{0}, 0)}), repeat(2, {})}),
                                     forward(Stage{0}, 1)}}};
    CHECK(to_text(program) == "device 0\n  0F1\n");
  }

  TEST_CASE("program text: what is said by hand") {
    const std::string text =
        "# one microbatch at a time\r\n"
        "\r\n"
        "device 0  \r\n"
        "  repeat 4\r\n"
        "\r\n"
        "# forward, then backward\n"
        "    0F0 \n"
        "    (0F4;0I9)OVERLAP_F_B  step -2\n"
        "device 1";
    CHECK(is_program_text(text));
    CHECK(to_text(read(text)) ==
          "device 0\n  repeat 4\n    0F0\n    (0F4;0I9) step -2\ndevice 1\n");
    for (const std::string other : {"", "# device", "0F0,0B0", "devices 0", ",", "\n\n0F0"}) {
      CHECK_FALSE(is_program_text(other));
    }
  }

  TEST_CASE("program text: faults, all at once, each with its place") {
    CHECK(faults("device 0\n  0G0\n  repeat x\n    0F0 step\n  repeat 9\n    0B0\n") ==
          "2:3: \"0G0\" is no op; an op such as 0F0, or repeat 3, each perhaps with step 2\n"
          "3:10: \"x\" is no number of repetitions here; an integer from 1 to 8: each repetition "
          "is another microbatch\n"
          "4:9: \"step\" is no stride; step and an integer from -2147483647 to 2147483647\n"
          "5:10: \"9\" is no number of repetitions here; an integer from 1 to 8: each repetition "
          "is another microbatch");
    CHECK(faults("device 0\n  repeat\n    0F0\n") ==
          "2:3: repeat without a number; an integer from 1 to 8: each repetition is another "
          "microbatch");
    CHECK(faults("device 1\n  0F0\n") ==
          "1:1: \"device 1\" where device 0 should begin; device 0, or two spaces before an op");
    CHECK(faults("  0F0\ndevice 0\n0B0\n") ==
          "1:3: \"0F0\" is deeper than what stands above it; a line such as device 0 first\n"
          "3:1: \"0B0\" where device 1 should begin; device 1, or two spaces before an op");
    CHECK(faults("device 0\n   0F0\n  \t0F0\n    0F0\n") ==
          "2:4: \"0F0\" is indented by 3; 2 spaces for each level\n"
          "3:4: \"0F0\" is indented by 3; 2 spaces for each level\n"
          "4:5: \"0F0\" is deeper than what stands above it; at most 2 spaces here");
    CHECK(faults("device 0\n  repeat 2\n  0F0\n  repeat 3\n") ==
          "2:3: \"repeat\" repeats nothing; lines below it that are indented further\n"
          "4:3: \"repeat\" repeats nothing; lines below it that are indented further");
    CHECK(faults("device 0\n  0F0 step 2\n  repeat 2\n    0F0 1F0\n    0B0 step 2 3\n") ==
          "2:7: step outside of every loop; step only in a loop\n"
          "4:9: \"1F0\" does not belong here; an op such as 0F0, or repeat 3, each perhaps with "
          "step 2\n"
          "5:16: \"3\" does not belong here; an op such as 0F0, or repeat 3, each perhaps with "
          "step 2");
    CHECK(faults("device 0\n  repeat 2\n    0SEND_F0\n    0F0 step 2147483648\n") ==
          "3:5: \"0SEND_F0\" is a transfer; ops that compute: transfers follow from their order\n"
          "4:14: \"2147483648\" is no stride; step and an integer from -2147483647 to 2147483647");
  }

  TEST_CASE("program text: no number of repetitions and no depth makes it hang") {
    for (const std::string count : {"1000000000000000000", "99999999999999999999", "-1", "0"}) {
      CHECK(faults("device 0\n  repeat " + count + "\n    0F0\n").rfind("2:10: \"" + count, 0) ==
            0);
    }
    std::string deep = "device 0\n";
    for (std::size_t level = 1; level <= 100'000 && deep.size() < 1'000'000; ++level) {
      deep += std::string(2 * level, ' ') + "repeat 1\n";
    }
    CHECK(faults(deep).rfind("66:131: loops are nested too deep; at most 64 levels", 0) == 0);
    // Loops in loops whose repetitions multiply end at the first op that stands twice.
    std::string text = "device 0\n";
    for (std::size_t level = 1; level <= 20; ++level) {
      text += std::string(2 * level, ' ') + "repeat 1000000000 step 0\n";
    }
    text.replace(text.find(" step 0"), 7, "");
    const Program program = read(text + std::string(42, ' ') + "0F0 step 0\n", 1'000'000'000);
    Problem problem = test::equal_stages(1, 8, 1, 1);
    CHECK_THROWS_WITH(validate_program(problem, program),
                      "/schedule: 0F0 stands twice on device 0; each op once");
  }

  TEST_CASE("program text: whatever it holds, it is read or refused") {
    constexpr std::uint64_t kSeed = 188833;
    MESSAGE("seed " << kSeed);
    std::mt19937_64 random(kSeed);
    const Problem problem = test::equal_stages(2, 6, 1, 2);
    const std::string right = to_text(test::program_of("1f1b", problem));
    const std::string bytes = "0123456789FBIWR(); \n\trepatsdvc#-\xFF";
    int refused = 0;
    for (int round = 0; round < 5000; ++round) {
      std::string text = right;
      for (std::int64_t edits = test::draw(random, 1, 4); edits > 0; --edits) {
        const std::size_t at = random() % text.size();
        if (random() % 2 == 0) text.erase(at, random() % 4);
        text.insert(std::min(at, text.size()), 1, bytes[random() % bytes.size()]);
      }
      const ParsedProgram parsed = parse_program_text(text, 6);
      for (const Fault& fault : parsed.faults) {
        CHECK(fault.line >= 1);
        CHECK(fault.column >= 1);
        CHECK_FALSE(fault.allowed.empty());
      }
      try {
        if (parsed.faults.empty()) validate_program(problem, parsed.program);
        refused += parsed.faults.empty() ? 0 : 1;
      } catch (const Error&) {
        ++refused;
      }
    }
    CHECK(refused > 3000);
  }
}
