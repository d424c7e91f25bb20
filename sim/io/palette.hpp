// The colours of pictures: one place for whoever draws in colour.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/idle.hpp"
#include "sim/io/picture.hpp"

namespace pipesim {

/// Which grounds a picture is drawn for.
enum class Theme : std::uint8_t {
  automatic,  ///< light, and dark where the reader's screen asks for it (prefers-color-scheme)
  light,
  dark
};

/// "auto", "light" or "dark".
std::string_view name(Theme theme);

/// The theme with that name, or nothing.
std::optional<Theme> theme(std::string_view name);

/// What a picture stands on.
enum class Ground : std::uint8_t { light, dark };

struct Colour {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;

  friend bool operator==(const Colour&, const Colour&) = default;
};

/// "#0072b2".
std::string css(Colour colour);

/// How a block is painted; its text has a contrast of at least 4.5 to 1 (WCAG 2.1, 1.4.3).
struct Paint {
  Colour fill;
  Colour text;
};

/// The hues are those of Okabe and Ito, which readers with any colour vision tell apart. Each look
/// has a band of lightness of its own, in which the chunks of a device go from dark to pale, so a
/// print in grey still tells looks and chunks apart. Requires 0 <= chunk < chunks.
Paint paint(Look look, std::int32_t chunk, std::int32_t chunks, Ground ground);

/// Everything in a picture that is no block.
struct Scenery {
  Colour ground;
  Colour ink;       ///< titles, labels, the memory curve
  Colour faint;     ///< what is read second: units, notes, ticks
  Colour rule;      ///< grid lines and the outlines of rows
  Colour hatch;     ///< of idle time
  Colour critical;  ///< the outline of what is on the critical path
  Colour memory;    ///< below the memory curve
  Colour limit;     ///< the line of the memory limit
};

const Scenery& scenery(Ground ground);

/// The colour of idle time by its cause, paler than blocks on light ground and darker on dark.
Colour idle_colour(IdleCause cause, Ground ground);

}  // namespace pipesim
