// The options of the command line that are alike, as tables.
#pragma once

#include <string>

#include "sim/io/config.hpp"
#include "sim/types.hpp"
#include "tools/driver.hpp"

namespace pipesim {

/// An option that stands for a config key.
struct ConfigOption {
  const char* name;
  const char* type;
  const char* path;
  OverrideKind kind;
  const char* help;
};

inline constexpr ConfigOption kConfigOptions[] = {
    {"-p", "DEVICES", "p", OverrideKind::json_or_text, "devices, one pipeline stage on each"},
    {"-m", "MICROBATCHES", "m", OverrideKind::json_or_text, "microbatches of one step"},
    {"--t-f", "TIME", "t_f", OverrideKind::json_or_text,
     "time of a forward: 2, 2.5ms, or one for each stage: 1,2,3"},
    {"--t-b", "TIME", "t_b", OverrideKind::json_or_text, "time of a backward, likewise"},
    {"--schedule", "SCHEDULE", "schedule", OverrideKind::text, "a schedule of pipesim list"},
    {"--format", "{table,json,csv}", "output.format", OverrideKind::text,
     "the form of the result; table if absent"},
    {"--output", "FILE", "output.file", OverrideKind::text,
     "write the result there, not to stdout"},
    {"--trace", "FILE", "output.trace", OverrideKind::text,
     "write a Chrome trace, for Perfetto and chrome://tracing"},
    {"--trace-per-rank", "DIR", "output.trace_per_rank", OverrideKind::text,
     "write a Chrome trace a device there, as profilers write one a rank"},
    {"--trace-window", "WINDOW", "output.trace_window", OverrideKind::text,
     "traces show a part: from=1ms,to=2ms,microbatches=0-15,devices=0,2-3; any of them"},
    {"--timeline", "FILE", "output.timeline", OverrideKind::text, "write the timeline as CSV"},
    {"--svg", "FILE", "output.svg", OverrideKind::text, "write the timeline as a picture"},
    {"--html", "FILE", "output.html", OverrideKind::text, "write a report as a page for a browser"},
};

/// An option that names the ranges of a kind of op.
struct RangeOption {
  const char* name;
  OpKind kind;
  const char* help;
};

inline constexpr RangeOption kRangeOptions[] = {
    {"--forward-range", OpKind::forward,
     "the name of a forward's range: \"F {stage} {microbatch}\""},
    {"--backward-range", OpKind::backward, "of a full backward's"},
    {"--backward-input-range", OpKind::backward_input, "of an input gradient's"},
    {"--backward-weight-range", OpKind::backward_weight, "of a weight gradient's"},
};

/// An option of pipesim plot.
struct PlotOption {
  const char* name;
  const char* type;
  std::string PlotRequest::*value;
  const char* help;
};

inline constexpr PlotOption kPlotOptions[] = {
    {"--x", "FIELD", &PlotRequest::x, "across: a key of the results or of their config"},
    {"--y", "FIELD", &PlotRequest::y, "upward"},
    {"--z", "FIELD", &PlotRequest::z, "the colour of a heat map"},
    {"--series", "FIELD", &PlotRequest::series, "a line or a mark for each of its values"},
    {"--svg", "FILE", &PlotRequest::svg, "write the picture as SVG; needs gnuplot"},
    {"--html", "FILE", &PlotRequest::html, "write a page that shows values, needs nothing else"},
};

/// The options of pipesim shapes.
inline constexpr ConfigOption kShapesOptions[] = {
    {"--batch", "B", "batch", OverrideKind::json_or_text, "sequences of a microbatch"},
    {"--seq", "S", "seq", OverrideKind::json_or_text, "positions of a sequence"},
    {"--hidden", "D", "hidden", OverrideKind::json_or_text, "size of a position's activation"},
    {"--tp", "RANKS", "tp", OverrideKind::json_or_text, "tensor-parallel ranks"},
    {"--dtype", "{fp32,bf16,fp16,fp8}", "dtype", OverrideKind::text,
     "number format; fp32 if absent"},
    {"--pairing", "{column/row,row/row,column/column,row/column,all}", "pairing",
     OverrideKind::text, "how the two weights of the FFN are split; column/row if absent"},
    {"--ffn", "F", "ffn", OverrideKind::json_or_text,
     "inner size of the FFN; 4 * hidden if absent"},
    {"--heads", "HEADS", "heads", OverrideKind::json_or_text, "adds an attention block"},
    {"--kv-heads", "HEADS", "kv_heads", OverrideKind::json_or_text,
     "heads of keys and values (GQA); as many as heads if absent"},
    {"--vocab", "V", "vocab", OverrideKind::json_or_text, "adds embedding and loss"},
    {"--experts", "EXPERTS", "experts", OverrideKind::json_or_text,
     "a mixture of experts instead of the FFN"},
    {"--top-k", "K", "top_k", OverrideKind::json_or_text, "experts of a token; 1 if absent"},
    {"--ep", "RANKS", "ep", OverrideKind::json_or_text, "expert-parallel ranks; 1 if absent"},
};

}  // namespace pipesim
