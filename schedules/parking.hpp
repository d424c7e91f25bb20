// Which device keeps what another one evicts.
#pragma once

#include <vector>

#include "sim/types.hpp"

namespace pipesim {

/// By device, the one at the other end of the pipeline, p-1-i: where 1F1B keeps much at the one it
/// keeps little at the other (Kim et al., BPipe, ICML 2023).
inline std::vector<Device> mirrored_devices(int devices) {
  std::vector<Device> mirrored;
  for (int device = devices - 1; device >= 0; --device) mirrored.emplace_back(device);
  return mirrored;
}

}  // namespace pipesim
