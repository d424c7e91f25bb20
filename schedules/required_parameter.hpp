// Parameters that have no default.
#pragma once

#include <cstdint>
#include <string>

#include "sim/parameters.hpp"

namespace pipesim {

/// The integer of that name. Throws Error (bad input), which says what it `counts`, if it was not
/// given.
std::int64_t required_integer(const Parameters& parameters, const std::string& name,
                              const std::string& counts);

}  // namespace pipesim
