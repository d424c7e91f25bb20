// Internal: a program that is given op by op, as the streaming engine walks it.
#pragma once

#include <optional>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/stream_program.hpp"

namespace pipesim {

/// As stream_program(). Requires may_stream() and is_op_by_op() too.
std::optional<StreamProgram> stream_list(const Problem& problem, const Program& program);

}  // namespace pipesim
