#include "sim/io/trace_tracks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace pipesim {

namespace {

std::size_t index(Device device) { return static_cast<std::size_t>(device.value); }

Device receiver(const TaskGraph& graph, TaskId transfer) {
  const Op& send = graph.op(transfer);
  const int apart = send.kind == OpKind::send_forward ? 1 : -1;
  return graph.problem().device(Stage{send.stage.value + apart}, send.microbatch);
}

std::size_t send_thread(std::size_t device, std::size_t peer) {
  if (peer == device + 1) return 1;
  return peer + 1 == device ? 3 : 5 + 2 * peer;
}

std::size_t receive_thread(std::size_t device, std::size_t peer) {
  if (peer + 1 == device) return 2;
  return peer == device + 1 ? 4 : 6 + 2 * peer;
}

}  // namespace

TraceTracks::TraceTracks(const TaskGraph& graph, const Timeline& timeline) : graph_(graph) {
  if (graph.problem().communication.mode == TransferMode::free) stack(timeline);
}

// Each transfer goes to the lowest level of its two devices that is free when it starts. A sender's
// transfers stand together.
void TraceTracks::stack(const Timeline& timeline) {
  std::vector<TaskId> by_start;  // of one sender
  for (auto id = static_cast<TaskId>(graph_.compute_tasks()); id < graph_.size(); ++id) {
    if (!graph_.is_transfer(id)) continue;
    if (!by_start.empty() && graph_.device(id) != graph_.device(by_start.front())) {
      stack(timeline, by_start);
      by_start.clear();
    }
    by_start.push_back(id);
  }
  stack(timeline, by_start);
}

void TraceTracks::stack(const Timeline& timeline, std::vector<TaskId>& by_start) {
  if (by_start.empty()) return;
  std::sort(by_start.begin(), by_start.end(), [&](TaskId left, TaskId right) {
    const Span& a = timeline.spans[left];
    const Span& b = timeline.spans[right];
    return std::tie(a.start, a.end, left) < std::tie(b.start, b.end, right);
  });
  levels_.resize(graph_.size() - graph_.compute_tasks());
  std::map<Device, std::vector<Ticks>> busy_until;  // by receiver, by level
  for (const TaskId id : by_start) {
    std::vector<Ticks>& ends = busy_until[receiver(graph_, id)];
    const Span& span = timeline.spans[id];
    auto free =
        std::find_if(ends.begin(), ends.end(), [&](Ticks end) { return end <= span.start; });
    if (free == ends.end()) free = ends.insert(free, Ticks{0});
    *free = span.end;
    levels_[id - graph_.compute_tasks()] = static_cast<std::uint32_t>(free - ends.begin());
  }
}

TransferTracks TraceTracks::of(TaskId transfer) const {
  const std::size_t from = index(graph_.device(transfer));
  const std::size_t to = index(receiver(graph_, transfer));
  const std::size_t level = levels_.empty() ? 0 : levels_[transfer - graph_.compute_tasks()];
  const std::size_t higher = level * threads_per_level();
  return {.send = {.device = from, .thread = send_thread(from, to) + higher},
          .receive = {.device = to, .thread = receive_thread(to, from) + higher}};
}

std::string TraceTracks::name(const TraceTrack& track) const {
  const std::size_t thread = track.thread % threads_per_level();
  const std::size_t level = track.thread / threads_per_level();
  if (track.thread == reduction_thread()) return "gradient reduction";
  const std::string higher = level == 0 ? "" : fmt::format(" ({})", level + 1);
  switch (thread) {
    case 1:
      return "send to next" + higher;
    case 2:
      return "receive from previous" + higher;
    case 3:
      return "send to previous" + higher;
    case 4:
      return "receive from next" + higher;
    default:
      return fmt::format("{} device {}{}", thread % 2 == 1 ? "send to" : "receive from",
                         (thread - 5) / 2, higher);
  }
}

}  // namespace pipesim
