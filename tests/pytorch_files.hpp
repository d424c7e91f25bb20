// The schedule files in tests/golden that PyTorch wrote.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sim/io/pytorch_csv.hpp"
#include "sim/parameters.hpp"
#include "sim/problem.hpp"
#include "tests/places.hpp"

namespace pipesim::test {

struct NamedText {
  std::string name;
  std::string text;
};

inline std::string golden(const std::string& name) {
  std::ifstream file(source_directory() + "/tests/golden/" + name, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string with_carriage_returns(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n') result += '\r';
    result += c;
  }
  return result;
}

/// The files of the directory pytorch_csv, then those that pytorch_csv_more.txt holds.
inline std::vector<NamedText> pytorch_files() {
  std::vector<NamedText> files;
  const std::string directory = source_directory() + "/tests/golden/pytorch_csv";
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    files.push_back({.name = name, .text = golden("pytorch_csv/" + name)});
  }
  std::sort(files.begin(), files.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  const std::string more = golden("pytorch_csv_more.txt");
  for (std::size_t begin = 0; begin < more.size();) {
    const std::size_t text = more.find('\n', begin) + 1;
    const std::size_t end = std::min(more.find("# ", text), more.size());
    files.push_back({.name = more.substr(begin + 2, text - begin - 3),
                     .text = with_carriage_returns(more.substr(text, end - text))});
    begin = end;
  }
  return files;
}

inline bool has_comms(const NamedText& file) {
  return file.name.find("_compute_comms") != std::string::npos;
}

/// A problem for an order: its stages where it has them, as many microbatches as it names.
inline Problem problem_of(const StepOrders& orders) {
  Problem problem;
  problem.devices = static_cast<std::int32_t>(orders.size());
  std::vector<Device> device_of;
  for (std::size_t device = 0; device < orders.size(); ++device) {
    for (const Step& step : orders[device]) {
      const auto stage = static_cast<std::size_t>(step.op.stage.value);
      device_of.resize(std::max(device_of.size(), stage + 1));
      device_of[stage] = Device{device};
      problem.microbatches = std::max(problem.microbatches, step.op.microbatch.value + 1);
    }
  }
  problem.costs.assign(device_of.size(), stage_costs(Ticks{1}, Ticks{2}, Ticks{1}));
  problem.placement.device_of = {device_of};
  return problem;
}

}  // namespace pipesim::test
