// The options of pictures on the command line.
#pragma once

#include <optional>

#include "sim/io/picture.hpp"
#include "sim/io/svg.hpp"
#include "tools/driver.hpp"

namespace pipesim {

/// The part of the run that pictures show, if any is asked for: what --from, --to and --devices
/// say. Times are numbers in the config's unit or carry their own ("2.5ms"), devices a list of
/// numbers and of ranges with both ends ("0,2-5"). Throws Error (bad input) with a fault for each
/// option that says nothing of the kind, or that is given where nothing is drawn. Whether the run
/// has that part is left to require_view().
std::optional<PictureView> picture_view(const Request& request, const RunConfig& config);

/// --theme, automatic where none is given. Throws Error (bad input) for an unknown one.
Theme picture_theme(const PictureRequest& request);

/// How an SVG is drawn. Throws as picture_theme().
SvgOptions svg_options(const PictureRequest& request);

/// Throws Error (bad input) if the pictures that are asked for would have more blocks than can be
/// drawn.
void require_drawable(std::int64_t blocks, const OutputConfig& output);

/// The same for a picture in the terminal.
void require_showable(std::int64_t blocks);

/// Throws Error (bad input) if an option of pictures is given: for what draws none.
void reject_picture_options(const PictureRequest& request);

}  // namespace pipesim
