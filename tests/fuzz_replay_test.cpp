#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/fuzz/targets.hpp"

using namespace pipesim;

TEST_SUITE("unit") {
  TEST_CASE("fuzz: readers take or refuse every input of the corpora") {
    for (const fuzz::Target& target : fuzz::kTargets) {
      int inputs = 0;
      const std::filesystem::path corpus = PIPESIM_SOURCE_DIR "/tests/fuzz/corpus";
      for (const auto& input : std::filesystem::directory_iterator(corpus / target.name)) {
        CAPTURE(input.path().string());
        std::ifstream file(input.path(), std::ios::binary);
        std::ostringstream bytes;
        bytes << file.rdbuf();
        target.run(bytes.str());
        ++inputs;
      }
      CHECK(inputs > 0);
    }
  }
}
