// The pages of exercises say nothing that pipesim does not.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"
#include "tests/places.hpp"

using namespace pipesim::test;

namespace {

struct Command {
  std::string text;    // after "$ "
  std::string output;  // as the page prints it
  int scale = 0;       // of a timeline: characters a unit of time; 0: the output of the command
};

struct Page {
  std::vector<Command> commands;
  std::string prose;  // what is in no block
};

Page read_page(const std::string& name) {
  Page page;
  std::istringstream lines(read_file(source_directory() + "/docs/" + name));
  bool in_block = false;
  int scale = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("```", 0) == 0) {
      in_block = !in_block;
      const bool is_timeline = line.rfind("```timeline ", 0) == 0;
      if (in_block) CHECK_MESSAGE((is_timeline || line == "```console"), line);
      scale = is_timeline ? std::stoi(line.substr(12)) : 0;
    } else if (!in_block) {
      page.prose += line + "\n";
    } else if (line.rfind("$ ", 0) == 0) {
      page.commands.push_back({.text = line.substr(2), .output = "", .scale = scale});
    } else {
      REQUIRE_MESSAGE(!page.commands.empty(), line);
      page.commands.back().output += line + "\n";
    }
  }
  return page;
}

std::string output_of(const std::string& command) {
  return shell("pipesim() { \"$PIPESIM\" \"$@\"; }\n{ " + command + "\n} 2>&1").out;
}

/// One line a device: each op from its start to its end, padded with dots.
std::string drawn(const Command& command) {
  const TemporaryDirectory directory;
  const std::string file = directory.path("timeline.csv");
  output_of(command.text + " --output /dev/null --timeline " + file);
  std::istringstream rows(read_file(file));
  std::map<int, std::string> lines;
  std::string row;
  std::getline(rows, row);
  while (std::getline(rows, row)) {
    std::vector<std::string> fields;
    std::istringstream cells(row);
    for (std::string cell; std::getline(cells, cell, ',');) fields.push_back(cell);
    if (fields.at(1) != "compute") continue;
    const auto column = [&](const std::string& time) {
      return static_cast<std::size_t>(std::lround(std::stod(time) * command.scale));
    };
    std::string& line = lines[std::stoi(fields.at(0))];
    line.resize(column(fields.at(5)), ' ');
    line += fields.at(2) + fields.at(4);
    line.resize(column(fields.at(6)), '.');
  }
  std::string picture;
  for (const auto& [device, line] : lines) picture += std::to_string(device) + "  " + line + "\n";
  return picture;
}

/// Whether this binary has the command.
bool is_known(const std::string& command) {
  const std::string help = shell("\"$PIPESIM\" --help").out;
  return command.rfind("pipesim shapes", 0) != 0 || help.find("\n  shapes ") != std::string::npos;
}

std::set<std::string> numbers_in(const std::string& text) {
  const std::regex number(R"(\d+(\.\d+)?)");
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), number), end; at != end; ++at) {
    found.insert(at->str());
  }
  return found;
}

const std::string kPages[] = {"exercises.md", "exercises.zh-CN.md"};

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("every command on the pages of exercises gives what they print") {
    for (const std::string& name : kPages) {
      const Page page = read_page(name);
      CHECK(page.commands.size() >= 20);
      for (const Command& command : page.commands) {
        if (!is_known(command.text)) continue;
        INFO(name, ": ", command.text);
        CHECK(!command.output.empty());
        CHECK((command.scale > 0 ? drawn(command) : output_of(command.text)) == command.output);
      }
    }
  }

  TEST_CASE("both pages of exercises have the same commands and numbers") {
    const Page english = read_page(kPages[0]);
    const Page chinese = read_page(kPages[1]);
    REQUIRE(english.commands.size() == chinese.commands.size());
    for (std::size_t i = 0; i < english.commands.size(); ++i) {
      CHECK(english.commands[i].text == chinese.commands[i].text);
      CHECK(english.commands[i].output == chinese.commands[i].output);
    }
    CHECK(numbers_in(english.prose) == numbers_in(chinese.prose));
  }

  TEST_CASE("the times and ratios in the prose of the pages are printed by their commands") {
    const std::regex result(R"((\d+\.\d+|\d+(?= ms)))");
    for (const std::string& name : kPages) {
      const Page page = read_page(name);
      std::string outputs;
      for (const Command& command : page.commands) outputs += command.output + command.text + "\n";
      const std::set<std::string> printed = numbers_in(outputs);
      // The number of a paper is no result.
      const std::string prose = std::regex_replace(page.prose, std::regex("arXiv [0-9.]+"), "");
      for (std::sregex_iterator at(prose.begin(), prose.end(), result), end; at != end; ++at) {
        INFO(name, ": ", at->str());
        CHECK(printed.contains(at->str()));
      }
    }
  }

  TEST_CASE("README prints what pipesim prints") {
    std::istringstream lines(read_file(source_directory() + "/README.md"));
    int compared = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("$ pipesim ", 0) != 0) continue;
      const std::string command = line.substr(2);
      std::string output;
      while (std::getline(lines, line) && line != "```") output += line + "\n";
      CAPTURE(command);
      if (output.find("\n  ...\n") != std::string::npos) continue;  // a part of it
      CHECK(output == output_of(command));
      ++compared;
    }
    CHECK(compared >= 6);
  }
}
