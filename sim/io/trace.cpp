#include "sim/io/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sim/error.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kBufferedBytes = std::size_t{64} * 1024;

/// What a kind of op is called, and how it is drawn.
struct KindStyle {
  std::string_view category;
  std::string_view color;   // one of the names that Catapult knows; Perfetto ignores them
  std::string_view result;  // what it hands on to the next stage
};

constexpr KindStyle style(OpKind kind) {
  return kind == OpKind::forward ? KindStyle{"forward", "thread_state_runnable", "activation"}
                                 : KindStyle{"backward", "thread_state_running", "gradient"};
}

std::string microseconds(Ticks ticks) { return format_time(ticks, TimeUnit::us); }

/// What a viewer's JSON parser makes of it.
double parsed(std::string_view decimal) {
  double value = 0;
  std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  return value;
}
double parsed(Ticks ticks) { return parsed(microseconds(ticks)); }

/// Whether a slice is over, as viewers compute it, when the next one may start. speedscope adds
/// in doubles; Perfetto cuts both to whole nanoseconds first and drops what overlaps.
bool ends_in_time(double start, double duration, double end) {
  const auto nanoseconds = [](double time) { return std::trunc(time * 1000.0); };
  return start + duration <= end && nanoseconds(start) + nanoseconds(duration) <= nanoseconds(end);
}

/// The duration to write for a slice: its own, or less by the few ticks that rounding adds.
Ticks viewed_duration(const Span& span) {
  const double start = parsed(span.start);
  const double end = parsed(span.end);
  Ticks duration = span.end - span.start;
  for (Ticks less{1}; !ends_in_time(start, parsed(duration), end); less = less * 2) {
    duration = std::max(Ticks{0}, duration - less);
  }
  return duration;
}

/// One end of an arrow, by the letter of its event's phase.
enum class ArrowEnd : char { leaves = 's', enters = 'f' };

/// Where an arrow touches a slice: a quarter of it inside, for at its very ends viewers take a
/// neighbour for it. Nothing if the slice, as viewers see it, is too short to have an inside.
std::optional<Ticks> arrow_time(ArrowEnd end, const Span& span) {
  const Ticks quarter{(span.end - span.start).count / 4};
  const Ticks time = end == ArrowEnd::leaves ? span.end - quarter : span.start + quarter;
  const double start = parsed(span.start);
  const double inside = parsed(time);
  if (start < inside && inside < start + parsed(viewed_duration(span))) return time;
  return std::nullopt;
}

/// The op that does the same `steps` stages further along the data's way: a forward's result goes
/// to the stage after it, a backward's to the one before it. Nothing where the way ends.
std::optional<Op> moved(const Problem& problem, Op op, int steps) {
  op.stage = Stage{op.stage.value + (op.kind == OpKind::forward ? steps : -steps)};
  if (op.stage < Stage{0} || op.stage >= Stage{problem.stages()}) return std::nullopt;
  return op;
}

/// Catapult takes slices that begin and end within one display unit for nested ones, so short ops
/// need the finer of its two units; in the coarser one, times are easier to read.
std::string_view display_unit(const Problem& problem) {
  constexpr Ticks kShort{2'000'000};
  for (const StageCosts& costs : problem.costs) {
    for (const Ticks cost : {costs.forward, costs.backward}) {
      if (cost > Ticks{0} && cost < kShort) return "ns";
    }
  }
  return "ms";
}

class TraceWriter {
 public:
  TraceWriter(const TaskGraph& graph, const Timeline& timeline, OutputFile& file)
      : graph_(graph), timeline_(timeline), file_(file) {}

  void write() {
    append(R"({{"displayTimeUnit":"{}","traceEvents":[)", display_unit(graph_.problem()));
    for (std::size_t lane = 0; lane < timeline_.lanes(); ++lane) write_names(lane);
    for (std::size_t lane = 0; lane < timeline_.lanes(); ++lane) {
      write_lane(lane);
      write_counter(lane);
    }
    append("\n]}}\n");
    flush();
  }

