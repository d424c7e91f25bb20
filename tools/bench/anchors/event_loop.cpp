// (c) A discrete-event simulation as one writes it first: a binary heap of what ends and what
// arrives, and no graph: the workload's order says which op comes next and what it needs. It has no
// order among events of one time, knows two orders of ops and checks nothing.
#include <algorithm>
#include <cstddef>
#include <queue>

#include "tools/bench/anchors/anchors.hpp"

namespace bench {

namespace {

struct Event {
  std::int64_t time = 0;
  std::int32_t stage = 0;
  enum Kind : std::int32_t { end, activation, gradient } kind = end;

  friend bool operator>(const Event& left, const Event& right) { return left.time > right.time; }
};

struct StageState {
  std::int64_t place = 0;  // of the op that runs, or comes next
  bool is_busy = false;
  std::int64_t activations = 0;  // that have arrived
  std::int64_t gradients = 0;
};

class EventLoop {
 public:
  EventLoop(const Workload& workload, Starts& starts)
      : workload_(workload), starts_(starts), stages_(static_cast<std::size_t>(workload.stages)) {
    stages_.front().activations = workload.microbatches;
    stages_.back().gradients = workload.microbatches;
  }

  std::int64_t run() {
    std::int64_t now = 0;
    start(0, now);
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now = event.time;
      event.kind == Event::end ? end(event.stage, now) : arrive(event, now);
    }
    return now;
  }

 private:
  StageState& state(std::int64_t stage) { return stages_[static_cast<std::size_t>(stage)]; }

  void start(std::int64_t stage, std::int64_t now) {
    StageState& at = state(stage);
    if (at.is_busy || at.place == workload_.ops_of_stage()) return;
    const StageOp op = op_at(workload_, stage, at.place);
    if ((op.is_forward ? at.activations : at.gradients) <= op.microbatch) return;
    at.is_busy = true;
    const auto index = static_cast<std::size_t>(stage);
    starts_[index * static_cast<std::size_t>(workload_.ops_of_stage()) +
            static_cast<std::size_t>(at.place)] = now;
    events_.push(
        {.time = now + (op.is_forward ? workload_.forward[index] : workload_.backward[index]),
         .stage = static_cast<std::int32_t>(stage),
         .kind = Event::end});
  }

  void end(std::int64_t stage, std::int64_t now) {
    StageState& at = state(stage);
    const bool is_forward = op_at(workload_, stage, at.place).is_forward;
    at.is_busy = false;
    ++at.place;
    const std::int64_t to = is_forward ? stage + 1 : stage - 1;
    if (to >= 0 && to < workload_.stages) {
      const Event arrival{.time = now + workload_.latency,
                          .stage = static_cast<std::int32_t>(to),
                          .kind = is_forward ? Event::activation : Event::gradient};
      workload_.latency == 0 ? arrive(arrival, now) : events_.push(arrival);
    }
    start(stage, now);
  }

  void arrive(const Event& event, std::int64_t now) {
    StageState& at = state(event.stage);
    ++(event.kind == Event::activation ? at.activations : at.gradients);
    start(event.stage, now);
  }

  const Workload& workload_;
  Starts& starts_;
  std::vector<StageState> stages_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace

std::int64_t event_loop(const Workload& workload, Starts& starts) {
  return EventLoop(workload, starts).run();
}

}  // namespace bench
