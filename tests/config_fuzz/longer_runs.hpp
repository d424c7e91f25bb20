// Runs whose times are all some times as long.
#pragma once

#include <cstdint>

#include "tools/prepared_run.hpp"

namespace pipesim::test {

struct RunOfConfig {
  const Prepared& prepared;
  const Finished& finished;
};

/// Whether no time of the problem's run is rounded while it runs: a straggler's may be, and a
/// fused pair's whose ops differ by microbatch.
bool is_scalable(const Problem& problem);

/// Whether times some times as long can be counted, of links that are not used too.
bool has_room(const Problem& problem, Ticks total);

/// The problem with times `factor` times as long.
Problem longer_problem(Problem problem, std::int64_t factor);

/// Checks that the costs, links and steps of the one problem are `factor` times as long as the
/// other's.
void check_longer_problem(const Problem& problem, const Problem& longer, std::int64_t factor);

/// Runs it, and checks that every result that is a time is `factor` times as long, and every other
/// the same.
void check_longer_run(const RunOfConfig& run, const Prepared& longer, std::int64_t factor);

}  // namespace pipesim::test
