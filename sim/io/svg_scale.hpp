// Lengths and times on an SVG's canvas.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// A length in hundredths of a pixel.
struct Px {
  std::int64_t hundredths = 0;

  constexpr Px() = default;
  explicit constexpr Px(std::int64_t count) : hundredths(count) {}
  friend constexpr auto operator<=>(Px, Px) = default;
  friend constexpr Px operator+(Px left, Px right) {
    return Px{left.hundredths + right.hundredths};
  }
  friend constexpr Px operator-(Px left, Px right) {
    return Px{left.hundredths - right.hundredths};
  }
  friend constexpr Px operator*(Px length, std::int64_t times) {
    return Px{length.hundredths * times};
  }
  friend constexpr Px operator/(Px length, std::int64_t parts) {
    return Px{length.hundredths / parts};
  }
  constexpr Px& operator+=(Px other) { return *this = *this + other; }
};

constexpr Px px(std::int64_t pixels) { return Px{pixels * 100}; }

/// "12", "12.5" or "12.25".
std::string svg_number(Px length);

/// About how wide a text is in a sans-serif font of that size: a little more than most draw it.
Px text_width(std::string_view text, Px font);

/// Where times stand: [from, to) on [0, width).
struct TimeScale {
  Ticks from;
  Ticks to;
  Px width;

  /// Rounded down. A time outside stands at the nearer end.
  Px at(Ticks time) const;
};

/// A round time on the axis and how it is labelled.
struct AxisTick {
  Ticks time;
  std::string label;
};

/// The multiples of the smallest step of 1, 2 or 5 times a power of ten of the unit whose labels do
/// not touch each other.
std::vector<AxisTick> axis_ticks(const TimeScale& scale, TimeUnit unit, Px font);

}  // namespace pipesim
