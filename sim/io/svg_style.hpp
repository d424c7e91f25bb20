// The style sheet of an SVG and the names of its classes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/io/palette.hpp"
#include "sim/io/picture.hpp"

namespace pipesim {

/// The class of blocks that look so, in that shade: "f0". The class of a text on them: "tf".
std::string block_class(Look look, std::int32_t shade);
std::string text_class(Look look);

/// What the classes look like under that theme; `shades` as of a picture.
std::string style_sheet(Theme theme, std::int32_t shades);

}  // namespace pipesim
