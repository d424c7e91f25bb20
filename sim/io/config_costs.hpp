// Costs by stage, kind and microbatch: a CSV file in place of t_f, t_b and t_w.
#pragma once

#include <string>

#include "sim/io/config_sections.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// Reads `stage,kind,time` or `stage,kind,microbatch,time` with such a header; a number is in
/// `unit`, an empty microbatch stands for all that have no row of their own. `name` is for
/// messages. Throws Error (bad input) with every fault of the text, placed.
CostTable parse_cost_table(std::string name, std::string_view text, TimeUnit unit);

/// The same for a file, relative to the working directory.
CostTable read_cost_table(const std::string& file, TimeUnit unit);

}  // namespace pipesim
