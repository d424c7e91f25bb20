// Exact conversion between decimal text and ticks, and exact ratios. No value passes through a
// double, so no digit is lost and no locale is asked.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "sim/types.hpp"

namespace pipesim {

/// The unit in which the numbers of a config and of its results are written.
enum class TimeUnit { s, ms, us, ns, ps };

/// "s", "ms", "us", "ns" or "ps".
std::string_view name(TimeUnit unit);

/// The unit with that name, or nothing.
std::optional<TimeUnit> time_unit(std::string_view name);

/// Why a text is no time.
enum class TimeFault {
  malformed,  ///< no decimal number
  no_unit,    ///< a number where a unit must follow ("2.5" in a string)
  negative,
  too_fine,  ///< not a whole number of ticks of 1 ps
  too_large  ///< beyond int64 ticks
};

/// A parsed time: exactly one of the two is set.
struct ParsedTime {
  std::optional<Ticks> ticks;
  std::optional<TimeFault> fault;
};

/// Reads a JSON number (digits, optional fraction and exponent) counted in `unit`, exactly.
ParsedTime parse_time(std::string_view number, TimeUnit unit);

/// Reads a number that carries its unit: "2.5ms", "2.5 ms".
ParsedTime parse_time_with_unit(std::string_view text);

/// The exact decimal in `unit`, without exponent and without trailing zeros: "2.5", "-0.001".
std::string format_time(Ticks ticks, TimeUnit unit);

/// An exact fraction; the denominator is positive.
struct Ratio {
  Int128 numerator = 0;
  Int128 denominator = 1;

  /// Exact, by continued fractions: no product can overflow.
  friend std::strong_ordering operator<=>(const Ratio& left, const Ratio& right);
  friend bool operator==(const Ratio& left, const Ratio& right) {
    return (left <=> right) == std::strong_ordering::equal;
  }
};

Int128 greatest_common_divisor(Int128 a, Int128 b);

/// In lowest terms. Requires a positive denominator.
Ratio reduced(Int128 numerator, Int128 denominator);
/// In lowest terms; require that no product leaves 128 bits.
Ratio sum(const Ratio& left, const Ratio& right);
Ratio product(const Ratio& left, const Ratio& right);

/// The ratio rounded half to even to `digits` significant digits, trailing zeros dropped; the
/// text that printf's %.12g gives for the exact value. Requires |numerator| and denominator
/// below 2^120.
std::string format_ratio(const Ratio& ratio, int digits = 12);

/// A mean of times, given as ticks / count, as a decimal in `unit` with 12 significant digits.
std::string format_mean_time(const Ratio& ticks, TimeUnit unit);

/// Decimal digits of a 128-bit integer.
std::string format_int128(Int128 value);

}  // namespace pipesim
