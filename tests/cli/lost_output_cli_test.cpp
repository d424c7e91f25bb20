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
}
