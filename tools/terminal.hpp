// What the terminal can show.
#pragma once

#include "sim/io/terminal_picture.hpp"
#include "tools/driver.hpp"

namespace pipesim {

/// Whether colour is wanted: `--color` decides where it is given; else it is, where the result goes
/// to a terminal that has it (TERM) and NO_COLOR is not set. The width is the terminal's; where the
/// result goes elsewhere it is COLUMNS, and 100 if that is not set. Throws Error (bad input) if
/// --color or COLUMNS is none, and if the width is below kLeastTerminalWidth.
TerminalStyle terminal_style(const PictureRequest& request, const OutputConfig& output);

}  // namespace pipesim
