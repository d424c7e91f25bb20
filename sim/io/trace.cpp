#include "sim/io/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/picture.hpp"
#include "sim/io/trace_tracks.hpp"
#include "sim/memory.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kBufferedBytes = std::size_t{64} * 1024;

/// What a kind of op is called, and how it is drawn.
struct KindStyle {
  std::string_view category;
  std::string_view color;  // one of the names that Catapult knows; Perfetto ignores them
};

constexpr KindStyle style(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return {"forward", "thread_state_runnable"};
    case OpKind::backward:
      return {"backward", "thread_state_running"};
    case OpKind::backward_input:
      return {"backward_input", "thread_state_running"};
    case OpKind::backward_weight:
      return {"backward_weight", "thread_state_sleeping"};
    case OpKind::recompute:
      return {"recompute", "thread_state_unknown"};
    case OpKind::send_forward:
      return {"send_forward", "rail_load"};
    case OpKind::send_backward:
      return {"send_backward", "rail_load"};
    case OpKind::evict:
    case OpKind::load:
      return {"parking", "rail_load"};
    case OpKind::grad_sync:
      return {"grad_sync", "rail_animation"};
    case OpKind::optimizer:
      return {"optimizer", "rail_idle"};
    case OpKind::barrier:
    case OpKind::release:
      return {"barrier", "grey"};
  }
  return {};
}

std::string microseconds(Ticks ticks) { return format_time(ticks, TimeUnit::us); }

/// What a viewer's JSON parser makes of it.
double parsed(std::string_view decimal) {
  double value = 0;
  std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  return value;
}
double parsed(Ticks ticks) { return parsed(microseconds(ticks)); }

/// Whether a slice is over, as viewers compute it, when the next one may start. speedscope adds in
/// doubles, counted from the first slice of the track; Perfetto cuts both to whole nanoseconds
/// first and drops what overlaps.
bool ends_in_time(double start, double duration, double end, double first) {
  const auto nanoseconds = [](double time) { return std::trunc(time * 1000.0); };
  return start + duration <= end && start - first + duration <= end - first &&
         nanoseconds(start) + nanoseconds(duration) <= nanoseconds(end);
}

/// The duration to write for a slice of a track whose first slice begins at `first`: its own, or
/// less by the few ticks that rounding adds.
Ticks viewed_duration(const Span& span, Ticks first) {
  const double start = parsed(span.start);
  const double end = parsed(span.end);
  Ticks duration = span.end - span.start;
  for (Ticks less{1}; !ends_in_time(start, parsed(duration), end, parsed(first)); less = less * 2) {
    duration = std::max(Ticks{0}, duration - less);
  }
  return duration;
}

/// Where an arrow touches a slice, by the letter of its event's phase.
enum class ArrowEnd : char { leaves = 's', passes = 't', enters = 'f' };

/// When an arrow touches a slice that it leaves or enters: a quarter of it inside, for at its very
/// ends viewers take a neighbour for it. Nothing if the slice, as viewers see it, is too short to
/// have an inside.
std::optional<Ticks> arrow_time(ArrowEnd end, const Span& span, Ticks first) {
  const Ticks quarter{(span.end - span.start).count / 4};
  const Ticks time = end == ArrowEnd::leaves ? span.end - quarter : span.start + quarter;
  const double start = parsed(span.start);
  const double inside = parsed(time);
  if (start < inside && inside < start + parsed(viewed_duration(span, first))) return time;
  return std::nullopt;
}

/// Catapult takes slices that begin and end within one display unit for nested ones, so short ones
/// need the finer of its two units; in the coarser one, times are easier to read.
std::string_view display_unit(const Timeline& timeline) {
  static constexpr Ticks kShort{2'000'000};
  const bool any_short = std::any_of(
      timeline.spans.begin(), timeline.spans.end(),
      [](const Span& span) { return span.start < span.end && span.end - span.start < kShort; });
  return any_short ? "ns" : "ms";
}

/// "microbatches" where a device holds each of them on one stage only.
std::string_view counter_series(const Problem& problem, std::size_t device) {
  const auto here = Device{device};
  const auto& flows = problem.placement.device_of;
  const bool one_stage_each = std::all_of(flows.begin(), flows.end(), [&](const auto& flow) {
    return std::count(flow.begin(), flow.end(), here) <= 1;
  });
  return one_stage_each ? "microbatches" : "chunks";
}

bool is_communication(OpKind kind) {
  return is_send(kind) || is_parking(kind) || kind == OpKind::grad_sync;
}

std::size_t index(Device device) { return static_cast<std::size_t>(device.value); }

std::string step_token(const Span& span) {
  return token(Step{.op = span.op, .overlapped = span.overlapped});
}

/// A file of events.
class EventFile {
 public:
  explicit EventFile(OutputFile& file) : file_(file) {}

