// Faults of options of the command line.
#pragma once

#include <string>
#include <string_view>

namespace pipesim {

/// Throws Error (bad input) at that option, "--shard" or "--vary m".
[[noreturn]] void fail_option(std::string_view option, std::string what, std::string allowed,
                              std::string_view value = "", std::string nearest = "");

}  // namespace pipesim
