// Programs as texts, in the notation of to_text(): a line for each device, op and loop.
//
//   device 0
//     repeat 3
//       0F0
//     repeat 5
//       0F3
//       0B0 step 1
//
// Two spaces for each level say what stands in which loop. `step` is the stride of an item in the
// loop around it: by how much its microbatches advance each repetition; 1 where it is absent.
// Blank lines and lines that begin with # say nothing.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// Whether a text means to be a program: its first word is "device".
bool is_program_text(std::string_view text);

struct ParsedProgram {
  Program program;
  std::vector<Fault> faults;  ///< with line and column and without a place; none if it is good
};

/// Reads a program. No loop may run more often than `microbatches`, those of one step: each
/// repetition of a step is another microbatch. The ops themselves are left to validate_program().
ParsedProgram parse_program_text(std::string_view text, std::int64_t microbatches);

}  // namespace pipesim
