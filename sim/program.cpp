#include "sim/program.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/error.hpp"

namespace pipesim {

namespace {

/// Whether no step comes of it: no op, no repetition, or a body of which none comes.
bool runs_nothing(const Item& item) {
  if (const Ops* ops = std::get_if<Ops>(&item.what)) return ops->empty();
  const Loop* loop = std::get_if<Loop>(&item.what);
  return loop != nullptr &&
         (loop->count <= 0 || std::all_of(loop->body.begin(), loop->body.end(), runs_nothing));
}

void append_text(std::string& text, const std::vector<Item>& items, int depth) {
  const std::string indent(2 * static_cast<std::size_t>(depth), ' ');
  for (const Item& item : items) {
    // A stride has a meaning only inside a loop.
    const std::string step =
        depth > 1 && item.stride != 1 ? fmt::format(" step {}", item.stride) : "";
    const Loop* loop = std::get_if<Loop>(&item.what);
    if (loop == nullptr) {
      for_each_step(item, [&](const Step& each) {
        text += fmt::format("{}{}{}\n", indent, token(each), step);
      });
    } else if (!runs_nothing(item)) {
      text += fmt::format("{}repeat {}{}\n", indent, loop->count, step);
      append_text(text, loop->body, depth + 1);
    }
  }
}

/// Marks the stages whose recomputations an order already has.
void mark_recomputed(const std::vector<Item>& items, std::vector<bool>& given) {
  for (const Item& item : items) {
    if (const Loop* loop = std::get_if<Loop>(&item.what)) {
      mark_recomputed(loop->body, given);
      continue;
    }
    for_each_step(item, [&](const Step& step) {
      if (step.op.kind != OpKind::recompute || step.op.stage < Stage{0}) return;
      const auto stage = static_cast<std::size_t>(step.op.stage.value);
      if (stage < given.size()) given[stage] = true;
    });
  }
}

/// The recomputation that a step's backward needs, if it needs one.
std::optional<Op> recomputation(const Problem& problem, const Step& step) {
  Op op = step.overlapped.value_or(step.op);
  if (role(op.kind) != Role::gradient || !problem.recomputes(op.stage)) return std::nullopt;
  op.kind = OpKind::recompute;
  return op;
}

void append_with_recompute(const Problem& problem, const std::vector<Item>& items,
                           std::vector<Item>& result) {
  for (Item item : items) {
    if (Loop* loop = std::get_if<Loop>(&item.what)) {
      std::vector<Item> body;
      append_with_recompute(problem, loop->body, body);
      loop->body = std::move(body);
    } else if (Ops* ops = std::get_if<Ops>(&item.what)) {
      Ops all;
      for (const Op& op : *ops) {
        if (const auto recomputed = recomputation(problem, {op})) all.push_back(*recomputed);
        all.push_back(op);
      }
      *ops = std::move(all);
    } else if (const auto recomputed = recomputation(problem, std::get<Step>(item.what))) {
      result.push_back({.what = Step{*recomputed}, .stride = item.stride});
    }
    result.push_back(std::move(item));
  }
}

}  // namespace

bool operator==(const Loop& left, const Loop& right) {
  return left.count == right.count && left.body == right.body;
}

std::string token(const Step& step) {
  if (!step.overlapped) return token(step.op);
  return fmt::format("({};{})", token(step.op), token(*step.overlapped));
}

Item item(OpKind kind, Stage stage, std::int64_t microbatch) {
  return {.what = Step{Op{.kind = kind, .stage = stage, .microbatch = Microbatch{microbatch}}}};
}

Item forward(Stage stage, std::int64_t microbatch) {
  return item(OpKind::forward, stage, microbatch);
}

Item backward(Stage stage, std::int64_t microbatch) {
  return item(OpKind::backward, stage, microbatch);
}

Item backward_input(Stage stage, std::int64_t microbatch) {
  return item(OpKind::backward_input, stage, microbatch);
}

Item backward_weight(Stage stage, std::int64_t microbatch) {
  return item(OpKind::backward_weight, stage, microbatch);
}

Item overlapped(const Item& forward, const Item& gradient) {
  return {.what = Step{.op = std::get<Step>(forward.what).op,
                       .overlapped = std::get<Step>(gradient.what).op}};
}

Item repeat(std::int64_t count, std::vector<Item> body) {
  return {.what = Loop{.count = count, .body = std::move(body)}};
}

Item with_stride(Item item, std::int64_t stride) {
  item.stride = stride;
  return item;
}

void append(LaneOrder& order, const Step& step) {
  if (step.overlapped) {
    order.push_back({.what = step, .stride = 0});
    return;
  }
  if (order.empty() || !std::holds_alternative<Ops>(order.back().what)) {
    order.push_back({.what = Ops{}, .stride = 0});
  }
  std::get<Ops>(order.back().what).push_back(step.op);
}

Program unrolled(const std::vector<std::vector<Step>>& steps) {
  Program program;
  program.lanes.reserve(steps.size());
  for (const auto& of_device : steps) {
    LaneOrder& lane = program.lanes.emplace_back();
    for (const Step& step : of_device) append(lane, step);
  }
  return program;
}

bool is_op_by_op(const Program& program) {
  return std::all_of(program.lanes.begin(), program.lanes.end(), [](const LaneOrder& order) {
    return std::all_of(order.begin(), order.end(),
                       [](const Item& item) { return std::holds_alternative<Ops>(item.what); });
  });
}

std::int64_t step_count(const Program& program) {
  std::int64_t count = 0;
  for (const LaneOrder& order : program.lanes) {
    if (__builtin_add_overflow(count, step_count(order), &count)) throw_time_overflow();
  }
  return count;
}

std::int64_t step_count(const LaneOrder& order) {
  std::int64_t count = 0;
  for (const Item& item : order) {
    std::int64_t steps = 1;
    if (const Ops* ops = std::get_if<Ops>(&item.what)) {
      steps = static_cast<std::int64_t>(ops->size());
    } else if (const Loop* loop = std::get_if<Loop>(&item.what)) {
      const std::int64_t repetitions = std::max<std::int64_t>(loop->count, 0);
      if (__builtin_mul_overflow(repetitions, step_count(loop->body), &steps))
        throw_time_overflow();
    }
    if (__builtin_add_overflow(count, steps, &count)) throw_time_overflow();
  }
  return count;
}

StepCursor::StepCursor(const LaneOrder& order) {
  frames_.push_back({.items = &order, .at = 0, .op = 0, .repetition = 0, .count = 1, .offset = 0});
  settle();
}

Step StepCursor::step() const {
  const Frame& frame = frames_.back();
  const Item& item = (*frame.items)[frame.at];
  const std::int64_t offset = frame.offset + frame.repetition * item.stride;
  const Ops* ops = std::get_if<Ops>(&item.what);
  Step step = ops != nullptr ? Step{.op = (*ops)[frame.op]} : std::get<Step>(item.what);
  step.op.microbatch = Microbatch{step.op.microbatch.value + offset};
  if (step.overlapped) {
    step.overlapped->microbatch = Microbatch{step.overlapped->microbatch.value + offset};
  }
  return step;
}

void StepCursor::advance() {
  Frame& frame = frames_.back();
  const Ops* ops = std::get_if<Ops>(&(*frame.items)[frame.at].what);
  if (ops != nullptr && ++frame.op < ops->size()) return;
  frame.op = 0;
  ++frame.at;
  settle();
}

// Descends into loops and leaves finished ones until the cursor stands on an op or at the end.
void StepCursor::settle() {
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
    const Ops* ops = std::get_if<Ops>(&item.what);
    const Loop* loop = std::get_if<Loop>(&item.what);
    if (ops != nullptr ? !ops->empty() : loop == nullptr) return;
    if (ops != nullptr || loop->count <= 0 || loop->body.empty()) {
      ++frame.at;
      continue;
    }
    frames_.push_back({.items = &loop->body,
                       .at = 0,
                       .op = 0,
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

Program with_recompute(const Problem& problem, Program program) {
  const auto& stages = problem.recompute;
  if (std::find(stages.begin(), stages.end(), true) == stages.end()) return program;
  std::vector<bool> given(static_cast<std::size_t>(problem.stages()));
  for (const LaneOrder& order : program.lanes) mark_recomputed(order, given);
  Problem left = problem;
  for (std::size_t stage = 0; stage < left.recompute.size(); ++stage) {
    left.recompute[stage] = left.recompute[stage] && !given[stage];
  }
  for (LaneOrder& order : program.lanes) {
    LaneOrder result;
    append_with_recompute(left, order, result);
    order = std::move(result);
  }
  return program;
}

}  // namespace pipesim
