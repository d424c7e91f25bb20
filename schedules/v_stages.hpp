// Two stages a device, there and back.
#pragma once

#include "sim/parameters.hpp"
#include "sim/problem.hpp"

namespace pipesim {

/// How `pipesim list` names it.
inline constexpr auto kVStages = "V: stages i and 2p-1-i on device i";

inline Placement place_v_stages(int devices, const Parameters& /*parameters*/) {
  return v_placement(devices);
}

}  // namespace pipesim
