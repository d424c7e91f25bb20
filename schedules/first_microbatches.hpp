// For rules that need more microbatches than a problem has.
#pragma once

#include <cstdint>

#include "sim/program.hpp"

namespace pipesim {

/// The program without the ops of microbatches `microbatches` and up; where one op of a pair goes
/// the other stands alone. It can run if the program could, as data passes only within a
/// microbatch. The result is unrolled: as long as the program runs, whatever its loops.
Program first_microbatches(const Program& program, std::int64_t microbatches);

}  // namespace pipesim
