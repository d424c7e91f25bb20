// A simulator that moves time one tick at a time and knows nothing of graphs, events or queues: at
// every tick it starts whatever may start. It checks what the engine decides at run time, above all
// who gets a shared link first.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "tests/clusters.hpp"

using namespace pipesim;

namespace {

struct Job {
  int device = 0;
  std::int64_t duration = 0;
  std::int64_t ready_since = -1;  // when it could have started but for the shared link
  std::int64_t start = -1;

  bool ended(std::int64_t now) const { return start >= 0 && start + duration <= now; }
};

/// Both ways of a microbatch: (is_forward, stage, microbatch).
using Key = std::tuple<bool, int, int>;

class TickSimulator {
 public:
  TickSimulator(const Problem& problem, const Program& program) : problem_(problem) {
    for (const LaneOrder& order : program.lanes) {
      auto& lane = lanes_.emplace_back();
      for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
        const Op op = cursor.step().op;
        lane.push_back(key(op));
        compute_[key(op)] = {.device = device(op.stage.value),
                             .duration = problem.duration(op).count};
      }
    }
    for (const auto& lane : lanes_) {
      for (const Key& producer : lane) add_transfer(producer);
    }
  }

  void run(std::int64_t end) {
    for (std::int64_t now = 0; now <= end; ++now) {
      do {
        while (start_compute(now) || start_unshared(now)) {
        }
      } while (grant(now));
    }
  }

  std::int64_t start(const Op& op) const {
    if (is_compute(op.kind)) return compute_.at(key(op)).start;
    return transfers_.at({op.kind == OpKind::send_forward, op.stage.value, op.microbatch.value})
        .start;
  }

 private:
  static Key key(const Op& op) {
    return {op.kind == OpKind::forward, op.stage.value, op.microbatch.value};
  }
  int device(int stage) const { return problem_.device(Stage{stage}, Microbatch{0}).value; }
  int node(int device) const { return problem_.communication.node(Device{device}); }

  void add_transfer(const Key& producer) {
    const auto [is_forward, stage, microbatch] = producer;
    const int next = stage + (is_forward ? 1 : -1);
    if (next < 0 || next >= problem_.stages() || device(next) == device(stage)) return;
    std::int64_t duration =
        problem_.link(Device{device(stage)}, Device{device(next)}).occupancy.count;
    const auto& shared = problem_.communication.shared_link;
    if (shared && node(device(stage)) != node(device(next))) {
      duration = std::max(duration, shared->count);
    }
    transfers_[producer] = {.device = device(stage), .duration = duration};
    sent_by_[device(stage)].push_back(producer);
  }

  bool arrived(const Key& producer, int to_stage, std::int64_t now) const {
    const auto [is_forward, stage, microbatch] = producer;
    const auto transfer = transfers_.find(producer);
    if (transfer == transfers_.end()) return compute_.at(producer).ended(now);
    const Link link = problem_.link(Device{device(stage)}, Device{device(to_stage)});
    return transfer->second.ended(now - link.latency.count);
  }

  bool has_inputs(const Key& key, std::int64_t now) const {
    const auto [is_forward, stage, microbatch] = key;
    if (is_forward) return stage == 0 || arrived({true, stage - 1, microbatch}, stage, now);
    return compute_.at({true, stage, microbatch}).ended(now) &&
           (stage + 1 == problem_.stages() || arrived({false, stage + 1, microbatch}, stage, now));
  }

  bool start_compute(std::int64_t now) {
    bool any = false;
    for (const auto& lane : lanes_) {
      for (const Key& key : lane) {
        Job& job = compute_[key];
        if (job.ended(now)) continue;
        if (job.start < 0 && has_inputs(key, now)) {
          job.start = now;
          any = true;
        }
        break;
      }
    }
    return any;
  }

  int receiver(const Key& sent) const {
    return device(std::get<1>(sent) + (std::get<0>(sent) ? 1 : -1));
  }

