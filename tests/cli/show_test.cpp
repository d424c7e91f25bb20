#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sstream>
#include <string>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

const std::string kShow = "show --config configs/hw5_2.json ";

/// With these variables set, in front of the binary.
Outcome show_with(const std::string& variables, const std::string& options = "") {
  return shell("env " + variables + " $PIPESIM " + kShow + options);
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("show: colour where it is asked for") {
    const auto has_colour = [](const Outcome& outcome) {
      CHECK(outcome.exit_code == 0);
      return outcome.out.find('\x1b') != std::string::npos;
    };
    CHECK_FALSE(has_colour(show_with("TERM=xterm-256color")));
    CHECK(has_colour(show_with("TERM=dumb NO_COLOR=1", "--color always")));
    CHECK(show_with("COLORTERM=truecolor", "--color always").out.find("\x1b[38;2;") !=
          std::string::npos);
    CHECK(show_with("COLORTERM=", "--color always").out.find("\x1b[38;5;") != std::string::npos);
    CHECK(
        show_with("TERM=xterm", "--color allways").err ==
        "command line: --color: \"allways\" says nothing of colour; auto, always or never (did you "
        "mean \"always\"?)\n");
  }

  TEST_CASE("show: a terminal has its own width, and colour unless NO_COLOR forbids it") {
    const auto in_terminal = [](const std::string& variables) {
      return shell("script -qec \"stty cols 60; env -u NO_COLOR TERM=xterm " + variables +
                   " $PIPESIM " + kShow + "\" /dev/null </dev/null")
          .out;
    };
    CHECK(in_terminal("").find("\x1b[48") == std::string::npos);
    CHECK(in_terminal("").find(";48;5;") != std::string::npos);
    CHECK(in_terminal("NO_COLOR=").find(";48;5;") != std::string::npos);
    const std::string plain = in_terminal("NO_COLOR=1");
    CHECK(plain.find('\x1b') == std::string::npos);
    std::istringstream lines(plain);
    std::string line;
    while (std::getline(lines, line)) CHECK(line.size() <= 61);  // with the terminal's \r
  }

  TEST_CASE("show: chunks are told apart where there is room, and the legend says how far") {
    const auto shown = [](int columns, const std::string& options) {
      const Outcome outcome = show_with(fmt::format("COLUMNS={}", columns), options);
      CHECK(outcome.exit_code == 0);
      return outcome.out;
    };
    const auto has = [](const std::string& text, const std::string& part) {
      return text.find(part) != std::string::npos;
    };
    const std::string four = "-m 4 --schedule interleaved_1f1b --set schedule.v=4";
    const std::string wide = shown(500, four);
    for (const char* const block : {"F0:0.", "f0:1.", "F0:2.", "f0:3.", "B3:2."}) {
      CHECK(has(wide, block));
    }
    CHECK(has(wide, "small letters odd chunks   :2 chunk 2"));
    const std::string narrow = shown(60, four);
    CHECK_FALSE(has(narrow, ":"));
    CHECK(has(narrow, "small letters odd chunks"));
    const std::string two = shown(200, "--schedule interleaved_1f1b");
    CHECK_FALSE(has(two, ":"));
    CHECK(has(two, "small letters chunk 1"));
    CHECK(has(shown(200, "--schedule chimera"), "small letters flow 1"));
    CHECK(has(run_pipesim("compare --config configs/hw5_2.json --show chimera looped_bfs").out,
              "small letters chunk or flow 1"));
  }

  TEST_CASE("show: what does not fit in a line goes on in the next, and nothing is cut off") {
    const std::string narrow =
        show_with("COLUMNS=40", "--schedule dualpipe --set t_w=2 --set time_unit=ps").out;
    CHECK(narrow.rfind("dualpipe  T_total 52 ps\nbubble fraction 0.0769231\n", 0) == 0);
    std::istringstream lines(narrow);
    for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 40);
    // The labels of the axis end with their unit before the line does.
    const std::string long_labels =
        show_with("COLUMNS=60", "--set t_f=20000000 --set t_b=40000000").out;
    std::istringstream axis(long_labels);
    for (std::string line; std::getline(axis, line);) CHECK(line.size() <= 60);
  }

  TEST_CASE("show: a picture of very many blocks is refused before the run") {
    const std::string message =
        "command line: -m: /m: a picture of {} blocks is too large; at most 10000000: --from and "
        "--to, or --devices, show a part\n";
    for (const std::string command : {"show", "compare --show"}) {
      CAPTURE(command);
      const Outcome outcome =
          run_pipesim(command + " -p 4 --t-f 1 --t-b 2 --schedule 1f1b -m 1700000" +
                      (command == "show" ? "" : " 1f1b"));
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out.empty());
      CHECK(outcome.err == fmt::format(fmt::runtime(message), 13'600'000));
    }
    CHECK(run_pipesim("show -p 4 --t-f 1 --t-b 2 --schedule 1f1b -m 1700000 --devices 0-2").err ==
          fmt::format(fmt::runtime(message), 10'200'000));
  }

  TEST_CASE("show: a run that has ended before the part has no idle share in it") {
    const std::string out = run_pipesim(
                                "compare --config configs/hw5_2.json --set t_w=2 --show --from 60 "
                                "--devices 0 gpipe zb_v")
                                .out;
    const std::size_t ended = out.find("zb_v");
    REQUIRE(ended != std::string::npos);
    CHECK(out.substr(0, ended).find("0.0 %") != std::string::npos);
    const std::string row = out.substr(out.find("device 0", ended));
    CHECK(row.substr(0, row.find('\n')).find('%') == std::string::npos);
  }

  TEST_CASE("show: widths that are none") {
    const Outcome wide = show_with("COLUMNS=wide");
    CHECK(wide.exit_code == 2);
    CHECK(wide.err ==
          "environment: COLUMNS: \"wide\" is no width; a number of columns, 40 to 65535\n");
    CHECK(show_with("COLUMNS=39").err ==
          "environment: COLUMNS: 39 columns leave no room for a picture; 40 to 65535\n");
    CHECK(show_with("COLUMNS=2000000000").err ==
          "environment: COLUMNS: \"2000000000\" is no width; a number of columns, 40 to 65535\n");
  }

  TEST_CASE("show: writes text to a file or standard output and nothing else") {
    const TemporaryDirectory directory;
    const std::string file = directory.path("a.txt");
    CHECK(run_pipesim(kShow + "--output " + file).exit_code == 0);
    CHECK(read_file(file) == run_pipesim(kShow).out);
    const auto fault = [](const std::string& options) { return run_pipesim(kShow + options).err; };
    CHECK(fault("--svg a.svg") ==
          "command line: --svg: /output/svg: a picture in the terminal draws no SVG; a run\n");
    CHECK(fault("--format json") ==
          "command line: --format: /output/format: a picture in the terminal has no json; a run\n");
    CHECK(run_pipesim("compare --config configs/hw5_2.json --show --format csv").err ==
          "command line: --format: /output/format: --show with the format csv; table\n");
    const Outcome over = run_pipesim(kShow + "--set memory.limit=3");
    CHECK(over.exit_code == 1);
    CHECK(over.out.empty());
    CHECK(over.err.find(
              "device 0 holds 4 microbatches when F3 starts at 6 ms, over the limit of 3") !=
          std::string::npos);
  }
}
