// Values of the command line, put into the document before it is understood.
#pragma once

#include <optional>
#include <span>

#include "sim/io/config.hpp"
#include "sim/io/json_tree.hpp"

namespace pipesim {

/// The document before any override: the file's, or an empty object. Throws Error if the file's
/// root is no object.
JsonTree::Id read_document(JsonTree& tree, const std::optional<ConfigText>& file,
                           JsonFaults& faults);

/// `"schedule": "gpipe"` becomes `{"name": "gpipe"}`, written where the string is.
void normalise_schedule(JsonTree& tree, JsonTree::Id root);

/// Puts the values into the document in order. A path creates the objects it passes; a number in a
/// path is the index of an element that exists.
void apply_overrides(JsonTree& tree, JsonTree::Id root, std::span<const Override> overrides,
                     JsonFaults& faults);

}  // namespace pipesim
