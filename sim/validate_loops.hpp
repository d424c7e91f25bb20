// Internal: a proof that a program is valid that does not unroll it.
#pragma once

#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// True only of programs that validate_program() accepts; false of those that are wrong, and of
/// those whose loops do not show it: orders in which a device takes the microbatches of a stage
/// other than one after another, and programs that park activations.
bool is_valid_by_its_loops(const Problem& problem, const Program& program);

}  // namespace pipesim
