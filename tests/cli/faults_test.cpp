// What bad input gets, message by message. The config reader's own messages are in
// config_test.cpp; here the whole program speaks.
#include <doctest/doctest.h>

#include <string>

#include "schedules/schedule.hpp"
#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

constexpr auto kHw52 = "-p 4 -m 8 --t-f 2 --t-b 4 --schedule 1f1b ";

/// Standard error of a call that must fail with exit code 2 and print nothing.
std::string fault(const std::string& arguments, const std::string& config = "") {
  const TemporaryDirectory directory;
  directory.file("run.json", config);
  const Outcome outcome = run_pipesim_in(directory, arguments);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out == "");
  CHECK(directory.entries() == 1);
  return outcome.err;
}

/// "gpipe, 1f1b, ..., custom"
std::string known_schedules() {
  std::string names;
  for (const pipesim::Schedule* schedule : pipesim::builtin_schedules()) {
    names += (names.empty() ? "" : ", ") + std::string(schedule->info.name);
  }
  return names;
}

std::string config_fault(const std::string& config) { return fault("--config run.json", config); }

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("files that cannot be read") {
    CHECK(fault("--config nope.json") == "nope.json: cannot be read: No such file or directory\n");
    CHECK(fault("--config .") == ".: cannot be read: Is a directory\n");
    CHECK(config_fault("") == "run.json:1:1: the file is empty; a JSON object\n");
    CHECK(config_fault("{\"p\": 4,\n \"m\": 8") ==
          "run.json:2:8: not valid JSON: unexpected end of the file; expected ',' or '}'\n");
  }

  TEST_CASE("all faults of a file at once, in their order") {
    CHECK(config_fault("{\n"
                       "  \"p\": 0,\n"
                       "  \"m\": 2.9,\n"
                       "  \"t_f\": -1,\n"
                       "  \"t_b\": \"2.5\",\n"
                       "  \"tb\": 3,\n"
                       "  \"schedule\": \"1f1c\",\n"
                       "  \"memory\": {\"limit\": 0},\n"
                       "  \"p\": 3\n"
                       "}\n") ==
          "run.json:2:8: /p: 0 is too small; an integer from 1 to 1048576\n"
          "run.json:3:8: /m: 2.9 is not an integer; an integer from 1 to 2147483647\n"
          "run.json:4:10: /t_f: -1 is negative; a time of at least 0\n"
          "run.json:5:10: /t_b: \"2.5\" has no unit; a number without quotes, or a string with a "
          "unit "
          "such as \"4ms\"\n"
          "run.json:6:3: /tb: unknown key; known keys: schema_version, p, m, time_unit, schedule, "
          "t_f, "
          "t_b, t_w, t_fb, t_r, first, last, costs, model, parallel, hardware, placement, p2p, "
          "memory, recompute, iterations, "
          "variation, output, sweep (did you mean \"t_b\"?)\n"
          "run.json:7:15: /schedule: \"1f1c\" is unknown; one of " +
              known_schedules() +
              " (did you mean \"1f1b\"?)\n"
              "run.json:8:23: /memory/limit: 0 is too small; a number of microbatches above 0, or "
              "bytes such as \"80GiB\"\n"
              "run.json:9:3: /p: duplicate key; the first one is at run.json:2:3\n");
  }

  TEST_CASE("faults that show only when the problem is whole keep their place") {
    CHECK(config_fault(R"({"p": 2, "m": 1, "t_f": 0, "t_b": 0, "schedule": "gpipe"})") ==
          "run.json:1:25: /t_f: T_ideal is 0: no op takes any time; at least one time above 0\n");
    CHECK(config_fault(
              R"({"p": 4, "m": 8, "t_f": "600000s", "t_b": "400000s", "schedule": "1f1b"})") ==
          "run.json:1:15: /m: T_total does not fit in 64 bits of picoseconds; at most "
          "9223372036854775807 ps, some 106.75 days\n");
    CHECK(
        config_fault(
            R"({"p": 2, "m": 1, "t_f": 1, "t_b": 1, "schedule": "gpipe", "output": {"trace": "."}})") ==
        "run.json:1:79: /output/trace: cannot write \".\": Is a directory\n");
  }

  TEST_CASE("the command line") {
    CHECK(fault("--trase x") ==
          "command line: unknown argument \"--trase\"; see pipesim --help (did you mean "
          "\"--trace\"?)\n");
    CHECK(fault("--set memory") ==
          "command line: --set memory: no value; PATH=VALUE, such as memory.limit=4\n");
    CHECK(fault(std::string(kHw52) + "--set memory.limt=4") ==
          "command line: --set memory.limt: /memory/limt: unknown key; known keys: limit, "
          "activation, activation_w, "
          "parameters, optimizer (did you "
          "mean "
          "\"limit\"?)\n");
    CHECK(fault(std::string(kHw52) + "-p 2.9") ==
          "command line: -p: /p: 2.9 is not an integer; an integer from 1 to 1048576\n");
    CHECK(fault("-p 4 -m 8") ==
          "command line: /schedule: missing; required: one of " + known_schedules() +
              "\n"
              "command line: /t_f: missing; required: a time such as 4 or \"4ms\"\n"
              "command line: /t_b: missing; required: a time such as 4 or \"4ms\"\n");
    CHECK(fault("compare " + std::string(kHw52) + "gpip") ==
          "command line: compare: unknown schedule \"gpip\"; known schedules: " +
              known_schedules() + " (did you mean \"gpipe\"?)\n");
    CHECK(fault(std::string(kHw52) + "--no-header") ==
          "command line: /output/format: --no-header with the format table; csv\n");
    CHECK(
        fault(std::string(kHw52) + "--formula --format csv") ==
        "command line: --format: /output/format: --formula has no column in csv; table or json\n");
    CHECK(fault(std::string(kHw52) + "--trace a --timeline a") ==
          "command line: --timeline: /output/timeline: \"a\" is the file of output.trace too; a "
          "file of its own\n");
    CHECK(fault(std::string(kHw52) + "--output same --trace ./same") ==
          "command line: --trace: /output/trace: \"./same\" is the file of output.file too; a file "
          "of "
          "its own\n");
    CHECK(
        fault("--config run.json --output run.json",
              R"({"p": 1, "m": 1, "t_f": 1, "t_b": 1, "schedule": "1f1b"})") ==
        "command line: --output: /output/file: \"run.json\" is the file of the config too; a file "
        "of its own\n");
    CHECK(fault("verify --config - --timeline -", "") ==
          "<stdin>:1:1: the file is empty; a JSON object\n");
    CHECK(fault("compare " + std::string(kHw52) + "gpipe gpipe") ==
          "command line: compare: schedule \"gpipe\" twice; each schedule once\n");
    CHECK(fault("list -p 3") == "command line: -p: list takes only --format and --errors\n");
    CHECK(fault("list --quiet") ==
          "command line: --quiet: list takes only --format and --errors\n");
    CHECK(fault("list --format csv") ==
          "command line: --format: list has no format \"csv\"; table or json\n");
    CHECK(fault("check " + std::string(kHw52) + "compare") ==
          "command line: unknown argument \"compare\"; see pipesim --help\n");
    CHECK(fault("explain " + std::string(kHw52) + "--formula") ==
          "command line: --formula: an explanation has neither header nor formula; a run\n");
    CHECK(fault("program " + std::string(kHw52) + "--format json") ==
          "command line: --format: /output/format: a program has no json; a run\n");
    CHECK(fault(std::string(kHw52) + "--events --trace t") ==
          "command line: --trace: /output/trace: an event log writes no trace; a run\n");
    CHECK(fault("compare " + std::string(kHw52) + "--events") ==
          "command line: --events: a command has no event log; --events without a command\n");
    CHECK(fault("--set foo --errors json").find("\"place\": \"command line: --set foo\"") !=
          std::string::npos);
    CHECK(fault("--config ''") ==
          "command line: an empty file name: cannot be read: No such file or directory\n");
    CHECK(fault("compare " + std::string(kHw52) + "--trace a") ==
          "command line: --trace: /output/trace: a comparison writes no trace; a single run\n");
  }

  TEST_CASE("what a file holds reaches the terminal escaped, and a fault on one line") {
    CHECK(config_fault("{\"p\": 1, \"m\": 1, \"t_f\": 1, \"t_b\": 1, \"schedule\": \"1f1b\", "
                       "\"a\\n\\u001b[31mb\": 1}") ==
          "run.json:1:58: /a\\x0a\\x1b[31mb: unknown key; known keys: schema_version, p, m, "
          "time_unit, schedule, t_f, t_b, t_w, t_fb, t_r, first, last, costs, model, parallel, "
          "hardware, placement, p2p, memory, recompute, iterations, variation, output, sweep\n");
  }

  TEST_CASE("faults that nobody can be told of still have their exit code") {
    CHECK(shell("$PIPESIM --config nope.json 2>&-; echo $?").out == "2\n");
    CHECK(shell("$PIPESIM --config nope.json 2>/dev/full; echo $?").out == "2\n");
    CHECK(shell("$PIPESIM --help >/dev/full; echo $?").out == "2\n");
  }

  TEST_CASE("output paths") {
    CHECK(fault(std::string(kHw52) + "--trace .") ==
          "command line: --trace: /output/trace: cannot write \".\": Is a directory\n");
    CHECK(fault(std::string(kHw52) + "--trace /dev/full") ==
          "command line: --trace: /output/trace: cannot write \"/dev/full\": No space left on "
          "device\n");
    CHECK(fault(std::string(kHw52) + "--output none/x") ==
          "command line: --output: /output/file: cannot write \"none/x\": No such file or "
          "directory\n");
  }

  TEST_CASE("a problem beyond memory is refused with the estimate") {
    const std::string text = fault("-p 1024 -m 1000000000 --t-f 2 --t-b 4 --schedule 1f1b");
    CHECK(text.starts_with(
        "command line: -m: /m: 2048000000000 tasks need some 506.6 TiB of memory; at most "));
    CHECK(text.ends_with(
        " that are free: fewer microbatches, devices or steps, for a run is simulated whole, "
        "whatever part of it is drawn; --metrics-only keeps no tasks of most schedules\n"));
  }

  TEST_CASE("over the memory limit: exit code 1, and who, when and with what") {
    const Outcome outcome = run_pipesim(std::string(kHw52) + "--set memory.limit=2");
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.out == "");
    CHECK(outcome.err ==
          "command line: --set memory.limit: /memory/limit: device 0 holds 3 microbatches when F2 "
          "starts "
          "at 4 ms, over the limit of 2\n");
  }

  TEST_CASE("check validates and runs nothing") {
    CHECK(run_pipesim("check --config configs/hw5_2.json").exit_code == 0);
    CHECK(run_pipesim("check --config configs/hw5_2.json").out == "");
    CHECK(fault("check --config run.json", R"({"p": 4})") ==
          "run.json:1:1: /m: missing; required: an integer of at least 1\n"
          "run.json:1:1: /schedule: missing; required: one of " +
              known_schedules() +
              "\n"
              "run.json:1:1: /t_f: missing; required: a time such as 4 or \"4ms\"\n"
              "run.json:1:1: /t_b: missing; required: a time such as 4 or \"4ms\"\n");
  }

  TEST_CASE("verify accepts what we write and names what another got wrong") {
    const TemporaryDirectory directory;
    REQUIRE(run_pipesim_in(directory, std::string(kHw52) + "--timeline t.csv").exit_code == 0);
    const Outcome right =
        run_pipesim_in(directory, "verify " + std::string(kHw52) + "--timeline t.csv");
    CHECK(right.exit_code == 0);
    CHECK(right.out == "t.csv: valid: 64 ops, T_total 66 ms\n");
    std::string text = read_file(directory.path("t.csv"));
    const std::string row = "1,compute,F,1,0,2,4,0F0\n";
    text.replace(text.find(row), row.size(), "1,compute,F,1,0,1,3,0F0\n");
    directory.file("wrong.csv", text);
    const Outcome wrong =
        run_pipesim_in(directory, "verify " + std::string(kHw52) + "--timeline wrong.csv");
    CHECK(wrong.exit_code == 1);
    CHECK(wrong.out == "");
    CHECK(wrong.err ==
          "wrong.csv: violates precedence: 1F0 on device 1 starts at 1000000000 ps, before its "
          "input 0F0 "
          "on device 0 ends at 2000000000 ps\n");
  }
}
