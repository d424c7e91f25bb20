#include "sim/slot_grid.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/problems.hpp"

using namespace pipesim;

namespace {

Op op(const std::string& token) { return parse_token(token).value_or(Op{}); }

std::string order(const SlotGrid& grid, int device) {
  std::string text;
  const Program program = grid.program(std::nullopt, 0);
  for (StepCursor cursor(program.lanes[static_cast<std::size_t>(device)]); !cursor.done();
       cursor.advance()) {
    text += (text.empty() ? "" : " ") + token(cursor.step());
  }
  return text;
}

/// One device; a microbatch's forward and backward follow each other, with a gap before some.
template <class HasGap>
SlotGrid with_gaps(int microbatches, HasGap has_gap) {
  SlotGrid grid(test::equal_stages(1, microbatches, 1, 1), microbatches);
  int slot = 0;
  for (int j = 0; j < microbatches; ++j) {
    if (has_gap(j)) ++slot;
    grid.place({.kind = OpKind::forward, .stage = Stage{0}, .microbatch = Microbatch{j}}, slot++);
    grid.place({.kind = OpKind::backward, .stage = Stage{0}, .microbatch = Microbatch{j}}, slot++);
  }
  return grid;
}

SlotGrid in_turn(int microbatches, int gap_every) {
  return with_gaps(microbatches, [gap_every](int j) { return j % gap_every == 0; });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("slots: an op takes its width, a closed slot is not free, nothing is beyond the end") {
    SlotGrid grid(test::equal_stages(2, 2, 1, 2), 2, 2);
    CHECK(grid.end() == 0);
    grid.place(op("0F0"), 0);
    grid.place(op("0B0"), 3);
    grid.close(Device{0}, 1);
    CHECK(grid.end() == 5);
    CHECK(grid.end(Device{1}) == 0);
    CHECK(grid.first_free(Device{0}, 0, 1) == 2);
    CHECK(grid.first_free(Device{0}, 0, 2) == 5);
    CHECK(grid.first_free(Device{1}, 7, 2) == 7);
    CHECK(grid.at(Device{0}, 4).use == SlotGrid::Use::goes_on);
    CHECK(grid.is_free(Device{0}, 100));
    grid.move(op("0B0"), 3, 2);
    CHECK(grid.start(op("0B0")) == 2);
    CHECK(grid.is_free(Device{0}, 4));
  }

  TEST_CASE("an op is ready after the last slot of the op whose result it needs") {
    SlotGrid grid(test::equal_stages(2, 2, 1, 2), 2, 2);
    CHECK(grid.ready(op("0F0")) == 0);
    grid.place(op("0F0"), 1);
    CHECK(grid.ready(op("1F0")) == 2);
    grid.place(op("1F0"), 4);
    CHECK(grid.ready(op("1B0")) == 5);
    grid.place(op("1B0"), 5);
    CHECK(grid.ready(op("0B0")) == 7);
    CHECK(grid.ready(op("0W0")) == 0);
    CHECK(grid.ready(op("0F1")) == 0);
    CHECK(grid.ready_in_turn(op("0F1")) == 2);
  }

  TEST_CASE("squeezing keeps the orders and leaves no slot that need not be") {
    SlotGrid grid(test::equal_stages(2, 1, 1, 2), 1, 2);
    grid.place(op("0F0"), 2);
    grid.place(op("1F0"), 6);
    grid.place(op("1B0"), 9);
    grid.place(op("0B0"), 14);
    grid.squeeze();
    CHECK(grid.start(op("0F0")) == 0);
    CHECK(grid.start(op("1F0")) == 1);
    CHECK(grid.start(op("1B0")) == 2);
    CHECK(grid.start(op("0B0")) == 4);
    CHECK(order(grid, 0) == "0F0 0B0");
  }

  TEST_CASE("a repetition becomes a loop, and the loop goes on for more microbatches") {
    const SlotGrid grid = in_turn(6, 2);
    const auto repetition = grid.repetition(2);
    const Repetition found = repetition.value_or(Repetition{});
    CHECK(found.slots == 5);
    CHECK(found.count == 3);
    const Program program = grid.program(repetition, 4);
    CHECK(to_text(program) ==
          "device 0\n  repeat 5\n    0F0 step 2\n    0B0 step 2\n    0F1 step 2\n    0B1 step 2\n");
    CHECK_FALSE(in_turn(3, 2).repetition(2).has_value());
  }

  TEST_CASE("a layout that shows no repetition yet is laid out for more microbatches") {
    std::vector<int> laid;
    const auto lay = [&](int microbatches) {
      laid.push_back(microbatches);
      return in_turn(microbatches, 6);
    };
    const Program program = program_of_layout(1001, 6, 3, lay);
    CHECK(laid == std::vector<int>{5, 11, 17});
    CHECK(step_count(program.lanes[0]) == 2002);
    validate_program(test::equal_stages(1, 1001, 1, 1), program);
  }

  TEST_CASE("a layout that repeats itself only for a while is laid out whole") {
    std::vector<int> laid;
    const auto lay = [&](int microbatches) {
      laid.push_back(microbatches);
      return with_gaps(microbatches, [](int j) {
        return j == 1 || j == 3 || j == 6 || j == 10 || j == 15 || j == 21 || j == 28 || j == 36;
      });
    };
    const Program program = program_of_layout(60, 1, 40, lay);
    CHECK(laid == std::vector<int>{40, 60});
    validate_program(test::equal_stages(1, 60, 1, 1), program);
  }
}
