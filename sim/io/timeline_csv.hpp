// The timeline as a table that other tools read and write.
#pragma once

#include "sim/io/config.hpp"
#include "sim/io/output_file.hpp"
#include "sim/problem.hpp"
#include "sim/progress.hpp"
#include "sim/timeline.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// Writes the header `device,lane,op,stage,microbatch,start,end,released_by` and one row a span, in
/// the timeline's order. Times are exact decimals in `unit`; `op` is the kind's letters;
/// `released_by` the token of the releasing op ("2F0") or empty. Steps of a compute lane have the
/// lane "compute"; a pair is one row whose op, stage and microbatch hold both values with a
/// semicolon between ("F;B", "0;7", "3;1"), its token is "(0F3;7B1)". Transfers have the lane
/// "send", the sender's device, and the stage and microbatch of the op whose result they carry;
/// gradient reductions, optimizers and barriers the lane "sync". Requires a timeline of that
/// problem. Reports every span to `phase`.
void write_timeline_csv(const Problem& problem, const Timeline& timeline, TimeUnit unit,
                        OutputFile& file, const Phase& phase = {});

/// Reads such a table. Columns are found by their header, in any order; device, op, stage,
/// microbatch, start and end are required, lane and released_by may be missing; other columns,
/// quoted fields, unknown ops, bad numbers and times finer than a tick are faults, and so are a
/// lane that is not the op's, and a device that is not where a transfer comes from. A byte order
/// mark, CRLF and a missing final newline are not. Rows may stand in any order; the result has the
/// compute rows by device, then by start, then by end, then as they stood; then the sends by device
/// in the order of the rows whose results they carry; then the lane "sync" as it stood. So what
/// write_timeline_csv() wrote comes back as it was, but for the orders of shared links, which are
/// not in the table, and that of two barriers with one token released_by means the first.
///
/// Throws Error (bad input) with the faults (the first 1000 and the number of the others), placed
/// `NAME:LINE:COLUMN`; a faulty header or row hides what depends on it. Stage and microbatch need
/// not exist in the problem: that is verify_timeline()'s business; a device at or above
/// problem.devices is a fault.
Timeline read_timeline_csv(const ConfigText& text, const Problem& problem, TimeUnit unit);

}  // namespace pipesim
