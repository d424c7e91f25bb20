#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

const std::string kPictures = PIPESIM_SOURCE_DIR "/tests/golden/show/";
const std::string kShow = "show --config configs/hw5_2.json ";

/// With these variables set, in front of the binary.
Outcome show_with(const std::string& variables, const std::string& options = "") {
  return shell("env " + variables + " $PIPESIM " + kShow + options);
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("show: the pictures are those of tests/golden/show") {
    std::istringstream commands(read_file(kPictures + "commands.txt"));
    std::string line;
    int pictures = 0;
    while (std::getline(commands, line)) {
      if (line.starts_with("#")) continue;
      CAPTURE(line);
      const std::string name = line.substr(0, line.find(' '));
      const Outcome outcome = shell("env -u COLUMNS -u COLORTERM $PIPESIM '" + [&] {
        std::string words = line.substr(line.find(' ') + 1);
        for (std::size_t at = 0; (at = words.find(' ', at)) != std::string::npos; at += 3) {
          words.replace(at, 1, "' '");
        }
        return words;
      }() + "'");
      CHECK(outcome.exit_code == 0);
      CHECK(outcome.out == read_file(kPictures + name + ".txt"));
      ++pictures;
    }
    CHECK(pictures >= 12);
  }

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

  TEST_CASE("show: widths that are none") {
    const Outcome wide = show_with("COLUMNS=wide");
    CHECK(wide.exit_code == 2);
    CHECK(wide.err ==
          "environment: COLUMNS: \"wide\" is no width; a number of columns, 40 or more\n");
    CHECK(show_with("COLUMNS=39").err ==
          "environment: COLUMNS: 39 columns leave no room for a picture; 40 or more\n");
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
