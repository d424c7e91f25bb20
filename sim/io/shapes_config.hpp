// The document that `pipesim shapes` reads.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "sim/io/config.hpp"
#include "sim/tensor_parallel.hpp"

namespace pipesim {

/// What is asked: the sizes of a layer, the pairings to show and how.
struct ShapesConfig {
  LayerSizes sizes{};
  std::vector<Pairing> pairings{};
  OutputFormat format = OutputFormat::table;
};

/// Reads a JSON object with the keys of LayerSizes, `dtype`, `pairing` and `output.format`, put
/// together from a file and the command line. The sizes pass check(). Throws Error (bad input).
ShapesConfig read_shapes_config(const std::optional<ConfigText>& file,
                                std::span<const Override> overrides);

}  // namespace pipesim
