#include "sim/io/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/trace_events.hpp"
#include "sim/io/trace_size.hpp"
#include "sim/io/trace_times.hpp"
#include "sim/io/trace_tracks.hpp"
#include "sim/memory.hpp"

namespace pipesim {

namespace {

constexpr int kOpKinds = static_cast<int>(OpKind::release) + 1;

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

/// What stands in a slice by its kind, as far as it is always the same.
struct KindText {
  std::string name;   // `"name":"nccl:SEND_F`, before the microbatch
  std::string style;  // `","cat":"kernel","cname":"rail_load","ts":`, after it
};

/// Writes all devices into one file, or each into its own: then there are as many files as devices
/// shown, even if there is one.
class TraceWriter {
 public:
  TraceWriter(const TaskGraph& graph, const Timeline& timeline, TraceFiles files,
              std::span<OutputFile* const> outputs, const TraceWindow& window, const Phase& phase)
      : graph_(graph),
        timeline_(timeline),
        window_(window),
        is_narrowed_(window != TraceWindow{}),
        phase_(phase),
        tracks_(graph, timeline),
        first_computed_(timeline.devices()),
        first_beside_(timeline.devices()),
        each_device_(files == TraceFiles::each_device) {
    PIPESIM_CHECK(timeline.spans.size() == graph.size());
    for (std::size_t lane = 0; lane < timeline.devices(); ++lane) {
      is_shown_.push_back(window.shows(Device{lane}));
      file_of_device_.push_back(files_.size());
      if (each_device_ && is_shown_[lane]) open(outputs, lane);
    }
    if (!each_device_) open(outputs, 0);
    PIPESIM_CHECK(outputs.size() == files_.size());
    for (int kind = 0; kind < kOpKinds; ++kind) {
      kind_texts_.push_back(kind_text(static_cast<OpKind>(kind)));
    }
  }

  void write() {
    find_tracks();
    for (File& file : files_) write_head(file);
    write_names();
    write_lanes();
    for (auto id = static_cast<TaskId>(graph_.compute_tasks()); id < graph_.size(); ++id) {
      write_beside(id);
      phase_.advance();
    }
    if (memory_rules(graph_.problem()).in_bytes) write_memory();
    for (File& file : files_) {
      file.events.add("\n]}\n");
      file.events.flush();
    }
  }

  /// How many slices were written.
  std::int64_t slices() const { return slices_written_; }

 private:
  struct File {
    EventFile events;
    std::size_t device = 0;  // where it is of one
  };

  void open(std::span<OutputFile* const> outputs, std::size_t device) {
    PIPESIM_CHECK(files_.size() < outputs.size());
    files_.push_back({.events = EventFile(*outputs[files_.size()]), .device = device});
  }

  // Analysers of profiles tell communication by its name, and what ran on a device by "kernel".
  KindText kind_text(OpKind kind) const {
    const KindStyle look = style(kind);
    const bool is_profiled = each_device_ && is_communication(kind);
    return {.name = fmt::format(R"("name":"{}{})", is_profiled ? "nccl:" : "", letters(kind)),
            .style = fmt::format(R"(","cat":"{}","cname":"{}","ts":)",
                                 each_device_ ? "kernel" : look.category, look.color)};
  }

  // Begins an event, if the file does not become too large for viewers.
  EventFile& event(char phase, const TraceTrack& track) {
    EventFile& events = files_[each_device_ ? file_of_device_[track.device] : 0].events;
    if (events.bytes() > kMostTraceBytes) refuse_size();
    events.begin_event(phase, track);
    return events;
  }

  [[noreturn]] void refuse_size() const {
    std::int64_t bytes = 0;
    for (const File& file : files_) bytes = std::max(bytes, file.events.bytes());
    const double expected = static_cast<double>(bytes) * static_cast<double>(slices_) /
                            static_cast<double>(std::max<std::int64_t>(1, slices_written_));
    refuse_trace_of(std::max(bytes, static_cast<std::int64_t>(expected)), "about",
                    each_device_ ? TraceFiles::each_device : TraceFiles::one);
  }

