// For rules that need more microbatches than a problem has.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/program.hpp"

namespace pipesim {

/// The program without the ops of microbatches `microbatches` and up; where one op of a pair goes
/// the other stands alone. It can run if the program could, as data passes only within a
/// microbatch. The result is unrolled: as long as the program runs, whatever its loops.
Program first_microbatches(const Program& program, std::int64_t microbatches);

/// The note of a plan that does so: below `fewest` microbatches, which `formula` gives.
inline std::string first_microbatches_note(std::string_view formula, std::int64_t fewest,
                                           std::int64_t microbatches) {
  return fmt::format(
      "built for the minimum of {} = {} microbatches, of which those from {} on are left out",
      formula, fewest, microbatches);
}

}  // namespace pipesim