  template <class... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Args>(args)...);
    if (buffer_.size() >= kBufferedBytes) flush();
  }

  // One event; `format` gives what follows its phase, process and thread.
  template <class... Args>
  void event(char phase, const TraceTrack& track, fmt::format_string<Args...> format,
             Args&&... args) {
    append("{}\n{{\"ph\":\"{}\",\"pid\":{},\"tid\":{},", separator_, phase, track.device,
           track.thread);
    separator_ = ",";
    append(format, std::forward<Args>(args)...);
    append("}}");
  }

  void flush() {
    file_.write({buffer_.data(), buffer_.size()});
    buffer_.clear();
  }

 private:
  OutputFile& file_;
  fmt::memory_buffer buffer_;
  std::string_view separator_;
};

/// Writes all devices into one file, or each into its own: then there are as many files as devices,
/// even if there is one.
class TraceWriter {
 public:
  enum class Files { one, each_device };

  TraceWriter(const TaskGraph& graph, const Timeline& timeline, Files files,
              std::span<OutputFile* const> outputs, const Phase& phase)
      : graph_(graph),
        timeline_(timeline),
        phase_(phase),
        tracks_(graph, timeline),
        live_activations_(timeline.devices()),
        each_device_(files == Files::each_device) {
    PIPESIM_CHECK(timeline.spans.size() == graph.size());
    PIPESIM_CHECK(outputs.size() == (each_device_ ? timeline.devices() : 1));
    for (OutputFile* output : outputs) files_.emplace_back(*output);
    follow_activations(graph, timeline, [&](Device device, const MemoryChange& change) {
      live_activations_[index(device)].push_back({.time = change.time, .amount = change.amount});
    });
  }

  void write() {
    for (std::size_t i = 0; i < files_.size(); ++i) write_head(i);
    find_first_slices();
    for (std::size_t lane = 0; lane < timeline_.devices(); ++lane) write_names(lane);
    write_lanes_beside();
    for (std::size_t lane = 0; lane < timeline_.devices(); ++lane) {
      write_lane(lane);
      write_counter(lane);
    }
    for (auto id = static_cast<TaskId>(graph_.compute_tasks()); id < graph_.size(); ++id) {
      if (graph_.is_transfer(id)) {
        write_transfer(id);
      } else if (graph_.op(id).kind != OpKind::barrier && graph_.op(id).kind != OpKind::release) {
        write_slice(track_beside(id), timeline_.spans[id]);
      }
      phase_.advance();
    }
    if (memory_rules(graph_.problem()).in_bytes) write_memory();
    for (EventFile& file : files_) {
      file.append("\n]}}\n");
      file.flush();
    }
  }

  /// How many slices were written.
  std::int64_t slices() const { return slices_; }

 private:
  template <class... Args>
  void event(char phase, const TraceTrack& track, fmt::format_string<Args...> format,
             Args&&... args) {
    files_[each_device_ ? track.device : 0].event(phase, track, format,
                                                  std::forward<Args>(args)...);
  }

  // Holistic Trace Analysis wants to know whose a file is.
  void write_head(std::size_t file) {
    const std::string rank =
        each_device_ ? fmt::format(R"("distributedInfo":{{"rank":{},"world_size":{}}},)", file,
                                   timeline_.devices())
                     : "";
    files_[file].append(R"({{{}"displayTimeUnit":"{}","traceEvents":[)", rank,
                        display_unit(timeline_));
  }

