// Collectives over a ring of ranks: what each puts on the wire, and how long that takes.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/amounts.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

enum class Collective : std::uint8_t { none, all_reduce, all_gather, reduce_scatter, all_to_all };

/// "none", "all-reduce", "all-gather", "reduce-scatter" or "all-to-all".
std::string_view name(Collective collective);

/// What each rank sends, as a multiple of its buffer (the larger of what goes in and what comes
/// out): 2(P-1)/P for a ring all-reduce, which is a reduce-scatter and an all-gather, (P-1)/P for
/// each of these and for an all-to-all that sends each part straight to its rank. Less is
/// impossible (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
/// workstations"). Requires at least one rank.
Ratio ring_factor(Collective collective, std::int64_t ranks);

/// From one device to another, one direction.
struct Connection {
  Ticks latency;
  Bandwidth bandwidth;

  friend bool operator==(const Connection&, const Connection&) = default;
};

/// A latency a step, P-1 of them in each round of the ring, plus buffer * ring_factor over the
/// bandwidth (Thakur et al., IJHPCA 2005); nothing for one rank or an empty buffer. Throws Error
/// if that leaves the range of Ticks.
Ticks collective_time(Collective collective, Bytes buffer, std::int64_t ranks,
                      const Connection& connection);

}  // namespace pipesim
