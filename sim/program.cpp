#include "sim/program.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/error.hpp"

namespace pipesim {

namespace {

Item op_item(OpKind kind, Stage stage, std::int64_t microbatch) {
  return {.what =
              Op{.kind = kind, .flow = {}, .stage = stage, .microbatch = Microbatch{microbatch}}};
}

void append_text(std::string& text, const std::vector<Item>& items, int depth) {
  const std::string indent(2 * static_cast<std::size_t>(depth), ' ');
  for (const Item& item : items) {
    // A stride has a meaning only inside a loop.
    const std::string step =
        depth > 1 && item.stride != 1 ? fmt::format(" step {}", item.stride) : "";
    if (const Op* op = std::get_if<Op>(&item.what)) {
      text += fmt::format("{}{}{}\n", indent, token(*op), step);
      continue;
    }
    const Loop& loop = std::get<Loop>(item.what);
    if (loop.count <= 0) continue;
    text += fmt::format("{}repeat {}{}\n", indent, loop.count, step);
    append_text(text, loop.body, depth + 1);
  }
}

/// Numbers the ops of a problem from 0: by kind, stage and microbatch.
std::size_t number_of(const Problem& problem, const Op& op) {
  const std::int64_t row =
      std::int64_t{op.kind == OpKind::backward} * problem.stages() + op.stage.value;
  return static_cast<std::size_t>(row * problem.microbatches + op.microbatch.value);
}

/// The inverse of number_of().
Op op_at(const Problem& problem, std::int64_t number) {
  const std::int64_t row = number / problem.microbatches;
  return {.kind = row < problem.stages() ? OpKind::forward : OpKind::backward,
          .flow = {},
          .stage = Stage{row % problem.stages()},
          .microbatch = Microbatch{number % problem.microbatches}};
}

bool exists(const Problem& problem, const Op& op) {
  return op.flow == Flow{} && op.stage >= Stage{} && op.stage < Stage{problem.stages()} &&
         op.microbatch >= Microbatch{} && op.microbatch < Microbatch{problem.microbatches};
}

}  // namespace

Item forward(Stage stage, std::int64_t microbatch) {
  return op_item(OpKind::forward, stage, microbatch);
}

Item backward(Stage stage, std::int64_t microbatch) {
  return op_item(OpKind::backward, stage, microbatch);
}

Item repeat(std::int64_t count, std::vector<Item> body) {
  return {.what = Loop{.count = count, .body = std::move(body)}};
}

Item with_stride(Item item, std::int64_t stride) {
  item.stride = stride;
  return item;
}

std::int64_t op_count(const LaneOrder& order) {
  std::int64_t count = 0;
  for (const Item& item : order) {
    std::int64_t ops = 1;
    if (const Loop* loop = std::get_if<Loop>(&item.what)) {
      const std::int64_t repetitions = std::max<std::int64_t>(loop->count, 0);
      if (__builtin_mul_overflow(repetitions, op_count(loop->body), &ops)) throw_time_overflow();
    }
    if (__builtin_add_overflow(count, ops, &count)) throw_time_overflow();
  }
  return count;
}

OpCursor::OpCursor(const LaneOrder& order) {
  frames_.push_back({.items = &order, .at = 0, .repetition = 0, .count = 1, .offset = 0});
  settle();
}

Op OpCursor::op() const {
  const Frame& frame = frames_.back();
  const Item& item = (*frame.items)[frame.at];
  Op op = std::get<Op>(item.what);
  op.microbatch = Microbatch{op.microbatch.value + frame.offset + frame.repetition * item.stride};
  return op;
}

void OpCursor::advance() {
  ++frames_.back().at;
  settle();
}

// Descends into loops and leaves finished ones until the cursor stands on an op or at the end.
void OpCursor::settle() {
  while (!frames_.empty()) {
    Frame& frame = frames_.back();
    if (frame.at == frame.items->size()) {
      frame.at = 0;
      if (++frame.repetition < frame.count) continue;
      frames_.pop_back();
      if (!frames_.empty()) ++frames_.back().at;
      continue;
    }
    const Item& item = (*frame.items)[frame.at];
    const Loop* loop = std::get_if<Loop>(&item.what);
    if (loop == nullptr) return;
    if (loop->count <= 0 || loop->body.empty()) {
      ++frame.at;
      continue;
    }
    frames_.push_back({.items = &loop->body,
                       .at = 0,
                       .repetition = 0,
                       .count = loop->count,
                       .offset = frame.offset + frame.repetition * item.stride});
  }
}

std::string to_text(const Program& program) {
  std::string text;
  for (std::size_t device = 0; device < program.lanes.size(); ++device) {
    text += fmt::format("device {}\n", device);
    append_text(text, program.lanes[device], 1);
  }
  return text;
}

void validate_program(const Problem& problem, const Program& program) {
  const auto fail = [](std::string what, std::string allowed) {
    throw Error(
        Fault{.pointer = "/schedule", .what = std::move(what), .allowed = std::move(allowed)});
  };
  if (program.lanes.size() != static_cast<std::size_t>(problem.devices)) {
    fail(fmt::format("the program orders {} devices", program.lanes.size()),
         fmt::format("one order for each of the {} devices", problem.devices));
  }
  std::vector<bool> seen(static_cast<std::size_t>(op_count(problem)));
  for (std::size_t device = 0; device < program.lanes.size(); ++device) {
    for (OpCursor cursor(program.lanes[device]); !cursor.done(); cursor.advance()) {
      const Op op = cursor.op();
      if (!exists(problem, op)) {
        fail(fmt::format("{} on device {} is not an op of this problem", token(op), device),
             fmt::format("stages 0 to {}, microbatches 0 to {}", problem.stages() - 1,
                         problem.microbatches - 1));
      }
      if (problem.device(op) != Device{device}) {
        fail(fmt::format("{} is on device {}", token(op), device),
             fmt::format("stage {} is on device {}", op.stage.value, problem.device(op).value));
      }
      const std::size_t number = number_of(problem, op);
      if (seen[number]) {
        fail(fmt::format("{} stands twice on device {}", token(op), device), "each op once");
      }
      seen[number] = true;
    }
  }
  const auto missing = std::find(seen.begin(), seen.end(), false);
  if (missing != seen.end()) {
    const Op op = op_at(problem, missing - seen.begin());
    fail(fmt::format("{} is missing on device {}", token(op), problem.device(op).value),
         "each op once");
  }
}

}  // namespace pipesim
