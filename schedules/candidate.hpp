// An order that a searching schedule tries out.
#pragma once

#include <optional>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// An order and what comes of it in one training step.
struct Candidate {
  Program program;
  Ticks span;  ///< the longest time of a device from its first start to its last end
  Ticks t_total;
};

/// Runs one step of the problem in this order; nothing if it deadlocks or exceeds memory.limit.
std::optional<Candidate> try_out(Problem problem, Program program);

}  // namespace pipesim
