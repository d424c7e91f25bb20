// Runs as pictures for a terminal: a row of cells for each device.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "sim/io/picture.hpp"

namespace pipesim {

/// More blocks than this are no picture any more: a cell would stand for millions.
inline constexpr std::int64_t kMostTerminalBlocks = 10'000'000;

/// What a terminal can show.
enum class TerminalColour : std::uint8_t {
  none,        ///< letters carry the meaning
  palette,     ///< the 256 colours of xterm
  true_colour  ///< 24 bits
};

struct TerminalStyle {
  std::int32_t width = 100;  ///< columns
  TerminalColour colour = TerminalColour::none;
};

/// The least width that leaves room for a picture.
inline constexpr std::int32_t kLeastTerminalWidth = 40;

/// The pictures below each other on one time axis, with one legend, each line at most as wide as
/// the terminal. A cell shows what fills most of its time: ops of one kind and one chunk together,
/// idle time, or idle time in which a transfer was waited for (`~`); of what fills it equally, ops
/// before idle time and these in the order of Look and chunk. Where the times allow it a cell is a
/// whole part of all durations, so that equal ops are equally wide; else the run is scaled to the
/// width. A block begins with its letter and microbatch, as far as they fit ("F3."), and with its
/// chunk where there are more than two ("F3:2"); letters of odd chunks are small. In colour it has
/// the number only, and odd microbatches are a little stronger. At the end of a row stands the idle
/// share of the time shown. Requires at least one picture, all in one time unit and from one time
/// on, and the least width.
std::string terminal_picture(std::span<const Picture* const> pictures, const TerminalStyle& style);

}  // namespace pipesim
