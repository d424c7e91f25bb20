#include "tests/places.hpp"

namespace pipesim::test {

// Only this file is compiled anew for another directory; ccache has the others.
std::string source_directory() { return PIPESIM_SOURCE_DIR; }

std::string binary() { return PIPESIM_BINARY; }

}  // namespace pipesim::test
