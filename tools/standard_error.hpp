// Words for the user beside the data.
#pragma once

#include <string_view>

namespace pipesim {

/// Writes to standard error. If that fails there is nobody left to tell.
void write_standard_error(std::string_view text);

}  // namespace pipesim
