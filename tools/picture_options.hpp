// The options of pictures on the command line.
#pragma once

#include "sim/io/picture.hpp"
#include "sim/units.hpp"
#include "tools/driver.hpp"

namespace pipesim {

/// Whether a picture is asked for.
bool draws(const Request& request, const OutputConfig& output);

/// What --from, --to and --devices say: times are numbers in `unit` or carry their own ("2.5ms"),
/// devices a list of numbers and ranges with both ends ("0,2-5"). Throws Error (bad input) with one
/// fault for each option that says nothing of the kind. Whether the run has that part is left to
/// require_view().
PictureView picture_view(const PictureRequest& request, TimeUnit unit);

/// Throws Error (bad input) if an option of pictures is given: for what draws none.
void reject_picture_options(const PictureRequest& request);

}  // namespace pipesim
