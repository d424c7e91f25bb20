// Costs by stage, kind and microbatch: a CSV file in place of t_f, t_b and t_w.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/io/config_sections.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// Reads `stage,kind,time` or `stage,kind,microbatch,time` with such a header; a number is in
/// `unit`, an empty microbatch stands for all that have no row of their own. `name` is for
/// messages. Throws Error (bad input) with every fault of the text, placed.
CostTable parse_cost_table(std::string name, std::string_view text, TimeUnit unit);

/// The same for a file, relative to the working directory.
CostTable read_cost_table(const std::string& file, TimeUnit unit);

/// Reads repeated measurements: a header with the columns stage, kind and time, perhaps microbatch,
/// and others that are ignored, in any order; one row an observation, as many of a stage and kind
/// as there are. Numbers and faults as above.
std::vector<CostRow> parse_measured_times(std::string name, std::string_view text, TimeUnit unit);

}  // namespace pipesim
