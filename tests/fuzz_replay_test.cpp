#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/fuzz/targets.hpp"
#include "tests/places.hpp"

using namespace pipesim;

TEST_SUITE("unit") {
  TEST_CASE("fuzz: readers take or refuse every input of the corpora") {
    const std::string root = test::source_directory();
    const auto replay = [](const fuzz::Target& target, const std::string& directory) {
      int inputs = 0;
      for (const auto& input : std::filesystem::directory_iterator(directory)) {
        CAPTURE(input.path().string());
        std::ifstream file(input.path(), std::ios::binary);
        std::ostringstream bytes;
        bytes << file.rdbuf();
        target.run(bytes.str());
        ++inputs;
      }
      CHECK(inputs > 0);
    };
    for (const fuzz::Target& target : fuzz::kTargets) {
      replay(target, root + "/tests/fuzz/corpus/" + std::string(target.name));
      if (target.name == "config") replay(target, root + "/configs");
    }
  }
}
