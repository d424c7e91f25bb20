#include "tests/places.hpp"

#include <cstdlib>

namespace pipesim::test {

// Only this file is compiled anew for another directory; ccache has the others.
std::string source_directory() { return PIPESIM_SOURCE_DIR; }

std::string binary() {
  const char* const other = std::getenv("PIPESIM_BINARY");
  return other == nullptr ? PIPESIM_BINARY : other;
}

}  // namespace pipesim::test
