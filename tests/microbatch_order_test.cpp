#include "sim/microbatch_order.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "sim/error.hpp"
#include "sim/validate_loops.hpp"
#include "tests/problems.hpp"
#include "tests/random_runs.hpp"

using namespace pipesim;

namespace {

using Unrolled = std::map<OpClass, std::vector<std::int64_t>>;

template <class Visit>
void for_each_ordered_op(const LaneOrder& order, const Visit& visit) {
  for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
    const Step step = cursor.step();
    visit(step.op);
    if (step.overlapped) visit(*step.overlapped);
  }
}

Unrolled unrolled(const Problem& problem, const LaneOrder& order) {
  Unrolled result;
  for_each_ordered_op(order, [&](const Op& op) {
    result[{op.kind, op.stage, problem.flow(op.microbatch)}].push_back(op.microbatch.value);
  });
  return result;
}

std::vector<std::int64_t> written_out(const MicrobatchOrder& order) {
  std::vector<std::int64_t> result;
  for (const Progression& part : order) {
    for (std::int64_t i = 0; i < part.count; ++i) result.push_back(part.first + i * part.stride);
  }
  return result;
}

/// Each op once, on its device, and nothing else: by counting.
bool is_valid(const Problem& problem, const Program& program) {
  std::map<Op, int> seen;
  for (std::size_t device = 0; device < program.lanes.size(); ++device) {
    bool fits = true;
    for_each_ordered_op(program.lanes[device], [&](const Op& op) {
      fits = fits && op.stage >= Stage{0} && op.stage < Stage{problem.stages()} &&
             op.microbatch >= Microbatch{0} && op.microbatch < Microbatch{problem.microbatches} &&
             problem.device(op) == Device{device};
      ++seen[op];
    });
    if (!fits) return false;
  }
  const auto count = [&](OpKind kind, int stage, int microbatch) {
    const auto found =
        seen.find({.kind = kind, .stage = Stage{stage}, .microbatch = Microbatch{microbatch}});
    return found == seen.end() ? 0 : found->second;
  };
  for (int stage = 0; stage < problem.stages(); ++stage) {
    for (int u = 0; u < problem.microbatches; ++u) {
      const int full = count(OpKind::backward, stage, u);
      const int input = count(OpKind::backward_input, stage, u);
      if (count(OpKind::forward, stage, u) != 1 || full + input != 1) return false;
      if (count(OpKind::backward_weight, stage, u) != input) return false;
      if (count(OpKind::recompute, stage, u) != (problem.recomputes(Stage{stage}) ? 1 : 0)) {
        return false;
      }
    }
  }
  return true;
}

Item& random_item(std::mt19937_64& random, std::vector<Item>& items) {
  Item& item = items[static_cast<std::size_t>(
      test::draw(random, 0, static_cast<std::int64_t>(items.size()) - 1))];
  Loop* loop = std::get_if<Loop>(&item.what);
  if (loop == nullptr || loop->body.empty() || test::flip(random)) return item;
  return random_item(random, loop->body);
}

/// Changes one thing anywhere.
void break_something(std::mt19937_64& random, Program& program) {
  LaneOrder& lane = program.lanes[static_cast<std::size_t>(
      test::draw(random, 0, static_cast<std::int64_t>(program.lanes.size()) - 1))];
  Item& item = random_item(random, lane);
  const std::int64_t by = test::flip(random) ? 1 : -1;
  if (test::draw(random, 0, 4) == 0) {
    item.stride += by;
  } else if (Loop* loop = std::get_if<Loop>(&item.what)) {
    loop->count += by;
  } else {
    Op& op = std::get<Step>(item.what).op;
    if (test::flip(random)) {
      op.microbatch = Microbatch{op.microbatch.value + by};
    } else {
      op.stage = Stage{op.stage.value + by};
    }
  }
}

