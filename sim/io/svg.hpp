// Runs as pictures for papers and pages: SVG, by integers alone, so the same on every machine.
#pragma once

#include <cstdint>
#include <span>

#include "sim/io/output_file.hpp"
#include "sim/io/palette.hpp"
#include "sim/io/picture.hpp"

namespace pipesim {

struct SvgOptions {
  Theme theme = Theme::automatic;
  bool critical = false;  ///< outlines the critical path
  bool memory = false;    ///< a curve of the memory under each row
};

/// The most blocks of one file.
inline constexpr std::int64_t kMostSvgBlocks = 100'000;

/// Writes the pictures below each other on one time axis, with one legend. Each device has a row:
/// its blocks with the numbers of their microbatches where they fit, idle time hatched, a pair as a
/// block in two halves, transfers beside the computation as strips under it. Chunks of a device, or
/// flows, go from dark to pale. What a block is and when stands in its <title>. Requires at least
/// one picture, all in one time unit.
void write_svg(std::span<const Picture* const> pictures, const SvgOptions& options,
               OutputFile& file);

}  // namespace pipesim