 private:
  template <class... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Args>(args)...);
    if (buffer_.size() >= kBufferedBytes) flush();
  }

  // One event; `format` gives what follows its phase, process and thread.
  template <class... Args>
  void event(char phase, std::size_t lane, fmt::format_string<Args...> format, Args&&... args) {
    append("{}\n{{\"ph\":\"{}\",\"pid\":{},\"tid\":0,", separator_, phase, lane);
    separator_ = ",";
    append(format, std::forward<Args>(args)...);
    append("}}");
  }

  void flush() {
    file_.write({buffer_.data(), buffer_.size()});
    buffer_.clear();
  }

  void write_names(std::size_t lane) {
    event('M', lane, R"("name":"process_name","args":{{"name":"device {}"}})", lane);
    // Without it Catapult sorts by name: device 10 before device 2.
    event('M', lane, R"("name":"process_sort_index","args":{{"sort_index":{}}})", lane);
    event('M', lane, R"("name":"thread_name","args":{{"name":"compute"}})");
  }

  // A slice stands before its arrows: Perfetto reads in file order what happens at one time.
  void write_lane(std::size_t lane) {
    for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
      write_slice(lane, *span);
      if (const auto producer = moved(graph_.problem(), span->op, -1)) {
        write_arrow(ArrowEnd::enters, span_of(*producer), *span);
      }
      if (const auto consumer = moved(graph_.problem(), span->op, 1)) {
        write_arrow(ArrowEnd::leaves, *span, span_of(*consumer));
      }
    }
  }

  void write_slice(std::size_t lane, const Span& span) {
    const KindStyle kind = style(span.op.kind);
    const std::string released_by =
        span.released_by == Span::kNotReleased
            ? ""
            : fmt::format(R"(,"released_by":"{}")", token(timeline_.spans[span.released_by].op));
    event('X', lane,
          R"("name":"{}","cat":"{}","cname":"{}","ts":{},"dur":{},)"
          R"("args":{{"stage":{},"microbatch":{}{}}})",
          short_name(span.op), kind.category, kind.color, microseconds(span.start),
          microseconds(viewed_duration(span)), span.op.stage.value, span.op.microbatch.value,
          released_by);
  }

  void write_arrow(ArrowEnd end, const Span& producer, const Span& consumer) {
    const std::optional<Ticks> leaves = arrow_time(ArrowEnd::leaves, producer);
    const std::optional<Ticks> enters = arrow_time(ArrowEnd::enters, consumer);
    if (!leaves || !enters) return;
    const bool at_consumer = end == ArrowEnd::enters;
    const TaskId task = graph_.task(consumer.op);
    const std::string_view name = style(producer.op.kind).result;
    event(static_cast<char>(end), graph_.lane(at_consumer ? task : graph_.task(producer.op)),
          R"("name":"{}","cat":"{}","id":{},"ts":{}{})", name, name, std::int64_t{task} + 1,
          microseconds(at_consumer ? *enters : *leaves), at_consumer ? R"(,"bp":"e")" : "");
  }

  // The spans of a lane follow each other, so the counter's changes come in the order of time.
  void write_counter(std::size_t lane) {
    Ticks time;
    std::int64_t live = 0;
    std::optional<std::int64_t> written;
    const auto write_settled = [&] {
      if (written == live) return;
      event('C', lane, R"("name":"live activations","ts":{},"args":{{"microbatches":{}}})",
            microseconds(time), live);
      written = live;
    };
    const auto change = [&](Ticks when, std::int64_t by) {
      if (when != time) write_settled();
      time = when;
      live += by;
    };
    for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
      if (span->op.kind == OpKind::forward) {
        change(span->start, 1);
      } else {
        change(span->end, -1);
      }
    }
    write_settled();
  }

  const Span& span_of(const Op& op) const { return timeline_.spans[graph_.task(op)]; }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  OutputFile& file_;
  fmt::memory_buffer buffer_;
  std::string_view separator_;
};

}  // namespace

void write_trace(const TaskGraph& graph, const Timeline& timeline, OutputFile& file) {
  PIPESIM_CHECK(timeline.spans.size() == graph.size());
  TraceWriter(graph, timeline, file).write();
}

}  // namespace pipesim
