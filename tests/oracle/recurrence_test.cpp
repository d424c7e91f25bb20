// The start times once more, by code that knows neither program, graph nor engine: the two
// schedules written out as orders, and time found by repeating the rules until nothing changes.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "sim/engine.hpp"
#include "sim/lower_bound.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

/// (kind letter, stage, microbatch)
using Key = std::tuple<char, int, int>;

std::vector<Key> order_of(const std::string& schedule, int p, int m, int stage) {
  std::vector<Key> order;
  if (schedule == "gpipe") {
    for (int j = 0; j < m; ++j) order.emplace_back('F', stage, j);
    for (int j = 0; j < m; ++j) order.emplace_back('B', stage, j);
    return order;
  }
  int forwards = 0;
  for (int backwards = 0; backwards < m; ++backwards) {
    while (forwards < m && forwards - backwards < p - stage)
      order.emplace_back('F', stage, forwards++);
    order.emplace_back('B', stage, backwards);
  }
  return order;
}

std::map<Key, std::int64_t> starts(const std::string& schedule, const Problem& problem) {
  const int p = problem.devices;
  const int m = problem.microbatches;
  std::map<Key, std::int64_t> start;
  const auto end = [&](const Key& key) {
    const auto& [kind, stage, microbatch] = key;
    const StageCosts& costs = problem.costs[static_cast<std::size_t>(stage)];
    return start[key] + (kind == 'F' ? costs.forward : costs.backward).count;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (int stage = 0; stage < p; ++stage) {
      std::int64_t free = 0;
      for (const Key& key : order_of(schedule, p, m, stage)) {
        const int j = std::get<2>(key);
        std::int64_t at = free;
        if (std::get<0>(key) == 'F') {
          if (stage > 0) at = std::max(at, end({'F', stage - 1, j}));
        } else {
          at = std::max(at, end({'F', stage, j}));
          if (stage + 1 < p) at = std::max(at, end({'B', stage + 1, j}));
        }
        if (start[key] != at) {
          start[key] = at;
          changed = true;
        }
        free = end(key);
      }
    }
  }
  return start;
}

}  // namespace

TEST_SUITE("oracle") {
  TEST_CASE("the engine finds the fixed point of the rules") {
    std::mt19937_64 random(99);
    for (int round = 0; round < 150; ++round) {
      const Problem problem = test::random_problem(random);
      for (const std::string schedule : {"gpipe", "1f1b"}) {
        INFO(schedule, " round ", round);
        const auto expected = starts(schedule, problem);
        const Timeline timeline = simulate(problem, test::program_of(schedule, problem));
        REQUIRE(timeline.spans.size() == expected.size());
        bool equal = true;
        for (const Span& span : timeline.spans) {
          const Key key{letters(span.op.kind)[0], span.op.stage.value, span.op.microbatch.value};
          equal = equal && expected.at(key) == span.start.count;
        }
        CHECK(equal);
      }
    }
  }
}

namespace {

/// The least makespan over every order of every device, by trying them all: each step runs the
/// next op of some device that has an op whose inputs are done.
class BruteForce {
 public:
  explicit BruteForce(const Problem& problem) : problem_(problem) {}

  std::int64_t best() {
    free_.assign(static_cast<std::size_t>(problem_.devices), 0);
    search(0);
    return best_;
  }

 private:
  void search(std::int64_t makespan) {
    if (makespan >= best_) return;
    bool any = false;
    for (int stage = 0; stage < problem_.devices; ++stage) {
      for (int j = 0; j < problem_.microbatches; ++j) {
        for (const char kind : {'F', 'B'}) any = try_op({kind, stage, j}, makespan) || any;
      }
    }
    if (!any) best_ = makespan;
  }

  bool try_op(const Key& key, std::int64_t makespan) {
    const auto [kind, stage, j] = key;
    if (end_.contains(key)) return false;
    auto device = static_cast<std::size_t>(stage);
    std::int64_t at = free_[device];
    const auto after = [&](const Key& input) {
      const auto found = end_.find(input);
      if (found == end_.end()) return false;
      at = std::max(at, found->second);
      return true;
    };
    if (kind == 'F' && stage > 0 && !after({'F', stage - 1, j})) return false;
    if (kind == 'B' && !after({'F', stage, j})) return false;
    if (kind == 'B' && stage + 1 < problem_.devices && !after({'B', stage + 1, j})) return false;
    const StageCosts& costs = problem_.costs[device];
    const std::int64_t before = free_[device];
    free_[device] = end_[key] = at + (kind == 'F' ? costs.forward : costs.backward).count;
    search(std::max(makespan, free_[device]));
    free_[device] = before;
    end_.erase(key);
    return true;
  }

  const Problem& problem_;
  std::vector<std::int64_t> free_;
  std::map<Key, std::int64_t> end_;
  std::int64_t best_ = 1'000'000;
};

}  // namespace

TEST_SUITE("oracle") {
  TEST_CASE("no order of the ops is faster than the lower bound") {
    std::mt19937_64 random(5);
    int tight = 0;
    for (int round = 0; round < 40; ++round) {
      const int p = static_cast<int>(test::draw(random, 1, 2));
      std::vector<StageCosts> costs(static_cast<std::size_t>(p));
      for (StageCosts& stage : costs) {
        stage = {.forward = Ticks{test::draw(random, 1, 5)},
                 .backward = Ticks{test::draw(random, 1, 5)}};
      }
      const Problem problem = test::problem_of(2, costs);
      const std::int64_t best = BruteForce(problem).best();
      const Ticks bound = lower_bound(TaskGraph(problem, test::program_of("1f1b", problem)));
      CHECK(bound.count <= best);
      if (bound.count == best) ++tight;
    }
    CHECK(tight > 10);
  }
}
