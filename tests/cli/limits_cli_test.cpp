// How much of the machine a command may take, and inputs that would take more.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/cli/process.hpp"
#include "tests/cli/sweeps.hpp"

using namespace pipesim::test;

namespace {

const std::string kRun = "--t-f 2 --t-b 4 --schedule 1f1b -p 4 ";

/// On stderr of a command that is refused.
std::string fault(const std::string& arguments, const std::string& input = "") {
  const Outcome outcome = run_pipesim(arguments, input);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out == "");
  return outcome.err;
}

const std::string kTooManyTasks =
    "command line: -m: /m: the run has 64 tasks; at most the 63 of --max-tasks: fewer "
    "microbatches, devices or steps\n";

/// Sanitizers have heaps of their own, which the system's limits do not hold as they hold others.
bool has_sanitizer() { return shell("ldd $PIPESIM | grep -q lib.san").exit_code == 0; }

std::string repeated(char character) {
  std::string text;
  text.resize(100'000'000, character);
  return text;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("--max-tasks: what has more is refused, by whatever command, kept in memory or not") {
    for (const std::string command :
         {"", "--metrics-only ", "check ", "explain ", "program ", "show ", "--events "}) {
      CAPTURE(command);
      CHECK(fault(command + kRun + "-m 8 --max-tasks 63") == kTooManyTasks);
      CHECK(run_pipesim(command + kRun + "-m 8 --max-tasks 64").exit_code == 0);
    }
    CHECK(fault(kRun + "-m 8 --max-tasks 191 --set iterations.count=3").find("has 192 tasks; ") !=
          std::string::npos);
  }

  TEST_CASE("--max-tasks holds for each schedule of a comparison and each point of a sweep") {
    const std::string compared =
        run_pipesim("compare gpipe zb_h1 " + kRun + "-m 8 --max-tasks 64 --set t_w=2").out;
    CHECK(compared.find("gpipe") != std::string::npos);
    CHECK(compared.find("the run has 96 tasks") != std::string::npos);
    const Outcome swept = run_pipesim("sweep " + kRun + "--vary m=7:9 --max-tasks 64 --format csv");
    CHECK(swept.exit_code == 0);
    const std::vector<std::string> lines = lines_of(swept.out);
    REQUIRE(lines.size() == 4);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      CAPTURE(lines[i]);
      CHECK((lines[i].find("the run has 72 tasks") != std::string::npos) == (i == 3));
    }
  }

  TEST_CASE("--max-memory: a run that is estimated to take more is refused, and one that is not") {
    CHECK(fault(kRun + "-m 200000 --max-memory 256MiB") ==
          "command line: -m: /m: 1600000 tasks need some 415 MiB of memory; at most 986895 "
          "tasks, which fit in the 256 MiB that are free: fewer microbatches, devices or steps, "
          "for a run is simulated whole, whatever part of it is drawn; --metrics-only keeps no "
          "tasks of most schedules\n");
    CHECK(run_pipesim(kRun + "-m 200000 --max-memory 256MiB --metrics-only").exit_code == 0);
    CHECK(run_pipesim(kRun + "-m 100000 --max-memory 256MiB --format json").exit_code == 0);
  }

  TEST_CASE("--max-memory: stages that do not fit are refused where no tasks are kept, too") {
    const std::string fault_of_p =
        "1048576 stages need some 1.074 GiB of memory, whatever is kept of their tasks; at most "
        "95325 stages, which fit in the 100 MiB that are free";
    const std::string limits = "--max-memory 100MiB --format csv ";
    CHECK(fault(kRun + "-m 1 -p 1048576 " + limits) ==
          "command line: -p: /p: " + fault_of_p + "\n");
    const std::string swept =
        run_pipesim("sweep --t-f 2 --t-b 4 --schedule 1f1b -m 1 --vary p=4,1048576,8 " + limits)
            .out;
    CHECK(swept.find(fault_of_p) != std::string::npos);
    CHECK(swept.find("1,2,ok,8,") != std::string::npos);
  }

  TEST_CASE("--max-memory: an order that takes more than is there ends with a message") {
    if (has_sanitizer()) return;
    const Outcome outcome = run_pipesim(
        "-p 1024 -m 1024 --t-f 1 --t-b 2 --schedule hanayo --format csv --max-memory 100MiB");
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.err ==
          "pipesim: out of memory: more than the 100 MiB that are free are needed; fewer devices, "
          "microbatches or jobs\n");
  }

  TEST_CASE("--max-memory: as many threads as have room, with the same results") {
    const std::string sweep =
        "sweep " + kRun +
        "--vary m=1:300 --set variation.jitter.kind=normal --set variation.jitter.cv=0.1";
    CHECK(run_pipesim(sweep + " --jobs 1024 --max-memory 64MiB").out ==
          run_pipesim(sweep + " --jobs 1").out);
  }

  TEST_CASE("--max-memory: what no estimate foresees ends with a message, not in a crash") {
    const std::string sixty_mebibytes(std::size_t{60} << 20, ' ');
    const Outcome outcome =
        run_pipesim("--config - --max-memory 64MiB", R"({"p": 1, "m": 1)" + sixty_mebibytes + "}");
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.err ==
          "<stdin>: cannot be read: it has more than 5.333 MiB; what can be read in the 64 MiB of "
          "memory that are free, at 12 bytes for a byte\n");
  }

  TEST_CASE("limits that are none") {
    CHECK(fault(kRun + "-m 8 --max-tasks 0") ==
          "command line: --max-tasks: \"0\" is no number of tasks; an integer from 1 to "
          "9223372036854775807\n");
    CHECK(fault(kRun + "-m 8 --max-tasks 1e3").find("\"1e3\" is no number of tasks") !=
          std::string::npos);
    for (const std::string given : {"4", "lots", "-1GiB", "63MiB", "1e30GiB"}) {
      CHECK(fault(fmt::format("{}-m 8 --max-memory {}", kRun, given)) ==
            fmt::format("command line: --max-memory: \"{}\" is no amount of memory that can "
                        "be a limit; 64MiB or more, such as 512MiB or 4GB\n",
                        given));
    }
    if (has_sanitizer()) return;  // with which no process begins with so little
    CHECK(shell("ulimit -d 102400; $PIPESIM " + kRun + "-m 8 --max-memory 1GiB").err ==
          "command line: --max-memory: 1 GiB is more than this process may have; at most the 100 "
          "MiB of ulimit -H -d\n");
  }

  TEST_CASE("files without an end are refused") {
    for (const std::string option :
         {"--config ", "-p 4 -m 8 --schedule 1f1b --set costs=",
          "-p 4 -m 8 --t-f 2 --t-b 4 --schedule custom --set schedule.file="}) {
      CAPTURE(option);
      CHECK(fault(option + "/dev/zero --max-memory 600MiB")
                .find("it has more than 50 MiB; what can be read in the 600 MiB of memory") !=
            std::string::npos);
    }
  }

  TEST_CASE("a small gzip file that holds more than memory does") {
    const TemporaryDirectory directory;
    const std::string bomb = directory.path("bomb.json.gz");
    REQUIRE(shell("head -c 1000000000 /dev/zero | gzip -1 >" + bomb).exit_code == 0);
    CHECK(fault("--config " + bomb + " --max-memory 600MiB") ==
          bomb +
              ": cannot be read: it has more than 50 MiB; what can be read in the 600 MiB of "
              "memory that are free, at 12 bytes for a byte\n");
  }

  TEST_CASE(
      "a config of 100 MB, an array of 10^7 values, a nesting of 10^6 levels: one fault each") {
    const std::string head = R"({"p": 4, "m": 8, "t_b": 4, "schedule": "1f1b", "t_f": )";
    std::string array = head + "[";
    for (int i = 0; i < 10'000'000; ++i) array += i == 0 ? "1" : ",1";
    CHECK(
        fault("--config -", array + "]}") ==
        "<stdin>:1:55: /t_f: array of 10000000; an array of p = 4 values, or one value for all\n");
    CHECK(fault("--config -", head + '"' + repeated('7') + "\"}").size() < 300);
    CHECK(fault("--config -", head + std::string(1'000'000, '['))
              .find("nested more than 64 levels deep; at most 64 levels\n") != std::string::npos);
    const Outcome padded = run_pipesim("--config -", head + repeated(' ') + "2}");
    CHECK(padded.exit_code == 0);
  }

  TEST_CASE("what is no ordinary file") {
    const TemporaryDirectory directory;
    std::filesystem::create_symlink("loop", directory.path("loop"));
    std::filesystem::create_symlink("gone", directory.path("dangling"));
    CHECK(run_pipesim_in(directory, "--config loop").err ==
          "loop: cannot be read: Too many levels of symbolic links\n");
    CHECK(run_pipesim_in(directory, "--config dangling").err ==
          "dangling: cannot be read: No such file or directory\n");
    CHECK(fault("--config /") == "/: cannot be read: Is a directory\n");
    CHECK(fault("--config /dev/null") == "/dev/null:1:1: the file is empty; a JSON object\n");
    CHECK(fault("-p 4 -m 8 --schedule 1f1b --set costs=/proc/self/mem") ==
          "command line: --set costs: /costs: cannot read /proc/self/mem: Input/output error; a "
          "readable file\n");
    const std::string pipe = directory.path("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(
        shell("cat configs/hw5_2.json >" + pipe + " & $PIPESIM check --config " + pipe).exit_code ==
        0);
    // Root reads everything.
    const std::string closed = directory.file("closed", "{}");
    std::filesystem::permissions(closed, std::filesystem::perms::none);
    if (::access(closed.c_str(), R_OK) != 0) {
      CHECK(fault("--config " + closed) == closed + ": cannot be read: Permission denied\n");
    }
  }
}
