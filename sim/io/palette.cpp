#include "sim/io/palette.hpp"

#include <fmt/format.h>

#include <array>

#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr Colour rgb(std::uint32_t hex) {
  return {static_cast<std::uint8_t>(hex >> 16), static_cast<std::uint8_t>(hex >> 8 & 0xff),
          static_cast<std::uint8_t>(hex & 0xff)};
}

constexpr Colour kWhite = rgb(0xffffff);
constexpr Colour kBlack = rgb(0x000000);

struct Shades {
  Colour only;   // of a device with one chunk
  Colour first;  // of several
  Colour last;
  Colour text;
};

constexpr std::array<Shades, kLooks> kOnLight = {{
    {rgb(0x0072b2), rgb(0x025580), rgb(0x0173a8), kWhite},  // forward
    {rgb(0xeb9e00), rgb(0xeb9e00), rgb(0xf7c06d), kBlack},  // backward
    {rgb(0x049972), rgb(0x049972), rgb(0x37b48c), kBlack},  // input gradient
    {rgb(0xe8e335), rgb(0xe8e335), rgb(0xf9f4a5), kBlack},  // weight gradient
    {rgb(0x6e0e46), rgb(0x6e0e46), rgb(0x7f2154), kWhite},  // recompute
    {rgb(0x2b2b2b), rgb(0x2b2b2b), rgb(0x2b2b2b), kWhite},  // communication
    {rgb(0xc44e00), rgb(0xc44e00), rgb(0xc44e00), kWhite},  // optimizer
}};

constexpr std::array<Shades, kLooks> kOnDark = {{
    {rgb(0x0072b2), rgb(0x025580), rgb(0x0173a8), kWhite},
    {rgb(0xeb9e00), rgb(0xeb9e00), rgb(0xf7c06d), kBlack},
    {rgb(0x049972), rgb(0x049972), rgb(0x37b48c), kBlack},
    {rgb(0xe8e335), rgb(0xe8e335), rgb(0xf9f4a5), kBlack},
    {rgb(0x9b3069), rgb(0x8a2459), rgb(0x9b3069), kWhite},
    {rgb(0xd6d6d6), rgb(0xd6d6d6), rgb(0xd6d6d6), kBlack},
    {rgb(0xc44e00), rgb(0xc44e00), rgb(0xc44e00), kWhite},
}};

constexpr Scenery kLightScenery = {.ground = kWhite,
                                   .ink = rgb(0x1a1a1a),
                                   .faint = rgb(0x595959),
                                   .rule = rgb(0xc9c9c9),
                                   .hatch = rgb(0xb8b8b8),
                                   .critical = rgb(0xd0004f),
                                   .memory = rgb(0xcfd8e3),
                                   .limit = rgb(0xc2002f)};

constexpr Scenery kDarkScenery = {.ground = rgb(0x14171a),
                                  .ink = rgb(0xececec),
                                  .faint = rgb(0xb0b0b0),
                                  .rule = rgb(0x4a4f55),
                                  .hatch = rgb(0x555b62),
                                  .critical = rgb(0xff7ab0),
                                  .memory = rgb(0x35424f),
                                  .limit = rgb(0xff6b81)};

constexpr std::array<Colour, kIdleCauses> kIdleOnLight = {
    rgb(0xcfdcec),  // fill
    rgb(0xe2e0dc),  // drain
    rgb(0xf6bfae),  // dependency
    rgb(0xc3b3ea),  // communication
    rgb(0x9472cf),  // head_of_line
    rgb(0xa6dcd3),  // barrier
    rgb(0xddb98c),  // optimizer
    rgb(0xeba3c6),  // memory
};

constexpr std::array<Colour, kIdleCauses> kIdleOnDark = {
    rgb(0x33465c), rgb(0x45423d), rgb(0x8c4a37), rgb(0x5b4b94),
    rgb(0x8d6fd6), rgb(0x2f6e66), rgb(0x87592c), rgb(0x8f4069),
};

/// Rounded to the nearest, by integers: the same everywhere.
constexpr std::uint8_t between(std::uint8_t first, std::uint8_t last, std::int32_t part,
                               std::int32_t whole) {
  return static_cast<std::uint8_t>((first * (whole - part) + last * part + whole / 2) / whole);
}

}  // namespace

std::string_view name(Theme theme) {
  switch (theme) {
    case Theme::automatic:
      return "auto";
    case Theme::light:
      return "light";
    case Theme::dark:
      return "dark";
  }
  return "";
}

std::optional<Theme> theme(std::string_view text) {
  for (const Theme theme : {Theme::automatic, Theme::light, Theme::dark}) {
    if (name(theme) == text) return theme;
  }
  return std::nullopt;
}

std::string css(Colour colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

Paint paint(Look look, std::int32_t chunk, std::int32_t chunks, Ground ground) {
  PIPESIM_CHECK(0 <= chunk && chunk < chunks);
  const Shades& shades =
      (ground == Ground::light ? kOnLight : kOnDark)[static_cast<std::size_t>(look)];
  if (chunks == 1) return {shades.only, shades.text};
  const auto mixed = [&](std::uint8_t Colour::*channel) {
    return between(shades.first.*channel, shades.last.*channel, chunk, chunks - 1);
  };
  return {.fill = {mixed(&Colour::red), mixed(&Colour::green), mixed(&Colour::blue)},
          .text = shades.text};
}

Colour idle_colour(IdleCause cause, Ground ground) {
  return (ground == Ground::light ? kIdleOnLight : kIdleOnDark)[static_cast<std::size_t>(cause)];
}

const Scenery& scenery(Ground ground) {
  return ground == Ground::light ? kLightScenery : kDarkScenery;
}

}  // namespace pipesim
