// A drawn config, run as the program does, and what must hold of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/config_fuzz/drawn_config.hpp"

namespace pipesim::test {

/// What became of a config.
struct CheckedConfig {
  enum class Outcome {
    ran,
    refused,    ///< bad input, with a message
    deadlocked  ///< it is valid; the run fails
  };
  Outcome outcome = Outcome::ran;
  std::string reason{};                   ///< the first fault without its numbers, unless it ran
  double seconds = 0;                     ///< of the processor, from reading to the report
  std::vector<std::string> properties{};  ///< that were checked and do not hold of all runs
};

/// Runs the config and checks, by assertions of doctest, that
/// - it ends in a result or an Error with a message, never otherwise,
/// - the invariants of run_invariants.hpp hold, and no device has more activations than its
///   schedule says,
/// - metrics without a timeline are the same to the last digit, where there are any,
/// - times `factor` times as long give results that are, where nothing leaves a remainder,
/// - one more microbatch does not make gpipe, 1f1b or eager_1f1b faster; where transfers take
///   turns, or stragglers come and go, it may,
/// - the resolved config, and a custom order taken from another schedule, run the same,
/// - the files of `output` and points of `sweep` say the same.
/// Files are written to the directory.
CheckedConfig check_config(const DrawnConfig& config, const std::string& directory);

}  // namespace pipesim::test
