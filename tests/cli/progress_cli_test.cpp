#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"
#include "tests/cli/terminal_session.hpp"

using namespace pipesim::test;
using namespace std::chrono_literals;

namespace {

/// Takes long enough to be seen, most of it in its trials.
constexpr auto kTrials =
    "-p 4 -m 200 --t-f 2 --t-b 4 --schedule 1f1b --set variation.trials=4000 "
    "--set 'variation.jitter={\"kind\":\"lognormal\",\"cv\":0.1}' ";

/// Takes as long by its size.
constexpr auto kLong = "-p 4 -m 150000 --t-f 2 --t-b 4 --schedule 1f1b ";

/// What was drawn over each other in one line.
std::vector<std::string> drawings(const std::string& bytes) {
  std::vector<std::string> result;
  const std::regex drawing("\r([^\r\x1b\n]+)\x1b\\[K");
  for (std::sregex_iterator it(bytes.begin(), bytes.end(), drawing), end; it != end; ++it) {
    result.push_back((*it)[1]);
  }
  return result;
}

bool any_matches(const std::vector<std::string>& texts, const std::string& pattern) {
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    return std::regex_match(text, std::regex(pattern));
  });
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("progress: a long command says on the terminal what it does, and leaves no trace") {
    const TemporaryDirectory directory;
    const std::string file = directory.path("out");
    const TerminalOutcome seen = run_on_terminal("$PIPESIM " + std::string(kTrials) + ">" + file);
    CHECK(seen.exit_code == 0);
    const std::vector<std::string> drawn = drawings(seen.bytes);
    CAPTURE(seen.bytes);
    CHECK(any_matches(drawn,
                      "running trial [0-9]+ of 4000  [0-9]+ %  [0-9.]+ (k )?trials/s  "
                      "([0-9]+ min )?[0-9]+ s left"));
    CHECK(seen.silence >= 0.5s);
    CHECK(screen(seen.bytes).empty());
    const Outcome unseen = run_pipesim(kTrials);
    CHECK(unseen.err.empty());
    CHECK(unseen.out == read_file(file));
    const std::string errors = directory.path("err");
    run_on_terminal("$PIPESIM " + std::string(kTrials) + "--progress always >" + file + " 2>" +
                    errors);
    CHECK(read_file(file) == unseen.out);
    CHECK(any_matches(drawings(read_file(errors)), "running trial .* left"));
    CHECK(screen(read_file(errors)).empty());
  }

  TEST_CASE("progress: results and notes stand where the line was") {
    const std::string arguments =
        std::string(kTrials) + "--schedule gpipe --set memory.limit=100 --format csv";
    const Outcome unseen = run_pipesim(arguments);
    CHECK(unseen.err.find("flush_every=100") != std::string::npos);
    const TerminalOutcome seen = run_on_terminal("$PIPESIM " + arguments);
    CHECK(any_matches(drawings(seen.bytes), "running trial .* left"));
    CHECK(screen(seen.bytes) == unseen.out + unseen.err);
  }

  TEST_CASE("progress: tasks are counted, and the line never wraps") {
    constexpr unsigned short kColumns = 60;
    const TemporaryDirectory directory;
    const std::string file = directory.path("a_name_that_is_longer_than_there_is_room.csv");
    const TerminalOutcome seen =
        run_on_terminal("$PIPESIM " + std::string(kLong) + "--timeline " + file, kColumns);
    CHECK(seen.exit_code == 0);
    const std::vector<std::string> drawn = drawings(seen.bytes);
    CHECK(any_matches(
        drawn, "writing .*\\.\\.\\.  [0-9]+ %  [0-9.]+ [kM] tasks/s  ([0-9]+ min )?[0-9]+ s left"));
    std::size_t widest = 0;
    for (const std::string& line : drawn) widest = std::max(widest, line.size());
    CHECK(widest == kColumns - 1);
  }

  TEST_CASE("progress: a comparison counts schedules, and says more of what it does one by one") {
    const auto drawn = [](const std::string& jobs) {
      const TerminalOutcome seen =
          run_on_terminal("$PIPESIM compare --format json " + std::string(kLong) +
                          "1f1b gpipe eager_1f1b --jobs " + jobs + " >/dev/null");
      CHECK(seen.exit_code == 0);
      CHECK(screen(seen.bytes).empty());
      return drawings(seen.bytes);
    };
    const std::string numbers = "  ([0-9]+ %  [0-9.]+ schedules/(s|min)  .* left|[0-9]+ s)";
    CHECK(any_matches(drawn("1"), "comparing 2 of 3: gpipe: [a-z ]+" + numbers));
    const std::vector<std::string> at_once = drawn("2");
    CHECK(any_matches(at_once, "comparing 2 of 3" + numbers));
    CHECK_FALSE(any_matches(at_once, ".*: .*"));
  }

  TEST_CASE("progress: an error after it stands on a line of its own") {
    const TerminalOutcome seen =
        run_on_terminal("$PIPESIM " + std::string(kTrials) + "--output /nonexistent/result.txt");
    CHECK(seen.exit_code == 2);
    CHECK(any_matches(drawings(seen.bytes), "running trial .* left"));
    CHECK(screen(seen.bytes) ==
          "command line: --output: /output/file: cannot write \"/nonexistent/result.txt\": No such "
          "file or "
          "directory\n");
  }

  TEST_CASE("progress: an interrupt leaves no line behind") {
    for (const std::string signal : {"INT", "TERM"}) {
      CAPTURE(signal);
      const TerminalOutcome seen =
          run_on_terminal("timeout --foreground -s " + signal + " 1.5 $PIPESIM " +
                          std::string(kTrials) + "--set variation.trials=1000000");
      CHECK_FALSE(drawings(seen.bytes).empty());
      CHECK(screen(seen.bytes).empty());
    }
  }

  TEST_CASE("progress: nothing of it within half a second, or where it is not wanted") {
    const auto bytes = [](const std::string& before, const std::string& arguments) {
      return run_on_terminal(before + " $PIPESIM " + arguments + ">/dev/null").bytes;
    };
    CHECK(bytes("", "--config configs/hw5_2.json ").empty());
    CHECK(bytes("", std::string(kTrials) + "--progress never ").empty());
    CHECK(bytes("", std::string(kTrials) + "--quiet ").empty());
    CHECK(bytes("TERM=dumb", kTrials).empty());
    const TerminalOutcome in_background =
        run_on_terminal("set -m; $PIPESIM " + std::string(kTrials) + ">/dev/null & wait $!");
    CHECK(in_background.exit_code == 0);
    CHECK(in_background.bytes.find("running") == std::string::npos);
  }

  TEST_CASE("progress: events that scroll by on the terminal are progress enough") {
    const TerminalOutcome seen = run_on_terminal("$PIPESIM " + std::string(kLong) + "--events");
    CHECK(seen.exit_code == 0);
    CHECK(seen.bytes.find("simulating") == std::string::npos);
  }

  TEST_CASE("progress: a choice that is none") {
    const Outcome outcome = run_pipesim("--config configs/hw5_2.json --progress sometimes");
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.err ==
          "command line: --progress: sometimes not in {auto,always,never}; see pipesim --help\n");
  }
}
