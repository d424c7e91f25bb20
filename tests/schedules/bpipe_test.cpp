#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/idle.hpp"
#include "sim/metrics.hpp"
#include "sim/verify_timeline.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

const Schedule& bpipe() { return *find_schedule(builtin_schedules(), "bpipe"); }

Problem problem_of(int p, int m) {
  return test::problem_for(bpipe(), p, m, [](int) { return stage_costs(Ticks{1}, Ticks{2}); });
}

int most_kept(int p) { return (p + 3) / 2; }  // ceil((p + 2) / 2)

std::vector<std::string> names(const LaneOrder& order) {
  std::vector<std::string> result;
  for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
    result.push_back(short_name(cursor.step().op));
  }
  return result;
}

/// The policy, step by step: 1F1B on device x; a forward without room first sends the resident
/// microbatch with the largest index away; a backward whose microbatch is away first makes room in
/// the same way, then fetches it.
std::vector<std::string> by_policy(int p, int x, int m) {
  const std::size_t most = static_cast<std::size_t>(most_kept(p));
  std::vector<std::string> steps;
  std::set<int> resident;
  std::set<int> away;
  const auto make_room = [&] {
    if (resident.size() < most) return;
    const int victim = *resident.rbegin();
    resident.erase(victim);
    away.insert(victim);
    steps.push_back("EVICT" + std::to_string(victim));
  };
  const Problem problem = test::equal_stages(p, m, 1, 2);
  for (const std::string& step :
       names(test::program_of("1f1b", problem).lanes[static_cast<std::size_t>(x)])) {
    const int microbatch = std::stoi(step.substr(1));
    if (step[0] == 'F') {
      make_room();
      resident.insert(microbatch);
    } else {
      if (away.erase(microbatch) > 0) {
        make_room();
        steps.push_back("LOAD" + std::to_string(microbatch));
        resident.insert(microbatch);
      }
      resident.erase(microbatch);
    }
    steps.push_back(step);
  }
  return steps;
}

