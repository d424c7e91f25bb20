#include "tools/standard_error.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace pipesim {

void write_standard_error(std::string_view text) {
  [[maybe_unused]] const std::size_t written = std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_notes(const Request& request, const std::vector<std::string>& notes) {
  if (request.quiet) return;
  for (const std::string& note : notes) {
    write_standard_error(fmt::format("pipesim: note: {}\n", note));
  }
}

}  // namespace pipesim