  bool is_shown(const Span& span) const {
    return !is_narrowed_ || window_.shows(span, graph_.problem().slices);
  }
  // Of a task on a compute lane.
  bool is_shown(TaskId task) const {
    return is_shown_[index(graph_.device(task))] && is_shown(timeline_.spans[task]);
  }

  // Calls visit with the tracks on which a task beside the lanes has a slice.
  template <class Visit>
  void visit_tracks_beside(TaskId id, const Visit& visit) const {
    const OpKind kind = graph_.op(id).kind;
    if (kind == OpKind::barrier || kind == OpKind::release || !is_shown(timeline_.spans[id]))
      return;
    if (!graph_.is_transfer(id)) {
      const bool is_beside =
          kind == OpKind::grad_sync && graph_.problem().iterations.overlap_grad_sync;
      const TraceTrack track = {index(graph_.device(id)),
                                is_beside ? tracks_.reduction_thread() : 0};
      if (is_shown_[track.device]) visit(track);
      return;
    }
    const TransferTracks tracks = tracks_.of(id);
    if (is_shown_[tracks.send.device]) visit(tracks.send);
    if (is_shown_[tracks.receive.device]) visit(tracks.receive);
  }

  // Finds the tracks that have slices and when the first of each begins, as viewers see it.
  void find_tracks() {
    const auto add = [this](const TraceTrack& track, const Span& span) {
      constexpr Ticks kShort{2'000'000};
      ++slices_;
      any_short_ = any_short_ || (span.start < span.end && span.end - span.start < kShort);
      std::optional<Ticks>& first = track.thread == 0 ? first_computed_[track.device]
                                                      : first_beside_[track.device][track.thread];
      if ((!first || span.start < *first) && viewed_duration(span, span.start) > Ticks{0}) {
        first = span.start;
      }
    };
    for (std::size_t lane = 0; lane < timeline_.devices(); ++lane) {
      if (!is_shown_[lane]) continue;
      for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
        if (is_shown(*span)) add({lane}, *span);
      }
    }
    for (auto id = static_cast<TaskId>(graph_.compute_tasks()); id < graph_.size(); ++id) {
      visit_tracks_beside(id, [&](const TraceTrack& track) { add(track, timeline_.spans[id]); });
    }
  }

  // What stands before the first that lasts, as viewers see it, counts from itself.
  Ticks first_slice(const TraceTrack& track, const Span& span) const {
    const std::optional<Ticks> first = track.thread == 0
                                           ? first_computed_[track.device]
                                           : first_beside_[track.device].at(track.thread);
    return std::min(first.value_or(span.start), span.start);
  }

  // Holistic Trace Analysis wants to know whose a file is. Catapult takes slices that begin and end
  // within one display unit for nested ones, so short ones need the finer of its two units; in the
  // coarser one, times are easier to read.
  void write_head(File& file) {
    file.events.add('{');
    if (each_device_) {
      file.events.add(R"("distributedInfo":{"rank":)", file.device, R"(,"world_size":)",
                      timeline_.devices(), "},");
    }
    file.events.add(R"("displayTimeUnit":")", any_short_ ? "ns" : "ms", R"(","traceEvents":[)");
  }

