#include "schedules/streams.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

const Stage kStage{0};

std::string text(const LaneOrder& order) { return test::order_of({{order}}, 0); }

std::string lines(const LaneOrder& order) { return to_text({{order}}); }

/// The tokens of a stream, one a slot, spelled out.
std::vector<std::string> spelled_out(const Stream& stream) {
  LaneOrder order;
  for (std::int64_t k = 0; k < stream.periods; ++k) {
    for (const Run& run : stream.period) {
      Op op = std::get<Step>(run.first.what).op;
      op.microbatch = Microbatch{op.microbatch.value + k * stream.advance};
      order.push_back(repeat(run.count, {{.what = Step{op}, .stride = run.first.stride}}));
    }
  }
  for (const Run& run : stream.tail) order.push_back(repeat(run.count, {run.first}));
  std::vector<std::string> tokens(static_cast<std::size_t>(stream.delay));
  for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
    tokens.push_back(token(cursor.step()));
  }
  return tokens;
}

/// What in_step() says it does, slot by slot.
std::string slot_by_slot(const std::vector<Stream>& streams) {
  std::vector<std::vector<std::string>> columns;
  std::size_t slots = 0;
  for (const Stream& stream : streams) {
    columns.push_back(spelled_out(stream));
    slots = std::max(slots, columns.back().size());
  }
  std::string text;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    for (const auto& column : columns) {
      if (slot >= column.size() || column[slot].empty()) continue;
      text += (text.empty() ? "" : " ") + column[slot];
    }
  }
  return text;
}

std::vector<Run> random_runs(std::mt19937_64& random, OpKind kind, std::int64_t slots,
                             std::int64_t shortest) {
  std::vector<Run> runs;
  while (slots > 0) {
    const std::int64_t count = test::draw(random, shortest, slots);
    const Item first = item(kind, Stage{test::draw(random, 0, 3)}, test::draw(random, 0, 9));
    runs.push_back({.first = with_stride(first, test::draw(random, -1, 2)), .count = count});
    slots -= count;
  }
  return runs;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("streams begin after their delay and end when they are done") {
    CHECK(text(in_step({stream(forward(kStage, 0), 3), stream(backward(kStage, 0), 3, 1)})) ==
          "0F0 0F1 0B0 0F2 0B1 0B2");
    CHECK(text(in_step({stream(forward(kStage, 0), 1), stream(backward(kStage, 0), 2, 3)})) ==
          "0F0 0B0 0B1");
    CHECK(in_step({stream(forward(kStage, 0), 0)}).empty());
  }

  TEST_CASE("slots that are alike are one loop") {
    CHECK(lines(in_step({stream(forward(kStage, 0), 900), stream(backward(kStage, 0), 900, 2)})) ==
          "device 0\n"
          "  repeat 2\n    0F0\n"
          "  repeat 898\n    0F2\n    0B0\n"
          "  repeat 2\n    0B898\n");
  }

  TEST_CASE("periods that are alike are one loop") {
    const std::vector<Run> period = {{forward(Stage{0}, 0), 2}, {forward(Stage{1}, 0), 2}};
    CHECK(lines(in_step({{.period = period, .periods = 50, .advance = 2}})) ==
          "device 0\n"
          "  repeat 50\n"
          "    repeat 2 step 2\n      0F0\n"
          "    repeat 2 step 2\n      1F0\n");
  }

  TEST_CASE("both ops of a slot may overlap") {
    CHECK(text(in_step({stream(forward(kStage, 0), 3), stream(backward(kStage, 0), 3, 1)},
                       SameSlot::overlapped)) == "0F0 (0F1;0B0) (0F2;0B1) 0B2");
  }

  TEST_CASE("random streams, slot by slot") {
    constexpr std::uint64_t kSeed = 31337;
    MESSAGE("seed " << kSeed);
    std::mt19937_64 random(kSeed);
    for (int round = 0; round < 2000; ++round) {
      const std::int64_t period = test::draw(random, 0, 6);
      const std::int64_t periods = period == 0 ? 0 : test::draw(random, 0, 7);
      const std::int64_t advance = test::draw(random, 1, 3);
      std::vector<Stream> streams;
      for (const OpKind kind : {OpKind::forward, OpKind::backward_input, OpKind::backward_weight}) {
        streams.push_back({.delay = test::draw(random, 0, 9),
                           .period = random_runs(random, kind, period, 1),
                           .periods = periods,
                           .advance = advance,
                           .tail = random_runs(random, kind, test::draw(random, 0, 5), 0)});
      }
      CHECK(text(in_step(streams)) == slot_by_slot(streams));
    }
  }
}
