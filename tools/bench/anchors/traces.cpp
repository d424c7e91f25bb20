// (g) The events of a Chrome trace as one writes them first: a call of fmt::format_to for each, and
// a document of nlohmann/json that is built and dumped. The same keys as pipesim's. They do not
// look at how viewers round, and arrows have no partner.
#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/bench/anchors/anchors.hpp"

namespace bench {

namespace {

constexpr std::int64_t kTicksOfMicrosecond = 1'000'000;

void append_time(fmt::memory_buffer& out, std::int64_t ticks) {
  const std::int64_t whole = ticks / kTicksOfMicrosecond;
  const std::int64_t rest = ticks % kTicksOfMicrosecond;
  if (rest == 0) {
    fmt::format_to(std::back_inserter(out), "{}", whole);
  } else {
    fmt::format_to(std::back_inserter(out), "{}.{:06}", whole, rest);
  }
}

double microseconds(std::int64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(kTicksOfMicrosecond);
}

char letter(const StageOp& op) { return op.is_forward ? 'F' : 'B'; }
const char* category(const StageOp& op) { return op.is_forward ? "forward" : "backward"; }
const char* color(const StageOp& op) {
  return op.is_forward ? "thread_state_runnable" : "thread_state_running";
}
const char* arrow(const StageOp& op) { return op.is_forward ? "activation" : "gradient"; }

std::string token(const Slice& slice) {
  return fmt::format("{}{}{}", slice.stage, letter(slice.op), slice.op.microbatch);
}

}  // namespace

std::int64_t fmt_trace(const std::vector<Slice>& slices) {
  constexpr std::size_t kBufferedBytes = std::size_t{64} * 1024;
  std::int64_t bytes = 0;
  fmt::memory_buffer out;
  const auto at = std::back_inserter(out);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const Slice& slice = slices[i];
    fmt::format_to(at, R"({{"ph":"X","pid":{},"tid":0,"name":"{}{}","cat":"{}","cname":"{}","ts":)",
                   slice.stage, letter(slice.op), slice.op.microbatch, category(slice.op),
                   color(slice.op));
    append_time(out, slice.start);
    fmt::format_to(at, R"(,"dur":)");
    append_time(out, slice.duration);
    fmt::format_to(at, R"(,"args":{{"stage":{},"microbatch":{})", slice.stage, slice.op.microbatch);
    if (slice.released_by >= 0) {
      const Slice& by = slices[static_cast<std::size_t>(slice.released_by)];
      fmt::format_to(at, R"(,"released_by":"{}{}{}")", by.stage, letter(by.op), by.op.microbatch);
    }
    fmt::format_to(at, "}}}},\n");
    for (const char phase : {'f', 's'}) {
      fmt::format_to(at, R"({{"ph":"{}","pid":{},"tid":0,"name":"{}","cat":"{}","id":{},"ts":)",
                     phase, slice.stage, arrow(slice.op), arrow(slice.op), i);
      append_time(out, slice.start + slice.duration / 4);
      fmt::format_to(at, "{}}},\n", phase == 'f' ? R"(,"bp":"e")" : "");
    }
    fmt::format_to(at, R"({{"ph":"C","pid":{},"tid":0,"name":"live activations","ts":)",
                   slice.stage);
    append_time(out, slice.start);
    fmt::format_to(at,
                   R"(,"args":{{"microbatches":{}}}}},)"
                   "\n",
                   slice.op.is_forward ? 1 : 0);
    if (out.size() >= kBufferedBytes) {
      bytes += static_cast<std::int64_t>(out.size());
      out.clear();
    }
  }
  return bytes + static_cast<std::int64_t>(out.size());
}

std::int64_t json_trace(const std::vector<Slice>& slices) {
  using Json = nlohmann::json;
  Json events = Json::array();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const Slice& slice = slices[i];
    Json args = {{"stage", slice.stage}, {"microbatch", slice.op.microbatch}};
    if (slice.released_by >= 0) {
      args["released_by"] = token(slices[static_cast<std::size_t>(slice.released_by)]);
    }
    events.push_back({{"ph", "X"},
                      {"pid", slice.stage},
                      {"tid", 0},
                      {"name", fmt::format("{}{}", letter(slice.op), slice.op.microbatch)},
                      {"cat", category(slice.op)},
                      {"cname", color(slice.op)},
                      {"ts", microseconds(slice.start)},
                      {"dur", microseconds(slice.duration)},
                      {"args", std::move(args)}});
    for (const char* phase : {"f", "s"}) {
      events.push_back({{"ph", phase},
                        {"pid", slice.stage},
                        {"tid", 0},
                        {"name", arrow(slice.op)},
                        {"cat", arrow(slice.op)},
                        {"id", i},
                        {"ts", microseconds(slice.start + slice.duration / 4)}});
    }
    events.push_back({{"ph", "C"},
                      {"pid", slice.stage},
                      {"tid", 0},
                      {"name", "live activations"},
                      {"ts", microseconds(slice.start)},
                      {"args", {{"microbatches", slice.op.is_forward ? 1 : 0}}}});
  }
  const Json document = {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  return static_cast<std::int64_t>(document.dump().size());
}

}  // namespace bench