  // When the first slice of each track begins.
  void find_first_slices() {
    const auto add = [this](const TraceTrack& track, const Span& span) {
      const auto found = first_slices_.find(track);
      const bool is_first = found == first_slices_.end() || span.start < found->second;
      if (is_first && viewed_duration(span, span.start) > Ticks{0}) {
        first_slices_[track] = span.start;
      }
    };
    for (std::size_t lane = 0; lane < timeline_.devices(); ++lane) {
      for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
        add({lane}, *span);
      }
    }
    for (auto id = static_cast<TaskId>(graph_.compute_tasks()); id < graph_.size(); ++id) {
      if (graph_.is_transfer(id)) {
        const TransferTracks tracks = tracks_.of(id);
        add(tracks.send, timeline_.spans[id]);
        add(tracks.receive, timeline_.spans[id]);
      } else {
        add(track_beside(id), timeline_.spans[id]);
      }
    }
  }

  // What stands before the first that lasts, as viewers see it, counts from itself.
  Ticks first_slice(const TraceTrack& track, const Span& span) const {
    const auto found = first_slices_.find(track);
    return found == first_slices_.end() ? span.start : std::min(found->second, span.start);
  }

  void write_names(std::size_t lane) {
    const TraceTrack track{lane};
    event('M', track, R"("name":"process_name","args":{{"name":"device {}"}})", lane);
    // Without it Catapult sorts by name: device 10 before device 2.
    event('M', track, R"("name":"process_sort_index","args":{{"sort_index":{}}})", lane);
    event('M', track, R"("name":"thread_name","args":{{"name":"compute"}})");
  }

  // The names of the threads that some slice stands on, thread 0 aside.
  void write_lanes_beside() {
    std::map<TraceTrack, std::string> names;
    for (auto id = static_cast<TaskId>(graph_.compute_tasks()); id < graph_.size(); ++id) {
      if (graph_.is_transfer(id)) {
        const TransferTracks tracks = tracks_.of(id);
        for (const TraceTrack& track : {tracks.send, tracks.receive}) {
          if (!names.contains(track)) names.emplace(track, tracks_.name(track));
        }
      } else if (track_beside(id).thread != 0) {
        names.emplace(track_beside(id), "gradient reduction");
      }
    }
    for (const auto& [track, name] : names) {
      event('M', track, R"("name":"thread_name","args":{{"name":"{}"}})", name);
      event('M', track, R"("name":"thread_sort_index","args":{{"sort_index":{}}})", track.thread);
    }
  }

  // Where a gradient reduction or an optimizer stands.
  TraceTrack track_beside(TaskId id) const {
    const bool beside =
        graph_.op(id).kind == OpKind::grad_sync && graph_.problem().iterations.overlap_grad_sync;
    return {index(graph_.device(id)), beside ? tracks_.reduction_thread() : 0};
  }

  // A slice stands before its arrows: Perfetto reads in file order what happens at one time.
  void write_lane(std::size_t lane) {
    for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
      write_slice({lane}, *span);
      write_arrows(*span, span->op);
      if (span->overlapped) write_arrows(*span, *span->overlapped);
      phase_.advance();
    }
  }

  // The arrows that enter and leave an op of a span: along the stages, forth and back.
  void write_arrows(const Span& span, const Op& op) {
    const Role kind = role(op.kind);
    if (each_device_ || (kind != Role::forward && kind != Role::gradient)) return;
    const int step = kind == Role::forward ? 1 : -1;
    for (const ArrowEnd end : {ArrowEnd::enters, ArrowEnd::leaves}) {
      Op consumer = op;
      if (end == ArrowEnd::leaves) consumer.stage = Stage{op.stage.value + step};
      const std::optional<Arrow> arrow = arrow_to(consumer);
      if (!arrow) continue;
      const bool enters = end == ArrowEnd::enters;
      write_arrow_end(end, {index(graph_.problem().device(span.op))}, *arrow,
                      enters ? arrow->enters : arrow->leaves);
    }
  }

  // The slice of a transfer on both its lanes, and the arrow's way through them.
  void write_transfer(TaskId id) {
    const Span& span = timeline_.spans[id];
    const TransferTracks tracks = tracks_.of(id);
    write_slice(tracks.send, span);
    write_slice(tracks.receive, span);
    if (each_device_) return;
    Op consumer = span.op;
    const bool is_forward = span.op.kind == OpKind::send_forward;
    consumer.kind = is_forward ? OpKind::forward : OpKind::backward;
    consumer.stage = Stage{span.op.stage.value + (is_forward ? 1 : -1)};
    const std::optional<Arrow> arrow = arrow_to(consumer);
    const std::optional<Ticks> into =
        pipesim::arrow_time(ArrowEnd::enters, span, first_slice(tracks.send, span));
    const std::optional<Ticks> out =
        pipesim::arrow_time(ArrowEnd::leaves, span, first_slice(tracks.receive, span));
    if (!arrow || !into || !out) return;
    write_arrow_end(ArrowEnd::passes, tracks.send, *arrow, *into);
    write_arrow_end(ArrowEnd::passes, tracks.receive, *arrow, *out);
  }

  /// An arrow from an op to the one that needs its result.
  struct Arrow {
    std::string_view name;
    std::int64_t id = 0;
    Ticks leaves;
    Ticks enters;
  };

  // The arrow into an op of that role, stage and microbatch. Nothing where there is none, or one of
  // its ends is too short to be found.
  std::optional<Arrow> arrow_to(const Op& consumer) const {
    const Role kind = role(consumer.kind);
    const Stage from{consumer.stage.value + (kind == Role::forward ? -1 : 1)};
    const auto exists = [this](Stage stage) {
      return stage >= Stage{0} && stage < Stage{graph_.problem().stages()};
    };
    if (!exists(from) || !exists(consumer.stage)) return std::nullopt;
    const TaskId to = graph_.find(kind, consumer.stage, consumer.microbatch);
    const TaskId producer = graph_.find(kind, from, consumer.microbatch);
    const std::optional<Ticks> leaves = arrow_time(ArrowEnd::leaves, producer);
    const std::optional<Ticks> enters = arrow_time(ArrowEnd::enters, to);
    if (!leaves || !enters) return std::nullopt;
    const bool is_gradient = kind == Role::gradient;
    return Arrow{.name = is_gradient ? "gradient" : "activation",
                 .id = 2 * std::int64_t{to} + (is_gradient ? 2 : 1),
                 .leaves = *leaves,
                 .enters = *enters};
  }

  // Of a task on a compute lane.
  std::optional<Ticks> arrow_time(ArrowEnd end, TaskId task) const {
    const Span& span = timeline_.spans[task];
    return pipesim::arrow_time(end, span, first_slice({index(graph_.device(task))}, span));
  }

  void write_arrow_end(ArrowEnd end, const TraceTrack& track, const Arrow& arrow, Ticks time) {
    event(static_cast<char>(end), track, R"("name":"{}","cat":"{}","id":{},"ts":{}{})", arrow.name,
          arrow.name, arrow.id, microseconds(time), end == ArrowEnd::enters ? R"(,"bp":"e")" : "");
  }

  // Analysers of profiles tell communication by its name.
  std::string_view profiled_prefix(OpKind kind) const {
    return each_device_ && is_communication(kind) ? "nccl:" : "";
  }

  // Analysers of profiles take for a kernel what has a stream.
  std::string profiled_args(const TraceTrack& track) const {
    return each_device_ ? fmt::format(R"("device":{},"stream":{},)", track.device, track.thread)
                        : "";
  }

  void write_slice(const TraceTrack& track, const Span& span) {
    const KindStyle kind = style(span.op.kind);
    const std::string released_by =
        span.released_by == Span::kNotReleased
            ? ""
            : fmt::format(R"(,"released_by":"{}")", step_token(timeline_.spans[span.released_by]));
    // speedscope does not nest slices that begin and end at one time.
    const Ticks duration = viewed_duration(span, first_slice(track, span));
    const std::string extent =
        duration == Ticks{0} ? R"("s":"t")" : fmt::format(R"("dur":{})", microseconds(duration));
    ++slices_;
    event(duration == Ticks{0} ? 'i' : 'X', track,
          R"("name":"{}{}","cat":"{}","cname":"{}","ts":{},{},)"
          R"("args":{{{}"stage":{},"microbatch":{}{}}})",
          profiled_prefix(span.op.kind), step_label({.op = span.op, .overlapped = span.overlapped}),
          each_device_ ? "kernel" : kind.category, kind.color, microseconds(span.start), extent,
          profiled_args(track), span.op.stage.value, span.op.microbatch.value, released_by);
  }

  void write_counter(std::size_t lane) {
    Ticks time;
    std::int64_t live = 0;
    std::optional<std::int64_t> written;
    const std::string_view series = counter_series(graph_.problem(), lane);
    const auto write_settled = [&] {
      if (written == live) return;
      event('C', {lane}, R"("name":"live activations","ts":{},"args":{{"{}":{}}})",
            microseconds(time), series, live);
      written = live;
    };
    for (const MemoryPoint& point : live_activations_[lane]) {
      if (point.time != time) write_settled();
      time = point.time;
      live = point.amount;
    }
    write_settled();
  }

  // What each device holds, in bytes: the last amount of every instant.
  void write_memory() {
    const std::vector<std::int64_t> resident = resident_memory(graph_.problem());
    std::size_t device = 0;
    MemoryPoint pending{.time = Ticks{0}, .amount = resident.front()};
    const auto write_pending = [&] {
      event('C', {device}, R"("name":"memory","ts":{},"args":{{"bytes":{}}})",
            microseconds(pending.time), pending.amount);
    };
    follow_memory(graph_, timeline_, [&](Device of, const MemoryChange& change) {
      for (; device < static_cast<std::size_t>(of.value);
           pending = {.time = Ticks{0}, .amount = resident[++device]}) {
        write_pending();
      }
      if (change.time != pending.time) write_pending();
      pending = {.time = change.time, .amount = change.amount};
    });
    write_pending();
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  const Phase& phase_;
  TraceTracks tracks_;
  std::vector<std::vector<MemoryPoint>> live_activations_;  // by device
  std::map<TraceTrack, Ticks> first_slices_;
  std::vector<EventFile> files_;
  bool each_device_;
  std::int64_t slices_ = 0;
};

}  // namespace

std::int64_t write_trace(const TaskGraph& graph, const Timeline& timeline, OutputFile& file,
                         const Phase& phase) {
  OutputFile* const files[] = {&file};
  TraceWriter writer(graph, timeline, TraceWriter::Files::one, files, phase);
  writer.write();
  return writer.slices();
}

void write_rank_traces(const TaskGraph& graph, const Timeline& timeline,
                       std::span<OutputFile* const> files, const Phase& phase) {
  TraceWriter(graph, timeline, TraceWriter::Files::each_device, files, phase).write();
}

}  // namespace pipesim
