// Measured times of stages from traces of the PyTorch profiler.
//
// The format: torch.profiler's export_chrome_trace()
// (https://pytorch.org/docs/stable/profiler.html) has Kineto write it,
// libkineto/src/output_json.cpp in https://github.com/pytorch/kineto: the "trace event format" of
// Chrome, an object whose "traceEvents" holds, of each range that ran, a complete event {"ph": "X",
// "cat", "name", "pid", "tid", "ts", "dur", "args"}, with ts and dur in microseconds and three
// places. "cat" is the activity: "user_annotation" is a torch.profiler.record_function() on the
// CPU, "gpu_user_annotation" the time from the first to the last kernel that it launched (its dur
// is written 2 ns longer than that), "cpu_op" an operator. "distributedInfo" names the rank that
// wrote the file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/io/config.hpp"
#include "sim/io/config_sections.hpp"
#include "sim/io/range_pattern.hpp"

namespace pipesim {

/// In the order in which they are preferred.
enum class RangeCategory { gpu_user_annotation, user_annotation, cpu_op };

/// As in a trace: "gpu_user_annotation", "user_annotation" or "cpu_op".
std::string_view name(RangeCategory category);

/// The category with that name, or nothing.
std::optional<RangeCategory> range_category(std::string_view name);

/// The names of the ranges that are ops of one kind.
struct OpRanges {
  OpKind kind = OpKind::forward;
  std::vector<RangePattern> patterns;
};

/// "forward stage 2", "forward stage 2 microbatch 5", "backward stage 2", ..., "input gradient
/// stage 2", "weight gradient stage 2", and what torch.distributed.pipelining calls the actions of
/// its schedules (_get_profiler_function_name() of torch/distributed/pipelining/schedules.py):
/// "PP:2F5", "PP:2B5", "PP:2I5", "PP:2W5".
std::vector<OpRanges> default_ranges();

struct KinetoTimes {
  std::vector<CostRow> rows;  ///< as they stand in the files
  RangeCategory category = RangeCategory::user_annotation;
};

/// The durations of all ranges with such names in the traces, one file a rank or one of all; those
/// of one category: the one that is asked for, else the first of RangeCategory that has any,
/// because a GPU's work ends long after the CPU has launched it. A range whose name has no stage
/// belongs to the stage of its rank: the file's distributedInfo.rank, else the event's pid.
/// Durations are exact. Throws Error (bad input), placed NAME:LINE:COLUMN, if a file is no such
/// trace or no range has such a name.
KinetoTimes read_kineto(std::span<const ConfigText> files, std::span<const OpRanges> ranges,
                        std::optional<RangeCategory> category);

}  // namespace pipesim
