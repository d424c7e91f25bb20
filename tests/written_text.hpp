// What a writer puts into its file.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "sim/io/output_file.hpp"

namespace pipesim::test {

/// Runs the writer on a temporary file and returns the file's bytes.
inline std::string written_text(const std::function<void(OutputFile&)>& write) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("pipesim_test_" + std::to_string(::getpid()));
  OutputFile file(path, "/output");
  write(file);
  file.commit();
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  std::filesystem::remove(path);
  return text;
}

}  // namespace pipesim::test
