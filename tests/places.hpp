// Where the tests find what they read and run.
#pragma once

#include <string>

namespace pipesim::test {

/// The root of the source, without a slash at the end.
std::string source_directory();

/// The program `pipesim`.
std::string binary();

}  // namespace pipesim::test
