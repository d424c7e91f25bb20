// verify_timeline over the whole timing model: lanes of transfers, pairs, split backwards.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/verify_timeline.hpp"
#include "tests/problems.hpp"
#include "tests/random_runs.hpp"
#include "tests/timeline_judge.hpp"

using namespace pipesim;

namespace {

using Mutation = std::function<void(Timeline&)>;

/// "rule: detail" of the first violation, or "valid".
std::string verdict(const Problem& problem, const Program& program, const Timeline& timeline) {
  const auto violation = verify_timeline(problem, program, timeline);
  if (!violation) return "valid";
  return std::string(name(violation->rule)) + ": " + violation->detail;
}

void move(Span& span, std::int64_t by) {
  span.start += Ticks{by};
  span.end += Ticks{by};
}

void forget_releases(Timeline& timeline) {
  for (Span& span : timeline.spans) span.released_by = Span::kNotReleased;
}

/// What the engine makes of it, changed.
std::string verdict_after(const test::Run& run, const Mutation& mutate) {
  Timeline timeline = simulate(run.problem, run.program);
  mutate(timeline);
  return verdict(run.problem, run.program, timeline);
}

/// gpipe, p=2, m=2, F=2, B=4, a hop: latency 1, occupancy 3 ticks.
test::Run two_devices(TransferMode mode) {
  Problem problem = test::equal_stages(2, 2, 2, 4);
  problem.communication.mode = mode;
  problem.communication.intra = {.latency = Ticks{1}, .occupancy = Ticks{3}};
  problem.communication.inter = problem.communication.intra;
  Program program = test::program_of("gpipe", problem);
  return {.problem = std::move(problem), .program = std::move(program)};
}

/// gpipe, p=4, m=3, F=2, B=4: devices 0 and 1, which have stages 0 and 2, are a node, 2 and 3
/// another: every hop leaves its node and needs the node's link for 3 ticks.
test::Run shared_link(TransferMode mode) {
  Problem problem = test::equal_stages(4, 1, 2, 4);
  problem.placement.device_of = {{Device{0}, Device{2}, Device{1}, Device{3}}};
  problem.communication.mode = mode;
  problem.communication.devices_per_node = 2;
  problem.communication.inter = {.latency = Ticks{1}, .occupancy = Ticks{1}};
  problem.communication.shared_link = Ticks{3};
  problem.microbatches = 3;
  Program program;
  for (const int stage : {0, 2, 1, 3}) {
    program.lanes.push_back(
        {repeat(3, {forward(Stage{stage}, 0)}), repeat(3, {backward(Stage{stage}, 0)})});
  }
  return {.problem = std::move(problem), .program = std::move(program)};
}

Span& span_of(Timeline& timeline, const std::string& wanted) {
  const auto found =
      std::find_if(timeline.spans.begin(), timeline.spans.end(), [&](const Span& span) {
        return token(Step{.op = span.op, .overlapped = span.overlapped}) == wanted;
      });
  REQUIRE(found != timeline.spans.end());
  return *found;
}

Mutation moving(const std::string& wanted, std::int64_t by) {
  return [wanted, by](Timeline& timeline) {
    forget_releases(timeline);
    move(span_of(timeline, wanted), by);
  };
}

std::string times(Timeline& timeline, const std::string& wanted) {
  const Span& span = span_of(timeline, wanted);
  return std::to_string(span.start.count) + "-" + std::to_string(span.end.count);
}

/// The transfers go, whatever comes after them stays.
void erase_transfers(Timeline& timeline) {
  forget_releases(timeline);
  timeline.spans.resize(timeline.lane_begin.back());
}

/// Changes one span, or the places of two.
void mutate_one(Timeline& timeline, const Problem& problem, std::mt19937_64& random) {
  const auto size = static_cast<std::int64_t>(timeline.spans.size());
  const auto any = [&]() -> Span& {
    return timeline.spans[static_cast<std::size_t>(test::draw(random, 0, size - 1))];
  };
  Span& span = any();
  forget_releases(timeline);
  switch (test::draw(random, 0, 8)) {
    case 0:
      span.end += Ticks{test::draw(random, -2, 2)};
      return;
    case 1:
      return std::swap(span.op, any().op);
    case 2:
      span.op.microbatch = Microbatch{test::draw(random, -1, problem.total_microbatches())};
      return;
    case 3:
      span.op.stage = Stage{test::draw(random, -1, problem.stages())};
      return;
    case 4:
      span.op.kind = static_cast<OpKind>(test::draw(random, 0, 6));
      return;
    case 5:
      return std::swap(span, any());
    case 6:
      span.overlapped.reset();
      return;
    default:
      return move(span, test::draw(random, -4, 4));
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("verify: a link does one thing at a time") {
    const test::Run run = two_devices(TransferMode::async);
    Timeline timeline = simulate(run.problem, run.program);
    CHECK(times(timeline, "0SEND_F0") == "2-5");
    CHECK(times(timeline, "0SEND_F1") == "5-8");
    CHECK(times(timeline, "1F1") == "9-11");
    CHECK(verdict(run.problem, run.program, timeline) == "valid");
    CHECK(verdict_after(run, moving("0SEND_F1", -1)) ==
          "exclusivity: 0SEND_F0 from 2 to 5 ps and 0SEND_F1 from 4 to 7 ps overlap on the link "
          "from device 0 to 1");
    CHECK(verdict_after(run, moving("0SEND_F0", -1)) ==
          "precedence: 0SEND_F0 from device 0 to 1 starts at 1 ps, before its input 0F0 on device "
          "0 ends at 2 ps");
    // It is there a latency after it left its link.
    CHECK(verdict_after(run, moving("1F0", -1)) ==
          "precedence: 1F0 on device 1 starts at 5 ps, before its input 0SEND_F0 from device 0 to "
          "1 is there: it ends at 5 ps and takes 1 ps more");
  }

  TEST_CASE("verify: transfers are complete, in their place, and as long as they are") {
    const test::Run run = two_devices(TransferMode::async);
    CHECK(verdict_after(run, [](Timeline& t) {
            forget_releases(t);
            t.spans.pop_back();
          }) == "completeness: 1SEND_B1 from device 1 to 0 is missing");
    CHECK(verdict_after(run, [](Timeline& t) {
            span_of(t, "0SEND_F1").op.microbatch = Microbatch{0};
          }) == "completeness: 0SEND_F0 stands twice, among the transfers and among the transfers");
    CHECK(verdict_after(run, [](Timeline& t) { span_of(t, "0SEND_F1").op.stage = Stage{1}; }) ==
          "completeness: 1SEND_F1 among the transfers is not in the program, nor a transfer it "
          "needs");
    CHECK(verdict_after(two_devices(TransferMode::free),
                        [](Timeline& t) { t.spans[0].op.kind = OpKind::send_forward; }) ==
          "completeness: 0SEND_F0 on device 0 is not in the program, nor a transfer it needs");
    CHECK(verdict_after(run, [](Timeline& t) { --t.lane_begin.back(); }) ==
          "placement: 1B1 stands among the transfers, but is computed");
    CHECK(verdict_after(run, [](Timeline& t) { ++t.lane_begin.back(); }) ==
          "placement: 0SEND_F0 stands on device 1, but is not computed");
    CHECK(verdict_after(run, [](Timeline& t) { move(span_of(t, "0SEND_F0"), -3); }) ==
          "start: 0SEND_F0 from device 0 to 1 starts at -1 ps, before 0");
    CHECK(verdict_after(run, [](Timeline& t) { span_of(t, "0SEND_F0").end += Ticks{1}; }) ==
          "duration: 0SEND_F0 from device 0 to 1 takes 4 ps, from 2 to 6 ps, but costs 3 ps");
    CHECK(verdict_after(two_devices(TransferMode::single_stream), [](Timeline& t) {
            span_of(t, "0SEND_F0").end -= Ticks{1};
          }) == "duration: 0SEND_F0 from device 0 to 1 takes 3 ps, from 2 to 5 ps, but costs 4 ps");
  }

  TEST_CASE("verify: a stream does one thing at a time, either way") {
    test::Run run = two_devices(TransferMode::single_stream);
    run.program = {{{repeat(2, {forward(Stage{0}, 0)}), repeat(2, {backward(Stage{0}, 0)})},
                    {repeat(2, {forward(Stage{1}, 0), backward(Stage{1}, 0)})}}};
    Timeline timeline = simulate(run.problem, run.program);
    CHECK(verdict(run.problem, run.program, timeline) == "valid");
    CHECK(times(timeline, "0SEND_F1") == "6-10");
    CHECK(times(timeline, "1SEND_B0") == "12-16");
    CHECK(times(timeline, "1B1") == "14-18");
    CHECK(verdict_after(run,
                        [](Timeline& t) {
                          forget_releases(t);
                          move(span_of(t, "0SEND_F1"), 3);
                          move(span_of(t, "1F1"), 10);
                          move(span_of(t, "1B1"), 10);
                          move(span_of(t, "1SEND_B1"), 10);
                          move(span_of(t, "0B1"), 10);
                        }) ==
          "exclusivity: 0SEND_F1 from 9 to 13 ps and 1SEND_B0 from 12 to 16 ps overlap on the "
          "stream of device 0");
  }

  TEST_CASE("verify: a rendezvous occupies both devices") {
    const test::Run run = two_devices(TransferMode::rendezvous);
    Timeline timeline = simulate(run.problem, run.program);
    CHECK(times(timeline, "0SEND_F0") == "2-6");
    CHECK(times(timeline, "0F1") == "6-8");
    CHECK(times(timeline, "1F0") == "6-8");
    CHECK(verdict(run.problem, run.program, timeline) == "valid");
    CHECK(verdict_after(run, moving("0F1", -1)) ==
          "exclusivity: 0SEND_F0 from 2 to 6 ps and 0F1 from 5 to 7 ps overlap on device 0");
    CHECK(verdict_after(run, moving("1F0", -1)) ==
          "exclusivity: 0SEND_F0 from 2 to 6 ps and 1F0 from 5 to 7 ps overlap on device 1");
  }

  TEST_CASE("verify: the devices of a node share its link") {
    const test::Run run = shared_link(TransferMode::free);
    Timeline timeline = simulate(run.problem, run.program);
    CHECK(verdict(run.problem, run.program, timeline) == "valid");
    CHECK(times(timeline, "0SEND_F1") == "5-8");
    CHECK(verdict_after(run, moving("0SEND_F1", -1)) ==
          "exclusivity: 0SEND_F0 from 2 to 5 ps and 0SEND_F1 from 4 to 7 ps overlap on the link "
          "of node 0");
    CHECK(verdict_after(shared_link(TransferMode::async), [](Timeline&) {}) == "valid");
  }

  TEST_CASE("verify: release by a transfer, a lane, an arrival") {
    const test::Run run = two_devices(TransferMode::async);
    CHECK(verdict_after(run, [](Timeline& t) { move(span_of(t, "1F1"), 1); }) ==
          "exclusivity: 1F1 from 10 to 12 ps and 1B0 from 11 to 15 ps overlap on device 1");
    CHECK(verdict_after(run, [](Timeline& t) { move(span_of(t, "1B1"), 1); }) ==
          "precedence: 1SEND_B1 from device 1 to 0 starts at 19 ps, before its input 1B1 on device "
          "1 ends at 20 ps");
    CHECK(verdict_after(run, [](Timeline& t) { move(span_of(t, "0B1"), 1); }) ==
          "release: 0B1 on device 0 starts at 24 ps, but 0B0 on device 0, which released it, ends "
          "at 23 ps");
    CHECK(verdict_after(run,
                        [](Timeline& t) {
                          forget_releases(t);
                          move(span_of(t, "0B0"), 1);
                          move(span_of(t, "0B1"), 1);
                          span_of(t, "0B0").released_by =
                              static_cast<std::uint32_t>(&span_of(t, "1SEND_B0") - t.spans.data());
                        }) ==
          "release: 0B0 on device 0 starts at 20 ps, but 1SEND_B0 from device 1 to 0, which "
          "released it, ends at 18 ps and takes 1 ps more");
    CHECK(verdict_after(run,
                        [](Timeline& t) {
                          Span& send = span_of(t, "0SEND_F1");
                          REQUIRE(t.spans[send.released_by].op.kind == OpKind::send_forward);
                          send.released_by = 0;
                        }) ==
          "release: 0SEND_F1 from device 0 to 1 is released by 0F0 on device 0, which is neither "
          "its input nor the op before it on its lanes");
  }

  TEST_CASE("verify: a free hop takes its time") {
    const test::Run run = two_devices(TransferMode::free);
    CHECK(verdict_after(run, [](Timeline&) {}) == "valid");
    CHECK(verdict_after(run, moving("1F0", -1)) ==
          "precedence: 1F0 on device 1 starts at 5 ps, before its input 0F0 on device 0 is there: "
          "it ends at 2 ps and takes 4 ps more");
  }

  TEST_CASE("verify: another simulator's timeline may lack transfers") {
    for (const TransferMode mode :
         {TransferMode::async, TransferMode::single_stream, TransferMode::rendezvous}) {
      const test::Run run = two_devices(mode);
      CHECK(verdict_after(run, erase_transfers) == "valid");
      CHECK(verdict_after(run,
                          [](Timeline& t) {
                            erase_transfers(t);
                            move(span_of(t, "1F0"), -1);
                            span_of(t, "1F1").released_by = 1;
                          }) ==
            "precedence: 1F0 on device 1 starts at 5 ps, before its input 0F0 on device 0 is "
            "there: it ends at 2 ps and takes 4 ps more");
    }
    CHECK(verdict_after(two_devices(TransferMode::async), [](Timeline& t) {
            erase_transfers(t);
            span_of(t, "1F1").released_by = 1;
          }) == "valid");
  }

  TEST_CASE("verify: pairs are the program's") {
    Problem problem = test::equal_stages(1, 2, 2, 4);
    problem.costs[0].fused = Ticks{5};
    const Program program = {
        {{forward(Stage{0}, 0), overlapped(forward(Stage{0}, 1), backward(Stage{0}, 0)),
          backward(Stage{0}, 1)}}};
    const test::Run run{.problem = problem, .program = program};
    CHECK(verdict_after(run, [](Timeline&) {}) == "valid");
    CHECK(verdict_after(run, [](Timeline& t) { t.spans[1].end += Ticks{1}; }) ==
          "duration: (0F1;0B0) on device 0 takes 6 ps, from 2 to 8 ps, but costs 5 ps");
    CHECK(verdict_after(run, [](Timeline& t) { std::swap(t.spans[0].op, t.spans[1].op); }) ==
          "order: (0F0;0B0) runs on device 0 where the program has 0F0");
    CHECK(verdict_after(run, [](Timeline& t) {
            t.spans[1].overlapped = t.spans[2].op;
            t.spans[2].op = {.kind = OpKind::backward, .stage = Stage{0}, .microbatch = {}};
          }) == "order: (0F1;0B1) runs on device 0 where the program has (0F1;0B0)");
    CHECK(verdict_after(run, [](Timeline& t) {
            std::swap(t.spans[1].op, *t.spans[1].overlapped);
          }) == "completeness: (0B0;0F1) on device 0 overlaps what cannot");
    CHECK(verdict_after(run, [](Timeline& t) { t.spans[1].overlapped.reset(); }) ==
          "completeness: 0B0 on device 0 is missing");
    CHECK(verdict_after(run, [](Timeline& t) {
            t.spans[1].overlapped->stage = Stage{1};
          }).starts_with("completeness: 1B0 on device 0 is not an op of this problem"));
  }

  TEST_CASE("verify: a split backward, and a forward done again") {
    Problem problem = test::equal_stages(1, 1, 2, 4);
    problem.costs[0] = stage_costs(Ticks{2}, Ticks{4}, Ticks{1});
    problem.recompute = {true};
    const Program program = {{{forward(Stage{0}, 0), item(OpKind::recompute, Stage{0}, 0),
                               backward_input(Stage{0}, 0), backward_weight(Stage{0}, 0)}}};
    const test::Run run{.problem = problem, .program = program};
    CHECK(verdict_after(run, [](Timeline&) {}) == "valid");
    CHECK(verdict_after(run, [](Timeline& t) { t.spans[2].op.kind = OpKind::backward; }) ==
          "completeness: 0B0 on device 0 is not in the program");
    CHECK(verdict_after(run, [](Timeline& t) { t.spans[3].end += Ticks{1}; }) ==
          "duration: 0W0 on device 0 takes 2 ps, from 7 to 9 ps, but costs 1 ps");
    // A program may order what cannot run: then the inputs tell.
    const auto said = [&](const std::vector<OpKind>& kinds) {
      LaneOrder order;
      Timeline timeline;
      timeline.lane_begin = {0, kinds.size()};
      for (const OpKind kind : kinds) {
        const Op op{.kind = kind, .stage = Stage{0}, .microbatch = {}};
        const Ticks start = total_time(timeline);
        timeline.spans.push_back({.op = op, .start = start, .end = start + problem.duration(op)});
        order.push_back(item(kind, Stage{0}, 0));
      }
      return verdict(problem, {{order}}, timeline);
    };
    using enum OpKind;
    CHECK(said({forward, backward_weight, recompute, backward_input}) ==
          "precedence: 0W0 on device 0 starts at 2 ps, before its input 0I0 on device 0 ends at 8 "
          "ps");
    CHECK(said({forward, backward_input, recompute, backward_weight}) ==
          "precedence: 0I0 on device 0 starts at 2 ps, before its input 0R0 on device 0 ends at 7 "
          "ps");
    CHECK(said({recompute, forward, backward_input, backward_weight}) ==
          "precedence: 0R0 on device 0 starts at 0 ps, before its input 0F0 on device 0 ends at 4 "
          "ps");
  }

  TEST_CASE("verify: overheads and stragglers, by the start of the op") {
    test::Run run = two_devices(TransferMode::free);
    run.problem.launch_overhead = Ticks{1};
    run.problem.stragglers = {
        {.device = Device{0}, .numerator = 3, .denominator = 2, .from = Ticks{3}, .to = Ticks{9}}};
    Timeline timeline = simulate(run.problem, run.program);
    CHECK(times(timeline, "0F0") == "0-3");
    CHECK(times(timeline, "0F1") == "3-8");
    CHECK(verdict(run.problem, run.program, timeline) == "valid");
    CHECK(verdict_after(run, [](Timeline& t) { --t.spans[1].end.count; }) ==
          "duration: 0F1 on device 0 takes 4 ps, from 3 to 7 ps, but costs 5 ps");
  }

  TEST_CASE("verify: a training step follows the one before it") {
    test::Run run = two_devices(TransferMode::free);
    run.problem.iterations.count = 2;
    CHECK(verdict_after(run, [](Timeline&) {}) == "valid");
    CHECK(verdict_after(run, [](Timeline& t) {
            forget_releases(t);
            std::swap(t.spans[3].start, t.spans[4].start);
            t.spans[4].end = t.spans[4].start + Ticks{2};
            t.spans[3].start = t.spans[4].end;
            t.spans[3].end = t.spans[3].start + Ticks{4};
            move(t.spans[5], 9);
          }).starts_with("order: 0F2 from "));
  }

  TEST_CASE("verify: what ends a training step") {
    test::Run run = two_devices(TransferMode::free);
    CHECK(verdict_after(run, [](Timeline& t) {
            t.spans.push_back({.op = {.kind = OpKind::optimizer, .stage = {}, .microbatch = {}},
                               .start = Ticks{50},
                               .end = Ticks{51}});
          }) == "completeness: 0OPT0 among the transfers is not in the program");
    run.problem.iterations = {
        .count = 2, .grad_sync = {Ticks{2}, Ticks{3}}, .optimizer = {Ticks{5}, Ticks{6}}};
    Timeline timeline = simulate(run.problem, run.program);
    CHECK(times(timeline, "0SYNC0") == "26-28");
    CHECK(times(timeline, "0OPT0") == "28-33");
    CHECK(verdict(run.problem, run.program, timeline) == "valid");
    CHECK(verdict_after(run, [](Timeline& t) { ++span_of(t, "1SYNC0").end.count; }) ==
          "duration: 1SYNC0 on device 1 takes 4 ps, from 18 to 22 ps, but costs 3 ps");
    CHECK(verdict_after(run, [](Timeline& t) { --span_of(t, "1OPT0").end.count; }) ==
          "duration: 1OPT0 on device 1 takes 5 ps, from 21 to 26 ps, but costs 6 ps");
    CHECK(verdict_after(run, moving("0OPT0", 1)) ==
          "exclusivity: 0OPT0 from 29 to 34 ps and 0F2 from 33 to 35 ps overlap on device 0");
    CHECK(verdict_after(run, [](Timeline& t) {
            move(span_of(t, "0OPT2"), 1);
          }).starts_with("release: 0OPT2 on device 0 starts at "));
  }

  TEST_CASE("verify: random runs over the whole model, one change each") {
    int found = 0;
    int harmless = 0;
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const test::Run run = test::random_run(random);
      Timeline timeline = simulate(run.problem, run.program);
      REQUIRE(verdict(run.problem, run.program, timeline) == "valid");
      REQUIRE(test::Judge(run.problem, run.program, timeline).is_valid());
      if (test::draw(random, 0, 4) == 0) erase_transfers(timeline);
      mutate_one(timeline, run.problem, random);
      const std::string said = verdict(run.problem, run.program, timeline);
      CAPTURE(said);
      REQUIRE((said == "valid") == test::Judge(run.problem, run.program, timeline).is_valid());
      ++(said == "valid" ? harmless : found);
    }
    CHECK(found > 1000);
    CHECK(harmless > 100);
  }

  TEST_CASE("verify: random runs whose steps end with reductions and optimizers") {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const test::Run run = test::random_run_with_step_ends(random);
      REQUIRE(verdict_after(run, [](Timeline&) {}) == "valid");
    }
  }
}
