// The examples of sweeps that users copy from.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

/// The columns of a CSV without quotes, by the names in its header.
std::map<std::string, std::vector<std::string>> columns(const std::string& csv) {
  std::istringstream lines(csv);
  std::string line;
  std::vector<std::vector<std::string>> rows;
  while (std::getline(lines, line)) {
    std::vector<std::string>& row = rows.emplace_back();
    std::istringstream values(line + ",");
    for (std::string value; std::getline(values, value, ',');) row.push_back(value);
  }
  REQUIRE(!rows.empty());
  std::map<std::string, std::vector<std::string>> by_name;
  for (std::size_t row = 1; row < rows.size(); ++row) {
    REQUIRE(rows[row].size() == rows[0].size());
    for (std::size_t i = 0; i < rows[0].size(); ++i) by_name[rows[0][i]].push_back(rows[row][i]);
  }
  return by_name;
}

/// The lines of a picture by gnuplot: the name and the number of points of each.
constexpr auto kLines = R"(
import sys
from xml.etree import ElementTree
svg = '{http://www.w3.org/2000/svg}'
for group in ElementTree.parse(sys.argv[1]).iter(svg + 'g'):
    if group.get('id', '').startswith('gnuplot_plot_'):
        names = [text.text for text in group.iter(svg + 'text')]
        print(*names, sum(1 for _ in group.iter(svg + 'use')) - len(names))
)";

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("tools/sweep.sh: a loop and a sweep give the same numbers and draw a line for each p") {
    const TemporaryDirectory directory;
    const std::string there = directory.path("a directory");
    const Outcome outcome = shell(fmt::format("tools/sweep.sh '{}'", there));
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out == "");
    CHECK(outcome.err == "pipesim: note: sweep.csv: 21 points: 21 simulated now, 0 found done\n");

    const auto of_loop = columns(read_file(there + "/loop.csv"));
    const auto of_sweep = columns(read_file(there + "/sweep.csv"));
    for (const char* const name : {"p", "m", "t_total", "bubble_ratio"}) {
      CAPTURE(name);
      REQUIRE(of_loop.contains(name));
      CHECK(of_loop.at(name).size() == 21);
    }
    for (const auto& [name, values] : of_loop) {
      CAPTURE(name);
      REQUIRE(of_sweep.contains(name));
      CHECK(of_sweep.at(name) == values);
    }

    for (const char* const picture : {"loop.svg", "sweep.svg"}) {
      CAPTURE(picture);
      const Outcome lines =
          shell(fmt::format("python3 - '{}/{}' <<'END'{}END", there, picture, kLines));
      CHECK(lines.err == "");
      CHECK(lines.out == "p=2 7\np=4 7\np=8 7\n");
    }
  }

  TEST_CASE("tools/sweep.sh takes a directory and no option") {
    const Outcome outcome = shell("tools/sweep.sh --help");
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out == "");
    CHECK(outcome.err.find("usage: tools/sweep.sh [DIRECTORY]") == 0);
  }

  TEST_CASE("examples/sweep/read.py reads both formats") {
    const TemporaryDirectory directory;
    for (const char* const name : {"r.jsonl", "r.csv"}) {
      CAPTURE(name);
      const std::string path = directory.path(name);
      // p=0 is invalid, which is a result too.
      CHECK(run_pipesim("sweep --config configs/hw5_2.json --vary p=0,2,4,8 --vary m=4:128:x2 "
                        "--quiet --out " +
                        path)
                .exit_code == 0);
      const Outcome outcome = shell("examples/sweep/read.py " + path);
      CHECK(outcome.exit_code == 0);
      CHECK(outcome.err == "");
      // (m + p - 1) / m <= 1.1
      CHECK(outcome.out == "p=2: m=16\np=4: m=32\np=8: m=128\n");
    }
  }
}
