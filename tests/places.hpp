// Where the tests find what they read and run.
#pragma once

#include <string>

namespace pipesim::test {

/// The root of the source, without a slash at the end.
std::string source_directory();

/// The program `pipesim`, or what the environment names in PIPESIM_BINARY, such as one that was
/// built with a sanitizer.
std::string binary();

}  // namespace pipesim::test
