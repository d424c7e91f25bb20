// The future of a simulation, totally ordered.
#pragma once

#include <cstdint>
#include <queue>
#include <string_view>
#include <vector>

#include "sim/task_graph.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// What happens. At one instant all of a class happen before the next class: what ends releases
/// its device and its inputs before anything starts.
enum class EventClass : std::uint8_t {
  finish,   ///< a task ends; its lane is free
  arrival,  ///< a result reaches the task that needs it
  start,    ///< a task begins
  grant     ///< a shared link that is free goes to the first in line
};

/// "finish", "arrival", "start" or "grant".
constexpr std::string_view name(EventClass event_class) {
  switch (event_class) {
    case EventClass::finish:
      return "finish";
    case EventClass::arrival:
      return "arrival";
    case EventClass::start:
      return "start";
    case EventClass::grant:
      return "grant";
  }
  return "";
}

struct Event {
  Ticks time;
  EventClass event_class = EventClass::finish;
  std::uint64_t sequence = 0;  ///< how many events were pushed before it
  TaskId task = kNoTask;       ///< of a grant, a task that asked for the link
};

/// A priority queue in the total order (time, class, sequence). std::priority_queue alone would
/// pop ties in an unspecified order; the sequence makes every run the same.
class EventQueue {
 public:
  bool empty() const { return events_.empty(); }
  void push(Ticks time, EventClass event_class, TaskId task) {
    events_.push({.time = time, .event_class = event_class, .sequence = pushed_++, .task = task});
  }
  /// Removes and returns the first event. Requires !empty().
  Event pop() {
    const Event first = events_.top();
    events_.pop();
    return first;
  }

 private:
  struct Later {
    bool operator()(const Event& left, const Event& right) const {
      if (left.time != right.time) return left.time > right.time;
      if (left.event_class != right.event_class) return left.event_class > right.event_class;
      return left.sequence > right.sequence;
    }
  };

  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::uint64_t pushed_ = 0;
};

}  // namespace pipesim
