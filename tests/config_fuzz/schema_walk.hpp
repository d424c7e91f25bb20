// Parts of docs/config.schema.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/units.hpp"
#include "tests/config_fuzz/drawn_config.hpp"

namespace pipesim::test {

/// The definition that a node refers to, or the node itself.
const Json& resolved(const Json& node);

/// Whether the value is of the node's kind: of several alternatives at most one admits a value.
bool admits(const Json& node, const Json& value);

/// The classes of a node of strings: of numbers with units "text 0", "text 1", "text below 16",
/// "text 16 and more", "text fraction", "text exponent", "text with a space" and each unit; of
/// alternatives each; else "text".
std::vector<std::string> text_classes(const Json& node);

/// Those that a text has.
std::vector<std::string> classes_of_text(const Json& node, const std::string& text);

/// Requires a time of the schema.
std::int64_t ticks_of(const Json& time, TimeUnit unit);
/// Requires bytes of the schema.
std::int64_t bytes_of(const Json& bytes);

}  // namespace pipesim::test
