// Outputs when the disk is full at any byte, and when a signal comes at any moment.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"
#include "tests/cli/sweeps.hpp"

using namespace pipesim::test;

namespace {

/// 1600 tasks: every file is longer than what is written at once.
const std::string kRun = "--t-f 2 --t-b 4 --schedule 1f1b -p 8 -m 100 --quiet ";

struct Output {
  std::string option;
  std::string name;
};

const std::vector<Output> kOutputs = {
    {"--format json --output ", "result.json"}, {"--output - --trace ", "trace.json"},
    {"--output - --trace ", "trace.json.gz"},   {"--output - --timeline ", "timeline.csv"},
    {"--output - --svg ", "picture.svg"},       {"--output - --html ", "page.html"},
};

/// Lengths at which a file may end: around each block that is written at once, and each of some
/// hundred parts.
std::vector<std::uintmax_t> lengths_below(std::uintmax_t size) {
  constexpr std::uintmax_t kBlock = 1 << 16;
  std::vector<std::uintmax_t> lengths;
  for (std::uintmax_t length = 0; length < size; length += kBlock) {
    for (const std::uintmax_t near : {length, length + 1, length + kBlock - 1}) {
      if (near < size) lengths.push_back(near);
    }
  }
  lengths.push_back(size - 1);
  return lengths;
}

std::string with_stdout(const std::string& option) {
  const std::size_t at = option.find("--output - ");
  return at == std::string::npos ? option : option.substr(at + 11);
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("a file that can get no longer than so many bytes: the old one stays, and a message") {
    for (const Output& output : kOutputs) {
      const TemporaryDirectory whole;
      REQUIRE(run_pipesim_in(whole, kRun + with_stdout(output.option) + output.name).exit_code ==
              0);
      const std::string expected = read_file(whole.path(output.name));
      const TemporaryDirectory directory;
      directory.file(output.name, "old");
      // Only pipesim is limited; what it says goes through a pipe.
      const auto limited = [&](std::uintmax_t bytes) {
        return shell("cd " + directory.path("") + " && { prlimit --fsize=" + std::to_string(bytes) +
                     " $PIPESIM " + kRun + with_stdout(output.option) + output.name +
                     "; echo \"exit $?\"; } 2>&1 | cat")
            .out;
      };
      for (const std::uintmax_t length : lengths_below(expected.size())) {
        CAPTURE(output.name);
        CAPTURE(length);
        const std::string said = limited(length);
        CHECK(said.find("cannot write \"" + output.name + "\": File too large\n") !=
              std::string::npos);
        CHECK(said.ends_with("\nexit 2\n"));
        CHECK(read_file(directory.path(output.name)) == "old");
        CHECK(directory.entries() == 1);
      }
      CHECK(limited(expected.size()).ends_with("exit 0\n"));
      CHECK(read_file(directory.path(output.name)) == expected);
    }
  }

  TEST_CASE("a sweep whose results can get no longer goes on when they can, to the same bytes") {
    const std::string sweep = kSweep + "--jobs 1 --out ";
    const TemporaryDirectory whole;
    REQUIRE(run_pipesim_in(whole, sweep + "s.jsonl").exit_code == 0);
    const std::string expected = read_file(whole.path("s.jsonl"));
    for (std::size_t length = 0; length < expected.size(); length += expected.size() / 23) {
      CAPTURE(length);
      const TemporaryDirectory directory;
      const std::string said =
          shell("cd " + directory.path("") + " && { prlimit --fsize=" + std::to_string(length) +
                " $PIPESIM " + sweep + "s.jsonl; echo \"exit $?\"; } 2>&1 | cat")
              .out;
      CHECK(said.find("cannot write \"s.jsonl") != std::string::npos);
      CHECK(said.ends_with("\nexit 2\n"));
      CHECK_FALSE(std::filesystem::exists(directory.path("s.jsonl")));
      CHECK(run_pipesim_in(directory, sweep + "s.jsonl").exit_code == 0);
      CHECK(read_file(directory.path("s.jsonl")) == expected);
      CHECK(directory.entries() == whole.entries());
    }
  }

  TEST_CASE("a signal at any moment leaves the old files or the new ones, no part of one") {
    const std::string run = kRun +
                            "--format json --output result --trace trace --html page "
                            "--trace-per-rank ranks";
    const std::vector<std::string> names = {"result", "trace", "page"};
    const TemporaryDirectory whole;
    REQUIRE(run_pipesim_in(whole, run).exit_code == 0);
    const std::size_t all = whole.entries();
    for (const std::string signal : {"INT", "TERM", "HUP", "PIPE", "KILL"}) {
      for (int milliseconds = 1; milliseconds < 50; milliseconds += 4) {
        CAPTURE(signal);
        CAPTURE(milliseconds);
        const TemporaryDirectory directory;
        for (const std::string& name : names) directory.file(name, "old");
        shell(fmt::format("cd {} && timeout -s {} 0.{:03} $PIPESIM {}", directory.path(""), signal,
                          milliseconds, run));
        std::size_t old_files = 0;
        for (const std::string& name : names) {
          const std::string now = read_file(directory.path(name));
          if (now == "old") {
            ++old_files;
          } else {
            CHECK(now == read_file(whole.path(name)));
          }
        }
        if (signal == "KILL") continue;  // between two files there is no way to hold it
        CHECK((old_files == 0 || old_files == names.size()));
        const bool has_ranks = std::filesystem::exists(directory.path("ranks"));
        CHECK(has_ranks == (old_files == 0));
        CHECK(directory.entries() == (has_ranks ? all : all - 1));
      }
    }
  }

  TEST_CASE("no output takes the place of another or of what is read, wherever links lead") {
    const TemporaryDirectory directory;
    REQUIRE(
        shell("cd " + directory.path("") + " && ln -s new link && ln -s link again").exit_code ==
        0);
    const std::string table = "stage,kind,time\n0,F,1\n0,B,2\n1,F,1\n1,B,2\n";
    for (const char* const name : {"a.csv", "b.csv"}) directory.file(name, table);
    const auto refused = [&](const std::string& arguments) {
      const Outcome outcome = run_pipesim_in(directory, arguments);
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out == "");
      CHECK(directory.entries() == 4);
      CHECK(read_file(directory.path("b.csv")) == table);
      return outcome.err;
    };
    CHECK(
        refused(kRun + "--svg link --html new") ==
        "command line: --html: /output/html: \"new\" is the file of output.svg too; a file of its "
        "own\n");
    CHECK(refused(kRun + "--timeline again --output ./link") ==
          "command line: --timeline: /output/timeline: \"again\" is the file of output.file too; a "
          "file of its own\n");
    const std::string costs = " -p 2 -m 4 --schedule 1f1b --vary costs=a.csv,b.csv ";
    CHECK(refused("sweep" + costs + "--out b.csv --overwrite") ==
          "command line: --out: \"b.csv\" is the file of an input too; a file of its own\n");
    CHECK(refused("best" + costs + "--output b.csv") ==
          "command line: --output: /output/file: \"b.csv\" is the file of an input too; a file of "
          "its own\n");
  }
}
