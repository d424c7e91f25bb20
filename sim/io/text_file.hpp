// Input files that a config names.
#pragma once

#include <string>

namespace pipesim {

/// The bytes of a file, relative to the working directory, uncompressed if they are gzip. Throws
/// Error (bad input) at the pointer of the config key that names it.
std::string read_text_file(const std::string& file, std::string pointer);

}  // namespace pipesim
