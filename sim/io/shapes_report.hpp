// What `pipesim shapes` prints.
#pragma once

#include <span>
#include <string>

#include "sim/io/shapes_config.hpp"

namespace pipesim {

/// For a person: the tensors and the communication of each block; of several pairings a comparison.
/// Elements are exact; bytes are rounded half to even to 6 digits in a binary unit.
std::string shapes_table(const ShapesConfig& config, std::span<const LayerBlock> blocks);

/// For a program: shapes in docs/output.schema.json.
std::string shapes_json(const ShapesConfig& config, std::span<const LayerBlock> blocks);

/// An integer exactly, any other ratio with 12 digits.
std::string exact_or_rounded(const Ratio& ratio);

}  // namespace pipesim
