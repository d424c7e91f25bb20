// Amounts that are no times, each of its own type: bytes, floating-point operations, and the rates
// at which a machine moves and computes them. Only here do they become ticks.
#pragma once

#include <compare>
#include <cstdint>

#include "sim/types.hpp"

namespace pipesim {

/// A decimal of at least 0 with up to 9 places, exact: below 9223372036.854775808.
struct Decimal {
  static constexpr std::int64_t kOne = 1'000'000'000;

  std::int64_t billionths = 0;

  double value() const { return static_cast<double>(billionths) / static_cast<double>(kOne); }
  friend auto operator<=>(const Decimal&, const Decimal&) = default;
};

/// A whole number of something; amounts of different things do not mix.
template <class Tag>
struct Amount {
  Int128 count = 0;

  constexpr Amount() = default;
  explicit constexpr Amount(Int128 amount) : count(amount) {}

  friend constexpr auto operator<=>(const Amount&, const Amount&) = default;
  friend constexpr Amount operator+(Amount left, Amount right) {
    return Amount(left.count + right.count);
  }
  friend constexpr Amount operator*(Amount amount, Int128 times) {
    return Amount(amount.count * times);
  }
  constexpr Amount& operator+=(Amount other) { return *this = *this + other; }
};

using Bytes = Amount<struct BytesTag>;
/// Floating-point operations: a multiplication and an addition are two.
using Flops = Amount<struct FlopsTag>;

/// What a connection or a memory carries.
struct Bandwidth {
  std::int64_t bits_per_second = 0;

  friend auto operator<=>(const Bandwidth&, const Bandwidth&) = default;
};

/// How fast a device computes.
struct FlopRate {
  std::int64_t per_second = 0;

  friend auto operator<=>(const FlopRate&, const FlopRate&) = default;
};

/// The part of a rate that is reached, down to a whole operation per second, at least 1. Requires a
/// fraction of at most 1.
FlopRate scaled(FlopRate rate, Decimal fraction);

/// How long so many bytes take, rounded up to a tick. Requires a bandwidth above 0. Throws Error
/// if that leaves the range of Ticks.
Ticks transfer_time(Bytes bytes, Bandwidth bandwidth);

/// How long so many operations take, rounded half up to a tick. Requires a rate above 0. Throws
/// Error if that leaves the range of Ticks.
Ticks computing_time(Flops flops, FlopRate rate);

/// The part of a time, rounded half up to a tick.
Ticks scaled(Ticks time, Decimal factor);

}  // namespace pipesim
