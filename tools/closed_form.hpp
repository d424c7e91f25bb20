// Textbook formulas, for students who want to see them beside what the engine found. They live
// outside the simulator on purpose: no result comes from here.
#pragma once

#include "sim/io/report.hpp"
#include "sim/problem.hpp"

namespace pipesim {

/// The closed form of T_total for a schedule with these parameters, and when it holds. A schedule
/// without one has the formula "none known".
ClosedForm closed_form(std::string_view schedule, const Problem& problem,
                       const Parameters& parameters);

}  // namespace pipesim
