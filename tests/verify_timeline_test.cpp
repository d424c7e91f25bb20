#include "sim/verify_timeline.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

using Mutation = std::function<void(Timeline&)>;

/// "rule: detail" of the first violation, or "valid".
std::string verdict(const Problem& problem, const Program& program, const Timeline& timeline) {
  const auto violation = verify_timeline(problem, program, timeline);
  if (!violation) return "valid";
  return std::string(name(violation->rule)) + ": " + violation->detail;
}

/// 1f1b, p=2, m=2, F=2, B=4 ticks:
///   device 0: spans 0 to 3: F0 0-2, F1 2-4, B0 8-12, B1 14-18
///   device 1: spans 4 to 7: F0 2-4, B0 4-8, F1 8-10, B1 10-14
std::string verdict_after(const Mutation& mutate) {
  const Problem problem = test::equal_stages(2, 2, 2, 4);
  const Program program = test::program_of("1f1b", problem);
  Timeline timeline = simulate(problem, program);
  mutate(timeline);
  return verdict(problem, program, timeline);
}

void move(Span& span, std::int64_t by) {
  span.start += Ticks{by};
  span.end += Ticks{by};
}

void forget_releases(Timeline& timeline) {
  for (Span& span : timeline.spans) span.released_by = Span::kNotReleased;
}

void erase(Timeline& timeline, std::size_t index) {
  forget_releases(timeline);
  timeline.spans.erase(timeline.spans.begin() + static_cast<std::ptrdiff_t>(index));
  for (std::size_t& begin : timeline.lane_begin) begin -= begin > index ? 1 : 0;
}

/// The definition of a valid execution, by comparing every span with every other.
bool is_valid(const Problem& problem, const Program& program, const Timeline& timeline) {
  struct Placed {
    Span span;
    std::size_t lane;
  };
  std::vector<Placed> all;
  for (std::size_t lane = 0; lane < timeline.devices(); ++lane) {
    for (const Span* span = timeline.begin(lane); span != timeline.end(lane); ++span) {
      all.push_back({*span, lane});
    }
  }
  std::size_t expected = 0;
  const auto find = [&](const Op& op) {
    return std::find_if(all.begin(), all.end(), [&](const Placed& at) { return at.span.op == op; });
  };
  for (std::size_t lane = 0; lane < program.lanes.size(); ++lane) {
    std::vector<Span> before;
    for (StepCursor cursor(program.lanes[lane]); !cursor.done(); cursor.advance(), ++expected) {
      const auto found = find(cursor.step().op);
      if (found == all.end() || found->lane != lane) return false;
      const Span& span = found->span;
      if (span.start < Ticks{0} || span.end != span.start + problem.duration(span.op)) return false;
      for (const Span& earlier : before) {
        if (earlier.end > span.start) return false;
      }
      before.push_back(span);
    }
  }
  if (expected != all.size()) return false;
  for (const Placed& consumer : all) {
    for (const Placed& producer : all) {
      const Op& needs = consumer.span.op;
      const Op& made = producer.span.op;
      if (needs.microbatch != made.microbatch) continue;
      const int apart = needs.stage.value - made.stage.value;
      const bool is_input = made.kind == OpKind::forward
                                ? apart == (needs.kind == OpKind::forward ? 1 : 0) && needs != made
                                : needs.kind == OpKind::backward && apart == -1;
      if (is_input && consumer.span.start < producer.span.end) return false;
    }
  }
  return true;
}

