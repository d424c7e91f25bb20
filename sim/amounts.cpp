#include "sim/amounts.hpp"

#include <algorithm>
#include <limits>

#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr Int128 kTicksPerSecond = 1'000'000'000'000;

/// amount / rate seconds plus `extra` / rate ticks, down to a tick.
Ticks to_ticks(Int128 amount, std::int64_t rate, std::int64_t extra) {
  constexpr Int128 kMostSeconds = std::numeric_limits<std::int64_t>::max() / kTicksPerSecond;
  // Beyond that the product below would not fit either.
  if (amount / rate > kMostSeconds) throw_time_overflow();
  const Int128 ticks = (amount * kTicksPerSecond + extra) / rate;
  if (ticks > std::numeric_limits<std::int64_t>::max()) throw_time_overflow();
  return Ticks{static_cast<std::int64_t>(ticks)};
}

}  // namespace

FlopRate scaled(FlopRate rate, Decimal fraction) {
  const Int128 reached = Int128{rate.per_second} * fraction.billionths / Decimal::kOne;
  return {std::max<std::int64_t>(1, static_cast<std::int64_t>(reached))};
}

Ticks transfer_time(Bytes bytes, Bandwidth bandwidth) {
  PIPESIM_CHECK(bandwidth.bits_per_second > 0);
  return to_ticks(bytes.count * 8, bandwidth.bits_per_second, bandwidth.bits_per_second - 1);
}

Ticks computing_time(Flops flops, FlopRate rate) {
  PIPESIM_CHECK(rate.per_second > 0);
  return to_ticks(flops.count, rate.per_second, rate.per_second / 2);
}

Ticks scaled(Ticks time, Decimal factor) {
  const Int128 doubled = Int128{2} * time.count * factor.billionths;
  const Int128 rounded = (doubled + Decimal::kOne) / (Int128{2} * Decimal::kOne);
  if (rounded > std::numeric_limits<std::int64_t>::max()) throw_time_overflow();
  return Ticks{static_cast<std::int64_t>(rounded)};
}

}  // namespace pipesim
