#include <doctest/doctest.h>

#include <string>

#include "tests/cli/process.hpp"
#include "tests/occurrences.hpp"

using namespace pipesim::test;

namespace {

std::string drawn(const std::string& arguments) {
  const TemporaryDirectory directory;
  const Outcome outcome = run_pipesim(arguments + " --svg " + directory.path("a.svg"));
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
  return read_file(directory.path("a.svg"));
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("svg: a picture that is too large is refused, and a part of it is drawn") {
    const std::string allowed =
        " blocks is too large; at most 100000: --from and --to, or "
        "--devices, show a part\n";
    const std::string run = "-p 4 -m 30000 --t-f 2 --t-b 4 --schedule 1f1b";
    CHECK(refusal(run, "--svg") ==
          "command line: --svg: /output/svg: a picture of 240000" + allowed);
    CHECK(refusal(run + " --devices 1,3", "--svg") ==
          "command line: --svg: /output/svg: a picture of 120000" + allowed);
    CHECK(refusal("compare " + run + " gpipe 1f1b", "--svg") ==
          "command line: --svg: /output/svg: a picture of 480000" + allowed);
    // Before an order is searched for, which here would take minutes.
    CHECK(refusal("compare " + run + " --set t_w=2 -m 200000 zb_auto gpipe", "--svg") ==
          "command line: --svg: /output/svg: a picture of 1600000" + allowed);
    // After the run it is counted: about 2 ops in 6 ms on each device.
    CHECK(refusal(run + " --from 0 --to 150000", "--svg").find(allowed) != std::string::npos);
    CHECK(drawn(run + " --from 6 --to 30").find("device 3") != std::string::npos);
  }

  TEST_CASE("svg: standard output has the picture or the result") {
    const std::string run = "--config configs/hw5_2.json --svg /dev/stdout";
    const Outcome both = run_pipesim(run);
    CHECK(both.exit_code == 2);
    CHECK(both.out.empty());
    CHECK(both.err ==
          "command line: --svg: /output/svg: the result goes to standard output too; a file of its "
          "own, or --output FILE for the result\n");
    CHECK(run_pipesim(run + " --timeline /dev/stdout --output /dev/null").exit_code == 2);
    const Outcome picture = run_pipesim(run + " --output /dev/null");
    CHECK(picture.exit_code == 0);
    CHECK(picture.out.ends_with("</svg>\n"));
  }

  TEST_CASE("svg: an unknown theme is a fault") {
    CHECK(refusal("--config configs/hw5_2.json --theme drk", "--svg") ==
          "command line: --theme: unknown theme \"drk\"; auto, light or dark (did you mean "
          "\"dark\"?)\n");
  }

  TEST_CASE("svg: compare stacks its schedules on one axis") {
    const std::string picture = drawn(
        "compare --config configs/hw5_2.json --set memory.limit=4 --memory --quiet gpipe 1f1b");
    CHECK(occurrences(picture, "class=\"title\"") == 2);
    CHECK(occurrences(picture, "class=\"legend\"") == 1);
    CHECK(occurrences(picture, ">time (ms)<") == 1);
    CHECK(occurrences(picture, ">device 3<") == 2);
    CHECK(occurrences(picture, "class=\"limit\"") == 9);  // of 8 rows, and in the legend
    // 66 of 84 ms on the same scale
    CHECK(picture.find("<title>idle, drain: 54 to 66 ms</title>") != std::string::npos);
  }
}
