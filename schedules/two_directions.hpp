// What schedules with a copy of the model in each direction have in common.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/parameters.hpp"
#include "sim/problem.hpp"

namespace pipesim {

/// A Schedule's `place`.
inline Placement place_two_directions(int devices, const Parameters& /*parameters*/) {
  return bidirectional_placement(devices);
}

/// A fault if p is odd, else none.
inline std::vector<Fault> odd_devices(const Problem& problem, std::string_view schedule) {
  const int p = problem.devices;
  if (p % 2 == 0) return {};
  return {{.pointer = "/p",
           .what = fmt::format("{} needs an even p: {} % 2 = 1", schedule, p),
           .allowed = "an even number of devices"}};
}

}  // namespace pipesim