  // Marks transfers that may start, and starts those that need no shared link.
  bool start_unshared(std::int64_t now) {
    bool any = false;
    for (auto& [sender, sent] : sent_by_) {
      std::map<int, bool> link_is_taken;  // by receiver: something earlier is not done
      for (const Key& key : sent) {
        Job& job = transfers_[key];
        bool& taken = link_is_taken[receiver(key)];
        const bool may_start = compute_.at(key).ended(now) &&
                               (problem_.communication.mode == TransferMode::free || !taken);
        if (job.start < 0 && job.ready_since < 0 && may_start) {
          job.ready_since = now;
          any = true;
          if (!shares(key)) job.start = now;
        }
        taken = taken || !job.ended(now);
      }
    }
    return any;
  }

  bool shares(const Key& key) const {
    return problem_.communication.shared_link &&
           node(transfers_.at(key).device) != node(receiver(key));
  }

  // Gives every free link to the first in line: by time, then by device, then in its order.
  bool grant(std::int64_t now) {
    bool any = false;
    const int nodes = node(problem_.devices - 1) + 1;
    for (int of_node = 0; of_node < nodes; ++of_node) {
      Job* first = nullptr;
      bool busy = false;
      for (auto& [sender, sent] : sent_by_) {
        if (node(sender) != of_node) continue;
        for (const Key& key : sent) {
          Job& job = transfers_[key];
          if (!shares(key)) continue;
          if (job.start >= 0 && !job.ended(now)) busy = true;
          const bool waits = job.start < 0 && job.ready_since >= 0;
          if (waits && (first == nullptr || job.ready_since < first->ready_since)) first = &job;
        }
      }
      if (busy || first == nullptr) continue;
      first->start = now;
      any = true;
    }
    return any;
  }

  const Problem& problem_;
  std::vector<std::vector<Key>> lanes_;
  std::map<Key, Job> compute_;
  std::map<Key, Job> transfers_;
  std::map<int, std::vector<Key>> sent_by_;
};

}  // namespace

TEST_SUITE("oracle") {
  TEST_CASE("the engine and a tick simulator agree on who gets a shared link when") {
    std::mt19937_64 random(31);
    int contended = 0;
    for (int round = 0; round < 400; ++round) {
      const TransferMode mode = round % 2 == 0 ? TransferMode::free : TransferMode::async;
      const bool shared = round % 4 < 3;
      if (!shared && mode == TransferMode::free) continue;
      const Problem problem = test::random_cluster(random, mode, shared);
      CAPTURE(round);
      const Program program = test::breadth_first(problem);
      const TaskGraph graph(problem, program);
      const Timeline timeline = simulate(graph);
      TickSimulator ticks(problem, program);
      ticks.run(total_time(timeline).count);
      bool equal = true;
      for (const Span& span : timeline.spans) {
        equal = equal && ticks.start(span.op) == span.start.count;
      }
      CHECK(equal);

      // What was decided at run time, written down as lanes, runs the same without deciding.
      const TaskGraph decided = graph.with_shared_link_orders(timeline.shared_link_orders);
      const Timeline again = simulate(decided);
      const std::vector<Ticks> longest = longest_path_starts(decided);
      bool same = true;
      for (TaskId task = 0; task < graph.size(); ++task) {
        same = same && again.spans[task].start == timeline.spans[task].start &&
               longest[task] == timeline.spans[task].start;
      }
      CHECK(same);
      if (shared && total_time(timeline) > total_time(simulate(
                                               [&] {
                                                 Problem alone = problem;
                                                 alone.communication.shared_link.reset();
                                                 alone.communication.mode = TransferMode::async;
                                                 return alone;
                                               }(),
                                               program))) {
        ++contended;
      }
    }
    CHECK(contended > 50);
  }

  TEST_CASE("where nothing is arbitrated, queue and longest path agree in every mode") {
    std::mt19937_64 random(32);
    for (int round = 0; round < 400; ++round) {
      const TransferMode modes[] = {TransferMode::free, TransferMode::async,
                                    TransferMode::single_stream, TransferMode::rendezvous};
      const Problem problem = test::random_cluster(random, modes[round % 4], false);
      const TaskGraph graph(problem, test::breadth_first(problem));
      if (!find_cycle(graph).empty()) continue;
      const Timeline timeline = simulate(graph);
      const std::vector<Ticks> longest = longest_path_starts(graph);
      bool equal = true;
      for (TaskId task = 0; task < graph.size(); ++task) {
        equal = equal && longest[task] == timeline.spans[task].start;
      }
      CHECK(equal);
    }
  }
}