Problem random_problem_for(std::mt19937_64& random, const Schedule& schedule) {
  return test::problem_for(schedule, static_cast<int>(test::draw(random, 1, 5)),
                           static_cast<int>(test::draw(random, 1, 24)),
                           [](int) { return stage_costs(Ticks{2}, Ticks{4}, Ticks{2}); });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("ops in a loop are what single steps are") {
    const Ops ops = {std::get<Step>(forward(Stage{0}, 1).what).op,
                     std::get<Step>(backward(Stage{0}, 0).what).op};
    const auto of = [](std::vector<Item> body) {
      return Program{.lanes = {{repeat(3, std::move(body)), forward(Stage{0}, 0)}}};
    };
    const Program listed = of({{.what = Ops{}}, {.what = ops, .stride = 2}});
    const Program single =
        of({with_stride(forward(Stage{0}, 1), 2), with_stride(backward(Stage{0}, 0), 2)});
    CHECK(to_text(listed) == to_text(single));
    CHECK(step_count(listed.lanes[0]) == 7);
    CHECK(test::op_by_op(listed) == test::op_by_op(single));
    Problem problem = test::equal_stages(1, 7, 2, 4);
    const auto orders = microbatch_orders(problem, listed.lanes[0]).value();
    const auto expected = microbatch_orders(problem, single.lanes[0]).value();
    for (const auto& [of_class, order] : expected) {
      CHECK(same_order(orders.at(of_class), order));
    }
    problem.recompute = {true};
    CHECK(to_text(with_recompute(problem, listed)) == to_text(with_recompute(problem, single)));
  }

  TEST_CASE("what is wrong with ops is what is wrong with single steps") {
    std::mt19937_64 random(8);
    const auto fault = [](const Problem& problem, const Program& program) -> std::string {
      try {
        validate_program(problem, program);
      } catch (const Error& error) {
        return error.what();
      }
      return "";
    };
    int faults = 0;
    for (const Schedule* schedule : test::general_schedules()) {
      CAPTURE(schedule->info.name);
      for (int run = 0; run < 12; ++run) {
        const Problem problem = random_problem_for(random, *schedule);
        if (!test::accepts(*schedule, problem)) continue;
        Program single;
        for (const LaneOrder& lane :
             test::program_of(std::string(schedule->info.name), problem).lanes) {
          LaneOrder& steps = single.lanes.emplace_back();
          for (StepCursor at(lane); !at.done(); at.advance()) steps.push_back({.what = at.step()});
        }
        if (run % 3 == 1) break_something(random, single);
        if (run % 3 == 2) std::swap(single.lanes.front(), single.lanes.back());
        const std::string expected = fault(problem, single);
        CHECK(fault(problem, test::op_by_op(single)) == expected);
        if (run % 3 == 2 && problem.devices > 1) CHECK(!expected.empty());
        if (!expected.empty()) ++faults;
      }
    }
    CHECK(faults > 50);
  }

  TEST_CASE("orders told from loops are those of the unrolled lanes, of every schedule") {
    std::mt19937_64 random(3);
    for (const Schedule* schedule : test::general_schedules()) {
      CAPTURE(schedule->info.name);
      for (int run = 0; run < 8; ++run) {
        const Problem problem = random_problem_for(random, *schedule);
        if (!test::accepts(*schedule, problem)) continue;
        const Program program = test::program_of(std::string(schedule->info.name), problem);
        for (const LaneOrder& lane : program.lanes) {
          const auto orders = microbatch_orders(problem, lane);
          REQUIRE(orders);
          const Unrolled expected = unrolled(problem, lane);
          CHECK(orders->size() == expected.size());
          for (const auto& [of, order] : *orders) CHECK(written_out(order) == expected.at(of));
        }
      }
    }
  }

  TEST_CASE("a loop of very many repetitions is one progression") {
    const Problem problem = test::equal_stages(1, 2'000'000'000, 1, 1);
    const LaneOrder lane = {
        repeat(500'000'000, {with_stride(repeat(4, {forward(Stage{0}, 0)}), 4),
                             with_stride(repeat(4, {backward(Stage{0}, 0)}), 4)})};
    const auto orders = microbatch_orders(problem, lane);
    REQUIRE(orders);
    for (const auto& [of, order] : *orders) {
      REQUIRE(order.size() == 1);
      CHECK(order.front().first == 0);
      CHECK(order.front().stride == 1);
      CHECK(order.front().count == 2'000'000'000);
    }
    CHECK(is_valid_by_its_loops(problem, {.lanes = {lane}}));
  }

  TEST_CASE("orders are compared however they are cut") {
    const MicrobatchOrder whole = {{.first = 0, .stride = 2, .count = 6}};
    CHECK(same_order(whole, {{0, 2, 1}, {2, 2, 4}, {10, 7, 1}}));
    CHECK(same_order({{0, 2, 3}, {6, 2, 3}}, {{0, 2, 2}, {4, 2, 4}}));
    CHECK_FALSE(same_order(whole, {{0, 2, 5}}));
    CHECK_FALSE(same_order(whole, {{0, 2, 7}}));
    CHECK_FALSE(same_order(whole, {{0, 2, 3}, {6, 1, 3}}));
    CHECK_FALSE(same_order(whole, {{0, 2, 3}, {8, 2, 3}}));
    CHECK(same_order({}, {}));
  }

  TEST_CASE("what is valid by its loops is valid, however a program is broken") {
    std::mt19937_64 random(4);
    const Registry registry = test::general_schedules();
    int proved = 0;
    int broken = 0;
    for (int run = 0; run < 4000; ++run) {
      const Schedule& schedule = *registry[static_cast<std::size_t>(run) % registry.size()];
      const Problem problem = random_problem_for(random, schedule);
      if (!test::accepts(schedule, problem)) continue;
      Program program = test::program_of(std::string(schedule.info.name), problem);
      CAPTURE(schedule.info.name);
      CAPTURE(run);
      if (run % 4 == 0) {
        const bool one_kind = schedule.info.backward != BackwardPass::mixed;
        if (one_kind && problem.parking.keeper.empty()) {
          CHECK(is_valid_by_its_loops(problem, program));
        }
        continue;
      }
      break_something(random, program);
      const bool valid = is_valid(problem, program);
      broken += valid ? 0 : 1;
      if (!is_valid_by_its_loops(problem, program)) continue;
      ++proved;
      CHECK(valid);
    }
    CHECK(broken > 1000);
    CHECK(proved > 10);
  }
}
