#include "sim/slot_grid.hpp"

#include <algorithm>

#include "sim/error.hpp"

namespace pipesim {

SlotGrid::SlotGrid(const Problem& problem, int microbatches, int slots_of_backward)
    : microbatches_(microbatches),
      slots_of_backward_(slots_of_backward),
      device_of_(problem.placement.device_of.front()),
      slots_(static_cast<std::size_t>(problem.devices)),
      starts_(2 * device_of_.size() * static_cast<std::size_t>(microbatches)) {
  PIPESIM_CHECK(problem.placement.flows() == 1);
}

Device SlotGrid::device(const Op& op) const {
  return device_of_[static_cast<std::size_t>(op.stage.value)];
}

int SlotGrid::end() const {
  std::size_t end = 0;
  for (const auto& slots : slots_) end = std::max(end, slots.size());
  return static_cast<int>(end);
}

const SlotGrid::Slot& SlotGrid::at(Device device, int slot) const {
  static constexpr Slot kFree;
  return slot < end(device) ? lane(device)[static_cast<std::size_t>(slot)] : kFree;
}

int SlotGrid::first_free(Device device, int from, int count) const {
  int free = 0;
  int slot = from;
  for (; free < count; ++slot) free = is_free(device, slot) ? free + 1 : 0;
  return slot - count;
}

int SlotGrid::ready(const Op& op) const {
  Op needed = op;
  if (op.kind == OpKind::backward_weight) return 0;
  if (op.kind == OpKind::forward) {
    if (op.stage == Stage{0}) return 0;
    --needed.stage.value;
  } else if (static_cast<std::size_t>(op.stage.value) + 1 < device_of_.size()) {
    ++needed.stage.value;
  } else {
    needed.kind = OpKind::forward;
  }
  return after(needed);
}

int SlotGrid::ready_in_turn(const Op& op) const {
  if (op.microbatch == Microbatch{0}) return ready(op);
  Op before = op;
  --before.microbatch.value;
  return std::max(ready(op), after(before));
}

void SlotGrid::place(const Op& op, int slot) {
  for (int i = 0; i < width(op); ++i) PIPESIM_CHECK(is_free(device(op), slot + i));
  put(op, slot);
}

void SlotGrid::move(const Op& op, int from, int to) {
  clear(device(op), from, width(op));
  put(op, to);
}

void SlotGrid::close(Device device, int slot) {
  if (slot >= end(device)) lane(device).resize(static_cast<std::size_t>(slot) + 1);
  lane(device)[static_cast<std::size_t>(slot)] = {.use = Use::closed, .op = {}};
}

void SlotGrid::remove_weights() {
  for (auto& slots : slots_) {
    for (Slot& slot : slots) {
      if (slot.use == Use::starts && slot.op.kind == OpKind::backward_weight) slot = {};
    }
  }
}

void SlotGrid::squeeze() {
  std::vector<int> free_from(slots_.size());
  for_each_op([&](const Op& op, int slot) {
    int& free = free_from[static_cast<std::size_t>(device(op).value)];
    const int to = std::max(free, ready(op));
    move(op, slot, to);
    free = to + width(op);
  });
}

std::size_t SlotGrid::index(const Op& op) const {
  const auto stages = device_of_.size();
  const std::size_t row =
      (role(op.kind) == Role::forward ? 0 : stages) + static_cast<std::size_t>(op.stage.value);
  return row * static_cast<std::size_t>(microbatches_) +
         static_cast<std::size_t>(op.microbatch.value);
}

void SlotGrid::put(const Op& op, int slot) {
  auto& slots = lane(device(op));
  const auto begin = static_cast<std::size_t>(slot);
  const std::size_t end = begin + static_cast<std::size_t>(width(op));
  if (slots.size() < end) slots.resize(end);
  for (std::size_t i = begin; i < end; ++i) {
    slots[i] = {.use = i == begin ? Use::starts : Use::goes_on, .op = op};
  }
  if (op.kind != OpKind::backward_weight) starts_[index(op)] = slot;
}

void SlotGrid::clear(Device device, int slot, int count) {
  std::fill_n(lane(device).begin() + slot, count, Slot{});
}

bool SlotGrid::repeats(int slot, int slots, int microbatches) const {
  for (int d = 0; d < devices(); ++d) {
    const Slot& first = at(Device{d}, slot);
    const Slot& again = at(Device{d}, slot + slots);
    const bool in_use = first.use == Use::starts || again.use == Use::starts;
    if (!in_use) continue;
    if (first.use != again.use || first.op.kind != again.op.kind ||
        first.op.stage != again.op.stage ||
        first.op.microbatch.value + microbatches != again.op.microbatch.value) {
      return false;
    }
  }
  return true;
}

std::optional<Repetition> SlotGrid::repetition(int microbatches) const {
  const int middle = (microbatches_ - microbatches) / 2;
  if (middle < 0 || microbatches_ < 2 * microbatches) return std::nullopt;
  const Op first{.kind = OpKind::forward, .stage = Stage{0}, .microbatch = Microbatch{middle}};
  Op again = first;
  again.microbatch.value += microbatches;
  const int slots = start(again) - start(first);
  Repetition longest{.begin = 0, .slots = slots, .count = 0, .microbatches = microbatches};
  const int last = end() - slots;
  int run = 0;
  for (int slot = 0; slot < last; ++slot) {
    run = repeats(slot, slots, microbatches) ? run + 1 : 0;
    if (run / slots + 1 > longest.count) {
      longest.begin = slot + 1 - run;
      longest.count = run / slots + 1;
    }
  }
  return longest.count < 2 ? std::nullopt : std::optional(longest);
}

LaneOrder SlotGrid::items(Device device, int begin, int end, std::int64_t later) const {
  LaneOrder order;
  for (int slot = begin; slot < end; ++slot) {
    const Slot& found = at(device, slot);
    if (found.use != Use::starts) continue;
    order.push_back(item(found.op.kind, found.op.stage, found.op.microbatch.value + later));
  }
  return order;
}

Program SlotGrid::program(const std::optional<Repetition>& repetition, std::int64_t more) const {
  Program program;
  // Without a repetition a loop that does not run: with more microbatches it would.
  const Repetition found = repetition.value_or(Repetition{.begin = end()});
  const int stop = found.begin + found.slots * found.count;
  for (int d = 0; d < devices(); ++d) {
    LaneOrder order = items(Device{d}, 0, found.begin, 0);
    LaneOrder body = items(Device{d}, found.begin, found.begin + found.slots, 0);
    for (Item& item : body) item.stride = found.microbatches;
    const std::int64_t repeated = more == 0 ? 0 : more / found.microbatches;
    order.push_back(repeat(found.count + repeated, std::move(body)));
    LaneOrder rest = items(Device{d}, stop, end(Device{d}), more);
    std::move(rest.begin(), rest.end(), std::back_inserter(order));
    program.lanes.push_back(std::move(order));
  }
  return program;
}

Program program_of_layout(std::int64_t microbatches, std::int64_t period, std::int64_t enough,
                          const std::function<SlotGrid(int microbatches)>& lay) {
  for (std::int64_t laid = enough; laid + period < microbatches; laid *= 2) {
    const std::int64_t some = laid + (microbatches - laid) % period;
    const SlotGrid grid = lay(static_cast<int>(some));
    const auto repetition = grid.repetition(static_cast<int>(period));
    // A few repetitions could be chance.
    if (repetition && std::int64_t{4} * repetition->count * period >= some) {
      return grid.program(repetition, microbatches - some);
    }
  }
  const SlotGrid grid = lay(static_cast<int>(microbatches));
  return grid.program(grid.repetition(static_cast<int>(period)), 0);
}

}  // namespace pipesim
