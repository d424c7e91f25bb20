// The order in which PyTorch posts its sends and receives, from the files that it wrote itself.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "sim/transfer_order.hpp"
#include "tests/places.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

namespace fs = std::filesystem;

using Cells = std::vector<std::string>;

/// The cells of each rank that are not empty.
std::vector<Cells> ranks_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<Cells> ranks;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    Cells cells;
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find(',', begin), line.size());
      if (end > begin) cells.push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    ranks.push_back(std::move(cells));
  }
  return ranks;
}

std::optional<Step> step_of(const std::string& cell) {
  const std::size_t semicolon = cell.find(';');
  if (semicolon == std::string::npos) {
    const auto op = parse_token(cell);
    return op ? std::optional<Step>(Step{*op}) : std::nullopt;
  }
  const auto first = parse_token(cell.substr(1, semicolon - 1));
  const auto second = parse_token(cell.substr(semicolon + 1, cell.find(')') - semicolon - 1));
  REQUIRE((first && second));
  return Step{.op = first.value_or(Op{}), .overlapped = second};
}

bool is_transfer_cell(const std::string& cell) {
  return cell.find("SEND") != std::string::npos || cell.find("RECV") != std::string::npos;
}

/// Without sends and receives; what is no op takes a turn all the same.
std::vector<std::vector<Action>> actions_of(const std::vector<Cells>& ranks) {
  std::vector<std::vector<Action>> actions;
  for (const Cells& cells : ranks) {
    auto& of_rank = actions.emplace_back();
    for (const std::string& cell : cells) {
      if (is_transfer_cell(cell)) continue;
      const std::optional<Step> step = step_of(cell);
      of_rank.push_back({.kind = step ? Action::Kind::compute : Action::Kind::other,
                         .step = step.value_or(Step{}),
                         .send = {}});
    }
  }
  return actions;
}

/// Enough of a problem: where the stages are, and how many microbatches there are.
Problem problem_of(const std::vector<std::vector<Action>>& actions) {
  Problem problem;
  problem.devices = static_cast<std::int32_t>(actions.size());
  std::vector<Device> device_of;
  for (std::size_t device = 0; device < actions.size(); ++device) {
    for (const Action& action : actions[device]) {
      if (action.kind != Action::Kind::compute) continue;
      const Op& op = action.step.op;
      device_of.resize(std::max(device_of.size(), static_cast<std::size_t>(op.stage.value) + 1));
      device_of[static_cast<std::size_t>(op.stage.value)] = Device{device};
      problem.microbatches = std::max(problem.microbatches, op.microbatch.value + 1);
    }
  }
  problem.placement.device_of = {device_of};
  return problem;
}

Cells cells_of(const std::vector<Action>& actions) {
  Cells cells;
  for (const Action& action : actions) {
    if (action.kind != Action::Kind::other) cells.push_back(token(action));
  }
  return cells;
}

/// The same as PyTorch writes it, without what is neither op nor transfer.
Cells simplified(const Cells& cells) {
  Cells result;
  for (const std::string& cell : cells) {
    if (is_transfer_cell(cell)) {
      result.push_back(cell);
    } else if (const auto step = step_of(cell)) {
      result.push_back(token(*step));
    }
  }
  return result;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE(
      "torch.distributed.pipelining 2.14.1: its compute-only files give its files with comms") {
    const std::string ending = "_compute_comms.csv";
    int files = 0;
    for (const auto& entry :
         fs::directory_iterator(test::source_directory() + "/tests/golden/pytorch_csv")) {
      const std::string path = entry.path().string();
      if (!path.ends_with(ending)) continue;
      ++files;
      CAPTURE(path);
      const std::vector<Cells> with_comms = ranks_of(path);
      const std::vector<Cells> compute_only =
          ranks_of(path.substr(0, path.size() - ending.size()) + "_compute_only.csv");
      const auto actions = actions_of(with_comms);
      const auto posted = post_eagerly(problem_of(actions), actions);
      REQUIRE(posted.size() == with_comms.size());
      for (std::size_t rank = 0; rank < posted.size(); ++rank) {
        CHECK(cells_of(posted[rank]) == simplified(with_comms[rank]));
        CHECK(cells_of(actions[rank]) == simplified(compute_only[rank]));
      }
    }
    CHECK(files == 36);
  }
}
