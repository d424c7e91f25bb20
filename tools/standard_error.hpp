// Words for the user beside the data.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/driver.hpp"

namespace pipesim {

/// Writes to standard error. If that fails there is nobody left to tell.
void write_standard_error(std::string_view text);

/// The same for notes, a line each, unless the request is for quiet.
void print_notes(const Request& request, const std::vector<std::string>& notes);

}  // namespace pipesim