  void write_names() {
    for (std::size_t lane = 0; lane < timeline_.devices(); ++lane) {
      if (!is_shown_[lane]) continue;
      const TraceTrack track{lane};
      event('M', track).add(R"("name":"process_name","args":{"name":"device )", lane, "\"}}");
      // Without it Catapult sorts by name: device 10 before device 2.
      event('M', track).add(R"("name":"process_sort_index","args":{"sort_index":)", lane, "}}");
      event('M', track).add(R"("name":"thread_name","args":{"name":"compute"}})");
    }
    for (std::size_t device = 0; device < first_beside_.size(); ++device) {
      for (const auto& [thread, first] : first_beside_[device]) {
        const TraceTrack track{device, thread};
        event('M', track)
            .add(R"("name":"thread_name","args":{"name":")", std::string_view(tracks_.name(track)),
                 "\"}}");
        event('M', track).add(R"("name":"thread_sort_index","args":{"sort_index":)", thread, "}}");
      }
    }
  }

  // Device after device: its slices, then how many activations it has, as they change.
  void write_lanes() {
    std::string_view series;
    std::optional<std::int64_t> written;
    const auto begin = [&](std::size_t lane) {
      write_lane(lane);
      series = counter_series(graph_.problem(), lane);
      written.reset();
    };
    const auto sample = [&](std::size_t lane, const MemoryPoint& point) {
      if (written == point.amount) return;
      event('C', {lane})
          .add(R"("name":"live activations","ts":)", point.time, R"(,"args":{")", series,
               "\":", point.amount, "}}");
      written = point.amount;
    };
    follow_samples(follow_activations, std::vector<std::int64_t>(timeline_.devices()), begin,
                   sample);
  }

  // A slice stands before its arrows: Perfetto reads in file order what happens at one time.
  void write_lane(std::size_t lane) {
    for (const Span* span = timeline_.begin(lane); span != timeline_.end(lane); ++span) {
      phase_.advance();
      if (!is_shown_[lane] || !is_shown(*span)) continue;
      write_slice({lane}, *span);
      write_arrows(lane, span->op);
      if (span->overlapped) write_arrows(lane, *span->overlapped);
    }
  }

  // The arrows that enter and leave an op of a lane: along the stages, forth and back.
  void write_arrows(std::size_t lane, const Op& op) {
    const Role kind = role(op.kind);
    if (each_device_ || (kind != Role::forward && kind != Role::gradient)) return;
    const int step = kind == Role::forward ? 1 : -1;
    for (const ArrowEnd end : {ArrowEnd::enters, ArrowEnd::leaves}) {
      Op consumer = op;
      if (end == ArrowEnd::leaves) consumer.stage = Stage{op.stage.value + step};
      const std::optional<Arrow> arrow = arrow_to(consumer);
      if (!arrow) continue;
      const bool enters = end == ArrowEnd::enters;
      write_arrow_end(end, {lane}, *arrow, enters ? arrow->enters : arrow->leaves);
    }
  }

  // The slices of a task beside the lanes; of a transfer also the arrow's way through them.
  void write_beside(TaskId id) {
    const Span& span = timeline_.spans[id];
    int slices = 0;
    visit_tracks_beside(id, [&](const TraceTrack& track) {
      write_slice(track, span);
      ++slices;
    });
    if (each_device_ || !graph_.is_transfer(id) || slices < 2) return;
    const TransferTracks tracks = tracks_.of(id);
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
  // its ends is not shown or too short to be found.
  std::optional<Arrow> arrow_to(const Op& consumer) const {
    const Role kind = role(consumer.kind);
    const Stage from{consumer.stage.value + (kind == Role::forward ? -1 : 1)};
    const auto exists = [this](Stage stage) {
      return stage >= Stage{0} && stage < Stage{graph_.problem().stages()};
    };
    if (!exists(from) || !exists(consumer.stage)) return std::nullopt;
    const TaskId to = graph_.find(kind, consumer.stage, consumer.microbatch);
    const TaskId producer = graph_.find(kind, from, consumer.microbatch);
    if (is_narrowed_ && !(is_shown(to) && is_shown(producer))) return std::nullopt;
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
    EventFile& events = event(static_cast<char>(end), track);
    events.add(R"("name":")", arrow.name, R"(","cat":")", arrow.name, R"(","id":)", arrow.id,
               R"(,"ts":)", time);
    if (end == ArrowEnd::enters) events.add(R"(,"bp":"e")");
    events.add('}');
  }

  void write_slice(const TraceTrack& track, const Span& span) {
    // speedscope does not nest slices that begin and end at one time.
    const Ticks duration = viewed_duration(span, first_slice(track, span));
    const bool lasts = duration > Ticks{0};
    const KindText& text = kind_texts_[static_cast<std::size_t>(span.op.kind)];
    ++slices_written_;
    EventFile& events = event(lasts ? 'X' : 'i', track);
    events.add(text.name, span.op.microbatch.value);
    if (span.overlapped) {
      events.add('+', letters(span.overlapped->kind), span.overlapped->microbatch.value);
    }
    events.add(text.style, span.start);
    if (lasts) {
      events.add(R"(,"dur":)", duration);
    } else {
      events.add(R"(,"s":"t")");
    }
    events.add(R"(,"args":{)");
    // Analysers of profiles take for a kernel what has a stream.
    if (each_device_) {
      events.add(R"("device":)", track.device, R"(,"stream":)", track.thread, ',');
    }
    events.add(R"("stage":)", span.op.stage.value, R"(,"microbatch":)", span.op.microbatch.value);
    if (span.released_by != Span::kNotReleased) {
      events.add(R"(,"released_by":")");
      add_token(events, timeline_.spans[span.released_by]);
      events.add('"');
    }
    events.add("}}");
  }

  // As token() of its step.
  static void add_token(EventFile& events, const Span& span) {
    const auto add = [&](const Op& op) {
      events.add(op.stage.value, letters(op.kind), op.microbatch.value);
    };
    if (!span.overlapped) return add(span.op);
    events.add('(');
    add(span.op);
    events.add(';');
    add(*span.overlapped);
    events.add(')');
  }

  // What each device holds, in bytes.
  void write_memory() {
    follow_samples(
        follow_memory, resident_memory(graph_.problem()), [](std::size_t) {},
        [&](std::size_t device, const MemoryPoint& point) {
          event('C', {device})
              .add(R"("name":"memory","ts":)", point.time, R"(,"args":{"bytes":)", point.amount,
                   "}}");
        });
  }

  // Device after device, calls begin, and sample with what a shown one holds at the end of every
  // instant of the window, the first being where that begins.
  template <class Follow, class Begin, class Sample>
  void follow_samples(const Follow& follow, const std::vector<std::int64_t>& at_first,
                      const Begin& begin, const Sample& sample) const {
    const Ticks from = window_.from.value_or(Ticks{0});
    std::size_t device = 0;
    MemoryPoint pending;
    const auto begin_device = [&] {
      begin(device);
      pending = {.time = from, .amount = at_first[device]};
    };
    const auto settle = [&] {
      if (is_shown_[device] && (!window_.to || pending.time < *window_.to)) sample(device, pending);
    };
    const auto go_on_to = [&](std::size_t next) {
      while (device < next) {
        settle();
        ++device;
        begin_device();
      }
    };
    begin_device();
    follow(graph_, timeline_, [&](Device of, const MemoryChange& change) {
      go_on_to(index(of));
      const Ticks time = std::max(change.time, from);
      if (time != pending.time) settle();
      pending = {.time = time, .amount = change.amount};
    });
    go_on_to(timeline_.devices() - 1);
    settle();
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  const TraceWindow& window_;
  bool is_narrowed_;
  const Phase& phase_;
  TraceTracks tracks_;
  // When the first slice that lasts, as viewers see it, begins: on the compute thread of each
  // device, and by device on the other threads that have slices.
  std::vector<std::optional<Ticks>> first_computed_;
  std::vector<std::map<std::size_t, std::optional<Ticks>>> first_beside_;
  bool any_short_ = false;
  std::vector<bool> is_shown_;               // by device
  std::vector<std::size_t> file_of_device_;  // where each has its own
  std::vector<File> files_;
  bool each_device_;
  std::vector<KindText> kind_texts_;
  std::int64_t slices_ = 0;  // to be written
  std::int64_t slices_written_ = 0;
};

}  // namespace

std::int64_t write_trace(const TaskGraph& graph, const Timeline& timeline, OutputFile& file,
                         const TraceWindow& window, const Phase& phase) {
  OutputFile* const files[] = {&file};
  TraceWriter writer(graph, timeline, TraceFiles::one, files, window, phase);
  writer.write();
  return writer.slices();
}

void write_rank_traces(const TaskGraph& graph, const Timeline& timeline,
                       std::span<OutputFile* const> files, const TraceWindow& window,
                       const Phase& phase) {
  TraceWriter(graph, timeline, TraceFiles::each_device, files, window, phase).write();
}

}  // namespace pipesim
