// Drawn configs as the reader gets them.
#pragma once

#include "sim/io/config.hpp"
#include "tests/config_fuzz/drawn_config.hpp"

namespace pipesim::test {

/// Writes the files that the config names.
void write_inputs(const DrawnConfig& config);

/// Writes them, and reads the config. Throws Error as read_config().
LoadedConfig read_written(const DrawnConfig& config);

/// The config as JSON, and the contents of its files.
std::string text_of(const DrawnConfig& config);

}  // namespace pipesim::test
