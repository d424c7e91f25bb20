#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

// The two ranks of a run of torch.distributed.pipelining, two steps of two microbatches, in the
// layout of Kineto. Medians by hand: F0 (1000.25 + 1004.25) / 2, F1 (1499.5 + 1500.5) / 2,
// B0 (2000.125 + 2002.125) / 2, B1 (3000 + 3010) / 2.
constexpr auto kTraces =
    "import --kineto tests/data/kineto_rank0.json tests/data/kineto_rank1.json";
constexpr auto kConfig = R"({
  "p": 2,
  "m": 2,
  "t_f": [1002.25, 1500],
  "t_b": [2001.125, 3005],
  "time_unit": "us",
  "schedule": "1f1b",
  "variation": {"jitter": {"kind": "lognormal", "cv": 0.007688}}
}
)";

std::string fault(const std::string& arguments) {
  const Outcome outcome = run_pipesim(arguments);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out == "");
  return outcome.err;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("import of the profiler's traces gives the medians and the spread") {
    const Outcome outcome = run_pipesim(kTraces);
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out == kConfig);
    CHECK(outcome.err == "pipesim: note: 16 ranges of the category user_annotation\n");
    CHECK(run_pipesim(std::string(kTraces) + " --quiet").err == "");
  }

  TEST_CASE("pipesim runs what import writes") {
    const TemporaryDirectory directory;
    const std::string file = directory.path("run.json");
    const Outcome written = run_pipesim(std::string(kTraces) + " --output " + file);
    CHECK(written.out == "");
    CHECK(read_file(file) == kConfig);
    const Outcome run = run_pipesim("--config " + file + " --format csv --no-header");
    CHECK(run.exit_code == 0);
    CHECK(run.out.rfind("1,1f1b,2,2,us,12013.375,9010,", 0) == 0);
    CHECK(run_pipesim(std::string(kTraces) + " | \"$PIPESIM\" check --config -").exit_code == 0);
  }

  TEST_CASE("an import takes schedule, devices, microbatches and unit") {
    CHECK(run_pipesim(std::string(kTraces) + " --schedule gpipe -m 6 --set time_unit=ms").out ==
          "{\n  \"p\": 2,\n  \"m\": 6,\n  \"t_f\": [1.00225, 1.5],\n  \"t_b\": [2.001125, 3.005],\n"
          "  \"time_unit\": \"ms\",\n  \"schedule\": \"gpipe\",\n"
          "  \"variation\": {\"jitter\": {\"kind\": \"lognormal\", \"cv\": 0.007688}}\n}\n");
    const Outcome looped =
        run_pipesim(std::string(kTraces) +
                    " --schedule interleaved_1f1b --set schedule.v=2 | \"$PIPESIM\" --config - "
                    "--quiet --format csv --no-header");
    CHECK(looped.exit_code == 0);
    CHECK(looped.out.rfind("1,interleaved_1f1b,1,2,us,15016.75,15016.75,", 0) == 0);
  }

  TEST_CASE("what import writes runs, on as many devices as the schedule needs for the stages") {
    const TemporaryDirectory directory;
    std::string table = "stage,kind,time\n";
    for (int stage = 0; stage < 8; ++stage) {
      table += fmt::format("{0},F,1\n{0},I,1\n{0},W,1\n", stage);
    }
    directory.file("times.csv", table);
    const auto devices = [&](const std::string& schedule) {
      const Outcome outcome = run_pipesim_in(
          directory, "import --csv times.csv -m 16 --output run.json --schedule " + schedule);
      CHECK(outcome.exit_code == 0);
      const Outcome run = run_pipesim_in(directory, "--config run.json --quiet --format csv");
      CHECK(run.exit_code == 0);
      CHECK(run.err == "");
      return nlohmann::json::parse(read_file(directory.path("run.json"))).at("p").get<int>();
    };
    CHECK(devices("1f1b") == 8);
    CHECK(devices("zb_h1") == 8);
    CHECK(devices("dualpipe") == 8);
    CHECK(devices("interleaved_1f1b --set schedule.v=4") == 2);
    CHECK(devices("interleaved_1f1b --set schedule.v=2 --set schedule.group=8") == 4);
    CHECK(devices("looped_bfs --set schedule.v=8") == 1);
    CHECK(devices("zb_v") == 4);
    CHECK(devices("v_half") == 4);
    CHECK(devices("hanayo --set schedule.waves=2") == 2);
    const auto refused = [&](const std::string& arguments) {
      return run_pipesim_in(directory, "import --csv times.csv -m 16 " + arguments).err;
    };
    CHECK(refused("--schedule interleaved_1f1b --set schedule.v=3") ==
          "command line: --schedule: 8 measured stages, but interleaved_1f1b has 3 on a device; a "
          "schedule of which as many stages are measured on every device\n");
    CHECK(refused("-p 4 --schedule interleaved_1f1b --set schedule.v=4") ==
          "command line: -p: 8 measured stages, but interleaved_1f1b on 4 devices has 16; as many "
          "as are measured\n");
    CHECK(refused("--set schedule.w=4").find("/schedule/w") != std::string::npos);
  }

  TEST_CASE("import of a table") {
    const TemporaryDirectory directory;
    directory.file("times.csv", "stage,kind,time\n0,F,1\n0,F,3\n0,B,4\n1,F,2\n1,B,5ms\n1,B,4\n");
    const Outcome outcome = run_pipesim_in(directory, "import --csv times.csv -m 8");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out ==
          "{\n  \"p\": 2,\n  \"m\": 8,\n  \"t_f\": [2, 2],\n  \"t_b\": [4, 4.5],\n"
          "  \"time_unit\": \"ms\",\n  \"schedule\": \"1f1b\",\n"
          "  \"variation\": {\"jitter\": {\"kind\": \"lognormal\", \"cv\": 0.512197}}\n}\n");
    CHECK(run_pipesim_in(directory, "import --csv times.csv").err ==
          "times.csv: no measurement has the number of a microbatch; -m with their number in a "
          "step\n");
    CHECK(run_pipesim_in(directory, "import --csv times.csv -m 8 --output times.csv").err ==
          "command line: --output: /output/file: \"times.csv\" is the file of the measured times "
          "too; a file of its own\n");
    directory.file("numbered.csv", "stage,kind,microbatch,time\n0,F,0,1\n0,F,6,1\n0,B,,4\n");
    CHECK(run_pipesim_in(directory, "import --csv numbered.csv").out ==
          "{\n  \"p\": 1,\n  \"m\": 7,\n  \"t_f\": [1],\n  \"t_b\": [4],\n"
          "  \"time_unit\": \"ms\",\n  \"schedule\": \"1f1b\"\n}\n");
  }

  TEST_CASE("what import cannot do is said, with exit code 2") {
    CHECK(fault("import") ==
          "command line: import: nothing to import; --kineto FILE or --csv FILE\n");
    CHECK(fault("import --kineto /nonexistent") ==
          "/nonexistent: cannot be read: No such file or directory\n");
    CHECK(fault("import --kineto tests/data/kineto_rank1.json") ==
          "tests/data/kineto_rank1.json: no forward of stage 0; a forward of every stage from 0 to "
          "1\n"
          "tests/data/kineto_rank1.json: no backward of stage 0; a backward of every stage from 0 "
          "to 1\n");
    CHECK(fault(std::string(kTraces) + " --category cpu") ==
          "command line: --category: unknown category \"cpu\"; gpu_user_annotation, "
          "user_annotation or cpu_op\n");
    CHECK(fault(std::string(kTraces) + " --forward-range 'F {rank}'") ==
          "command line: import: {rank} stands for nothing; a name in which {stage} and "
          "{microbatch} stand for numbers\n");
    CHECK(fault(std::string(kTraces) + " -p 3") ==
          "command line: -p: 2 measured stages, but 1f1b on 3 devices has 3; as many as are "
          "measured\n");
    CHECK(fault(std::string(kTraces) + " --t-f 3") ==
          "command line: --t-f: not an option of an import; -p, -m, --schedule, --set "
          "schedule.NAME=VALUE, --set time_unit=UNIT, --output and the options of pipesim import "
          "--help\n");
    CHECK(fault(std::string(kTraces) + " --schedule 1f1c")
              .rfind("command line: --schedule: /schedule: \"1f1c\" is unknown", 0) == 0);
    CHECK(fault("import --csv x.csv --category cpu_op") ==
          "command line: import: a table has no ranges; --kineto FILE for ranges\n");
  }
}
