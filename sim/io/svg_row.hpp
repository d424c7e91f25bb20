// One device's row of an SVG.
#pragma once

#include <string>

#include "sim/io/picture.hpp"
#include "sim/io/svg.hpp"
#include "sim/io/svg_scale.hpp"

namespace pipesim {

/// How high the parts of a row are; what a picture does not have is 0.
struct RowLayout {
  Px block;   ///< ops
  Px beside;  ///< the strips under them
  Px memory;  ///< the curve under those, with the space above it
  Px space;   ///< to the next row

  Px pitch() const { return block + beside + memory + space; }
};

RowLayout row_layout(const Picture& picture, const SvgOptions& options);

inline constexpr Px kBlockFont = px(11);

/// The row's elements, its top left corner at (0, 0). Requires that its picture's [from, to) begins
/// with the scale's.
std::string svg_row(const Picture& picture, const PictureRow& row, const TimeScale& scale,
                    const SvgOptions& options);

/// The text on a block of that op: its microbatch, "opt" or "sync".
std::string block_label(const Op& op, std::int32_t slices);

/// The room that it takes on its block, within the outline of what is on the critical path.
Px label_width(const Block& block, const Op& op, const Picture& picture, const SvgOptions& options,
               Px font);

/// "peak 4 microbatches": the most that the device holds in [from, to).
std::string peak_label(const Picture& picture, const PictureRow& row);

}  // namespace pipesim
