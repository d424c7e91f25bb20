// The tokens in which configs and program files write the steps of a device.
#pragma once

#include <string>
#include <string_view>

#include "sim/program.hpp"

namespace pipesim {

/// A step, or why the token is none.
struct ParsedStep {
  Step step;
  std::string what{};          ///< what is wrong, after the token: "is no op"; "" if nothing is
  std::string_view allowed{};  ///< what would be right; holds where `what` does
};

/// "2F0" or "(2F0;1B3)", which PyTorch writes as "(2F0;1B3)OVERLAP_F_B": an op of a program, or a
/// forward and a full backward or input gradient.
ParsedStep parse_compute_step(std::string_view token);

/// Whether two ops may overlap: a forward, then a full backward or an input gradient.
bool is_pair(const Op& first, const Op& second);

/// How messages name what parse_compute_step() takes.
inline constexpr std::string_view kStepTokens = "tokens such as 0F0, 1B3, 1I3, 1W3 or (0F3;7B1)";
inline constexpr std::string_view kNoPair = "overlaps other ops than a forward and a gradient";
inline constexpr std::string_view kPairAllowed =
    "a forward, then a full backward or an input gradient: (0F3;7B1)";
/// What PyTorch writes after a pair.
inline constexpr std::string_view kPairMark = "OVERLAP_F_B";

}  // namespace pipesim
