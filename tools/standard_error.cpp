#include "tools/standard_error.hpp"

#include <cstdio>

namespace pipesim {

void write_standard_error(std::string_view text) {
  [[maybe_unused]] const std::size_t written = std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace pipesim
