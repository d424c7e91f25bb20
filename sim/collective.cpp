#include "sim/collective.hpp"

#include <array>

namespace pipesim {

namespace {

/// How often the parts of a buffer go round the ring.
std::int64_t rounds(Collective collective) {
  if (collective == Collective::none) return 0;
  return collective == Collective::all_reduce ? 2 : 1;
}

}  // namespace

std::string_view name(Collective collective) {
  constexpr std::array<std::string_view, 5> kNames = {"none", "all-reduce", "all-gather",
                                                      "reduce-scatter", "all-to-all"};
  return kNames[static_cast<std::size_t>(collective)];
}

Ratio ring_factor(Collective collective, std::int64_t ranks) {
  return reduced(Int128{rounds(collective)} * (ranks - 1), ranks);
}

Ticks collective_time(Collective collective, Bytes buffer, std::int64_t ranks,
                      const Connection& connection) {
  if (ranks == 1 || buffer == Bytes{}) return {};
  const Ratio factor = ring_factor(collective, ranks);
  const Bytes sent((buffer.count * factor.numerator + factor.denominator - 1) / factor.denominator);
  return connection.latency * (rounds(collective) * (ranks - 1)) +
         transfer_time(sent, connection.bandwidth);
}

}  // namespace pipesim