/// Changes one span, or the places of two.
void mutate_one(Timeline& timeline, const Problem& problem, std::mt19937_64& random) {
  const auto size = static_cast<std::int64_t>(timeline.spans.size());
  const auto index = static_cast<std::size_t>(test::draw(random, 0, size - 1));
  Span& span = timeline.spans[index];
  forget_releases(timeline);
  switch (test::draw(random, 0, 6)) {
    case 0:
      return move(span, test::draw(random, -3, 3));
    case 1:
      span.end += Ticks{test::draw(random, -2, 2)};
      return;
    case 2:
      return std::swap(
          span.op, timeline.spans[static_cast<std::size_t>(test::draw(random, 0, size - 1))].op);
    case 3:
      span.op.microbatch = Microbatch{test::draw(random, -1, problem.microbatches)};
      return;
    case 4:
      span.op.stage = Stage{test::draw(random, -1, problem.stages())};
      return;
    case 5:
      return erase(timeline, index);
    default:
      return std::swap(span,
                       timeline.spans[static_cast<std::size_t>(test::draw(random, 0, size - 1))]);
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("verify: what the engine makes is valid") {
    CHECK(verdict_after([](Timeline&) {}) == "valid");
  }

  TEST_CASE("verify: completeness") {
    CHECK(verdict_after([](Timeline& t) { erase(t, 6); }) ==
          "completeness: 1F1 on device 1 is missing");
    CHECK(verdict_after([](Timeline& t) { t.spans[1].op.microbatch = Microbatch{0}; }) ==
          "completeness: 0F0 stands twice, on device 0 and on device 0");
    CHECK(verdict_after([](Timeline& t) { t.spans[5].op.stage = Stage{2}; }) ==
          "completeness: 2B0 on device 1 is not an op of this problem: stages are 0 to 1, "
          "microbatches 0 to 1");
    CHECK(verdict_after([](Timeline& t) { t.spans[0].op.microbatch = Microbatch{-1}; }) ==
          "completeness: 0F-1 on device 0 is not an op of this problem: stages are 0 to 1, "
          "microbatches 0 to 1");
  }

  TEST_CASE("verify: placement") {
    CHECK(verdict_after([](Timeline& t) { --t.lane_begin[1]; }) ==
          "placement: 0B1 stands on device 1, stage 0 is on device 0");
    // A lane that the problem does not have.
    CHECK(verdict_after([](Timeline& t) {
            t.lane_begin = {0, 4, 7, 8};
          }) == "placement: 1B1 stands on device 2, stage 1 is on device 1");
  }

  TEST_CASE("verify: start") {
    CHECK(verdict_after([](Timeline& t) { move(t.spans[0], -1); }) ==
          "start: 0F0 on device 0 starts at -1 ps, before 0");
  }

  TEST_CASE("verify: duration") {
    CHECK(verdict_after([](Timeline& t) { t.spans[7].end += Ticks{1}; }) ==
          "duration: 1B1 on device 1 takes 5 ps, from 10 to 15 ps, but costs 4 ps");
    CHECK(verdict_after([](Timeline& t) { t.spans[7].end = Ticks{9}; }) ==
          "duration: 1B1 on device 1 starts at 10 ps and ends before that, at 9 ps");
    CHECK(verdict_after([](Timeline& t) {
            t.spans[7].start = Ticks{1};
            t.spans[7].end = Ticks{std::numeric_limits<std::int64_t>::min()};
          }).starts_with("duration: 1B1 on device 1 starts at 1 ps and ends before that"));
  }

  TEST_CASE("verify: exclusivity") {
    CHECK(verdict_after([](Timeline& t) { move(t.spans[6], -1); }) ==
          "exclusivity: 1B0 from 4 to 8 ps and 1F1 from 7 to 9 ps overlap on device 1");
    // Not neighbours in the program.
    CHECK(verdict_after([](Timeline& t) { move(t.spans[4], 10); }) ==
          "exclusivity: 1B1 from 10 to 14 ps and 1F0 from 12 to 14 ps overlap on device 1");
  }

  TEST_CASE("verify: order") {
    CHECK(verdict_after([](Timeline& t) {
            std::swap(t.spans[0].op, t.spans[1].op);
            forget_releases(t);
          }) ==
          "order: 0F1 from 0 to 2 ps runs before 0F0 from 2 to 4 ps on device 0, after it in "
          "the program");
  }

  TEST_CASE("verify: precedence") {
    CHECK(verdict_after([](Timeline& t) { move(t.spans[4], -1); }) ==
          "precedence: 1F0 on device 1 starts at 1 ps, before its input 0F0 on device 0 ends at 2 "
          "ps");
    CHECK(verdict_after([](Timeline& t) { move(t.spans[2], -1); }) ==
          "precedence: 0B0 on device 0 starts at 7 ps, before its input 1B0 on device 1 ends at 8 "
          "ps");
  }

  // GPipe's order alone does not keep a backward behind its own forward: here the program does.
  TEST_CASE("verify: precedence of a forward on the same device") {
    const Problem problem = test::equal_stages(1, 2, 2, 4);
    const Program program = {{{backward(Stage{0}, 0), forward(Stage{0}, 0), forward(Stage{0}, 1),
                               backward(Stage{0}, 1)}}};
    Timeline timeline;
    for (StepCursor cursor(program.lanes[0]); !cursor.done(); cursor.advance()) {
      const Ticks start = total_time(timeline);
      timeline.spans.push_back({.op = cursor.step().op,
                                .start = start,
                                .end = start + problem.duration(cursor.step().op)});
    }
    timeline.lane_begin = {0, 4};
    CHECK(verdict(problem, program, timeline) ==
          "precedence: 0B0 on device 0 starts at 0 ps, before its input 0F0 on device 0 ends at 6 "
          "ps");
  }

  TEST_CASE("verify: release") {
    CHECK(verdict_after([](Timeline& t) { move(t.spans[3], 1); }) ==
          "release: 0B1 on device 0 starts at 15 ps, but 1B1 on device 1, which released it, ends "
          "at 14 ps");
    CHECK(verdict_after([](Timeline& t) { t.spans[4].released_by = 7; }) ==
          "release: 1F0 on device 1 is released by 1B1 on device 1, which is neither its input nor "
          "the op before it on its device");
    CHECK(verdict_after([](Timeline& t) { t.spans[4].released_by = 8; }) ==
          "release: 1F0 on device 1 is released by span 8, there are 8");
  }

  TEST_CASE("verify: a device may wait, and nobody need say why") {
    CHECK(verdict_after([](Timeline& t) {
            move(t.spans[3], 5);
            t.spans[3].released_by = Span::kNotReleased;
          }) == "valid");
    CHECK(verdict_after(forget_releases) == "valid");
  }

  TEST_CASE("verify: spans of a lane in any order") {
    CHECK(verdict_after([](Timeline& t) {
            forget_releases(t);
            std::reverse(t.spans.begin() + 4, t.spans.end());
          }) == "valid");
  }

  TEST_CASE("verify: the first violated rule is named, not the first span") {
    CHECK(verdict_after([](Timeline& t) {
            move(t.spans[0], -1);
            t.spans[7].op.stage = Stage{9};
          }).starts_with("completeness: 9B1"));
  }

  TEST_CASE("verify: ops that take no time") {
    const Problem problem = test::equal_stages(2, 3, 0, 4);
    const Program program = test::program_of("gpipe", problem);
    Timeline timeline = simulate(problem, program);
    CHECK(verdict(problem, program, timeline) == "valid");
    // Ties do not decide an order ...
    forget_releases(timeline);
    std::reverse(timeline.spans.begin(), timeline.spans.begin() + 3);
    CHECK(verdict(problem, program, timeline) == "valid");
    // ... but the middle of another op is no place to be.
    Span& last_forward = timeline.spans[8];
    REQUIRE(token(last_forward.op) == "1F2");
    move(last_forward, 1);
    CHECK(verdict(problem, program, timeline) ==
          "exclusivity: 1B0 from 0 to 4 ps and 1F2 from 1 to 1 ps overlap on device 1");
    move(last_forward, 3);
    CHECK(verdict(problem, program, timeline) ==
          "order: 1B0 from 0 to 4 ps runs before 1F2 from 4 to 4 ps on device 1, after it in the "
          "program");
  }

  TEST_CASE("verify: names of the rules") {
    const std::vector<std::string> names = {"completeness", "placement", "start",      "duration",
                                            "exclusivity",  "order",     "precedence", "step_end",
                                            "release",      "memory"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      CHECK(name(static_cast<TimelineRule>(i)) == names[i]);
    }
  }

  TEST_CASE("verify: random problems, one change each") {
    int found = 0;
    int harmless = 0;
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      std::vector<StageCosts> costs(static_cast<std::size_t>(test::draw(random, 1, 4)));
      for (StageCosts& stage : costs) {
        stage = {.forward = Ticks{test::draw(random, 0, 3)},
                 .backward = Ticks{test::draw(random, 0, 3)}};
      }
      costs.back().forward += Ticks{1};
      const Problem problem = test::problem_of(static_cast<int>(test::draw(random, 1, 5)), costs);
      const Program program = test::program_of(seed % 2 == 0 ? "1f1b" : "gpipe", problem);
      Timeline timeline = simulate(problem, program);
      REQUIRE(verdict(problem, program, timeline) == "valid");
      mutate_one(timeline, problem, random);
      const std::string said = verdict(problem, program, timeline);
      CAPTURE(said);
      REQUIRE((said == "valid") == is_valid(problem, program, timeline));
      ++(said == "valid" ? harmless : found);
    }
    CHECK(found > 1000);
    CHECK(harmless > 100);
  }
}
