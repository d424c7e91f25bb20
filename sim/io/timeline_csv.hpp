// The timeline as a table that other tools read and write.
#pragma once

#include "sim/io/config.hpp"
#include "sim/io/output_file.hpp"
#include "sim/problem.hpp"
#include "sim/timeline.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// Writes the header `device,lane,op,stage,microbatch,start,end,released_by` and one row a span,
/// device after device in the order of execution. Times are exact decimals in `unit`; `lane` is
/// "compute"; `op` the kind's letter; `released_by` the token of the releasing op ("2F0") or empty.
void write_timeline_csv(const Timeline& timeline, TimeUnit unit, OutputFile& file);

/// Reads such a table. Columns are found by their header, in any order; device, op, stage,
/// microbatch, start and end are required, lane and released_by may be missing; other columns,
/// quoted fields, unknown ops, bad numbers and times finer than a tick are faults. A byte order
/// mark, CRLF and a missing final newline are not. Rows may stand in any order; the result has
/// them by device, then by start, then by end, then as they stood, so that what
/// write_timeline_csv() wrote comes back as it was.
///
/// Throws Error (bad input) with the faults (the first 1000 and the number of the others), placed
/// `NAME:LINE:COLUMN`; a faulty header or row hides what depends on it. Stage and microbatch need
/// not exist in the problem: that is verify_timeline()'s business; a device at or above
/// problem.devices is a fault.
Timeline read_timeline_csv(const ConfigText& text, const Problem& problem, TimeUnit unit);

}  // namespace pipesim
