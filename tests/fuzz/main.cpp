// One target for libFuzzer.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const pipesim::fuzz::Target target = pipesim::fuzz::kTargets[PIPESIM_FUZZ_TARGET];
  target.run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
