// JSON text that is written by hand where a library would round its numbers.
#pragma once

#include <string>
#include <string_view>

#include "sim/error.hpp"

namespace pipesim {

/// The text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// The faults as one JSON document, for programs.
std::string faults_json(const Error& error);

}  // namespace pipesim