std::int64_t evictions(const LaneOrder& order) {
  const std::vector<std::string> steps = names(order);
  return std::count_if(steps.begin(), steps.end(),
                       [](const std::string& step) { return step.starts_with("EVICT"); });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the order of bpipe, p=4, m=5") {
    const Program program = test::program_of("bpipe", problem_of(4, 5));
    CHECK(names(program.lanes[0]) == std::vector<std::string>{"F0", "F1", "F2", "EVICT2", "F3",
                                                              "B0", "F4", "B1", "LOAD2", "B2", "B3",
                                                              "B4"});
    CHECK(names(program.lanes[1]) ==
          std::vector<std::string>{"F0", "F1", "F2", "B0", "F3", "B1", "F4", "B2", "B3", "B4"});
  }

  TEST_CASE("bpipe's loops say what its policy does") {
    for (int p = 1; p <= 12; ++p) {
      for (int m = 1; m <= 40; ++m) {
        const Program program = test::program_of("bpipe", problem_of(p, m));
        for (int x = 0; x < p; ++x) {
          CAPTURE(p);
          CAPTURE(m);
          CAPTURE(x);
          CHECK(names(program.lanes[static_cast<std::size_t>(x)]) == by_policy(p, x, m));
        }
      }
    }
  }

  TEST_CASE("bpipe keeps ceil((p+2)/2) activations at most, and 1f1b's time (ICML 2023)") {
    for (const int p : {2, 3, 4, 5, 6, 7, 8, 16}) {
      for (const int m : {1, p - 1, p, 2 * p, 4 * p + 1}) {
        const Problem problem = problem_of(p, m);
        const Program program = test::program_of("bpipe", problem);
        const TaskGraph graph(problem, program);
        const Timeline timeline = simulate(graph);
        CHECK_FALSE(verify_timeline(problem, program, timeline).has_value());
        CHECK(total_time(timeline) == Ticks{3} * (m + p - 1));
        const Metrics metrics = compute_metrics(graph, timeline);
        for (int x = 0; x < p; ++x) {
          CAPTURE(p);
          CAPTURE(m);
          CAPTURE(x);
          const std::int64_t peak = metrics.devices[static_cast<std::size_t>(x)].peak_activations;
          CHECK(peak <= bpipe().peak(problem, {}, Device{x}));
          if (p % 2 == 0 && m >= 2 * p && x < p / 2) {
            CHECK(peak == std::min(most_kept(p), p - x));
            CHECK(metrics.devices[static_cast<std::size_t>(p - 1 - x)].peak_activations <=
                  std::max(p / 2, x + 1));
          }
        }
      }
    }
  }

  TEST_CASE("the checker sees what is loaded before it was evicted") {
    const auto swapped = [](Op op) {
      if (op.kind == OpKind::evict || op.kind == OpKind::load) {
        op.kind = op.kind == OpKind::evict ? OpKind::load : OpKind::evict;
      }
      return op;
    };
    const Problem problem = problem_of(4, 5);
    const Program program = test::program_of("bpipe", problem);
    Timeline timeline = simulate(problem, program);
    for (Span& span : timeline.spans) span.op = swapped(span.op);
    Program of_timeline;
    for (const LaneOrder& lane : program.lanes) {
      LaneOrder& order = of_timeline.lanes.emplace_back();
      for (StepCursor cursor(lane); !cursor.done(); cursor.advance()) {
        order.push_back({Step{swapped(cursor.step().op)}});
      }
    }
    const auto violation = verify_timeline(problem, of_timeline, timeline);
    REQUIRE(violation.has_value());
    CHECK(violation->rule == TimelineRule::precedence);
    CHECK(violation->detail ==
          "0LOAD2 on device 0 starts at 3 ps, before its input 0EVICT2 on device 0 ends at 15 ps");
  }

  TEST_CASE("what each evictor of bpipe sends, F=1, B=2") {
    const auto sent = [](int p, int m) {
      std::vector<std::int64_t> counts;
      for (const LaneOrder& lane : test::program_of("bpipe", problem_of(p, m)).lanes) {
        if (const std::int64_t count = evictions(lane); count > 0) counts.push_back(count);
      }
      return counts;
    };
    CHECK(sent(4, 8) == std::vector<std::int64_t>{2});
    CHECK(sent(4, 16) == std::vector<std::int64_t>{5});
    CHECK(sent(8, 16) == std::vector<std::int64_t>{6, 4, 3});
    CHECK(sent(8, 32) == std::vector<std::int64_t>{12, 10, 6});
  }

  TEST_CASE("bpipe's copies cost time where they have a duration: idle, because of memory") {
    Problem problem = problem_of(4, 8);
    problem.parking.copy_time.assign(4, Ticks{50});
    const Program program = test::program_of("bpipe", problem);
    const TaskGraph graph(problem, program);
    const Timeline timeline = simulate(graph);
    CHECK_FALSE(verify_timeline(problem, program, timeline).has_value());
    const auto parts = idle_parts(graph, timeline);
    CHECK((idle_times(parts[0])[static_cast<std::size_t>(IdleCause::memory)] == 4 * 50));
    CHECK(compute_metrics(graph, timeline).devices[0].busy == Ticks{24});
  }

  TEST_CASE("bpipe refuses to park what a stage recomputes") {
    Problem problem = problem_of(6, 6);
    problem.recompute.assign(6, true);
    CHECK_THROWS_WITH(test::program_of("bpipe", problem),
                      "/recompute: stage 0 recomputes its activations, bpipe parks them; one of "
                      "the two for each stage: bpipe parks on the first devices");
    problem.recompute = {false, false, false, true, true, true};
    CHECK_NOTHROW(test::program_of("bpipe", problem));
  }

  TEST_CASE("bpipe's program does not grow with m") {
    const auto lines = [](int m) {
      const std::string text = to_text(test::program_of("bpipe", problem_of(8, m)));
      return std::count(text.begin(), text.end(), '\n');
    };
    CHECK(lines(100) == lines(10'000));
  }
}
