#include "sim/list_schedule.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "sim/error.hpp"
#include "sim/memory.hpp"

namespace pipesim {

namespace {

/// What memory.limit leaves for the activations of a device, at least 0.
Int128 left_for_activations(const Memory& rules, std::int64_t resident, int messages) {
  if (!rules.limit) return kNoBudget;
  return std::max<Int128>(Int128{*rules.limit} - resident - Int128{rules.message} * messages, 0);
}

/// How often the `period` ops from `begin` on stand one after another, each time with the next
/// microbatches.
std::size_t repetitions(const std::vector<Op>& ops, std::size_t begin, std::size_t period) {
  std::size_t end = begin + period;
  while (end < ops.size()) {
    Op next = ops[end - period];
    next.microbatch = Microbatch{next.microbatch.value + 1};
    if (ops[end] != next) break;
    ++end;
  }
  return (end - begin) / period;
}

/// What a device can do next.
struct Choice {
  Ticks start;
  OpKind kind = OpKind::forward;
  Stage stage;  // of no meaning for a weight gradient
};

bool may_start(const ListSchedule& schedule, OpKind kind, Stage stage) {
  if (!schedule.is_ready(kind, stage)) return false;
  const Device device = schedule.device(stage);
  const bool enters = kind == OpKind::forward && stage == schedule.stages(device).front();
  return enters ? schedule.fits_microbatch(device) : schedule.fits(kind, stage);
}

/// What the device can start first; nothing if it cannot go on.
std::optional<Choice> first_choice(const ListSchedule& schedule, Device device) {
  const std::vector<Stage>& stages = schedule.stages(device);
  const Ticks clock = schedule.clock(device);
  std::optional<Choice> first;
  for (const OpKind kind : {OpKind::backward_input, OpKind::forward}) {
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      if (!may_start(schedule, kind, *stage)) continue;
      const Ticks start = clock + schedule.gap(kind, *stage);
      if (!first || start < first->start) first = {start, kind, *stage};
    }
  }
  if (schedule.has_pending_weight(device) && (!first || first->start > clock)) {
    first = {clock, OpKind::backward_weight, stages.front()};
  }
  return first;
}

}  // namespace

std::vector<ActivationUse> activation_uses(const Problem& problem) {
  const Memory rules = memory_rules(problem);
  std::vector<ActivationUse> uses;
  for (int s = 0; s < problem.stages(); ++s) {
    const StageMemory& memory = rules.stages[static_cast<std::size_t>(s)];
    if (problem.recomputes(Stage{s})) {
      uses.push_back({.forward = memory.input,
                      .recompute = memory.activation,
                      .pending = memory.input + memory.kept_for_weight});
    } else {
      uses.push_back({.forward = memory.activation, .pending = memory.kept_for_weight});
    }
  }
  return uses;
}

std::vector<std::int64_t> memory_budgets(const Problem& problem,
                                         std::optional<std::int64_t> microbatches, int messages) {
  const Memory rules = memory_rules(problem);
  const std::vector<std::int64_t> resident = resident_memory(problem);
  std::vector<Int128> activations(resident.size());
  std::vector<Int128> least(resident.size());
  const std::vector<ActivationUse> uses = activation_uses(problem);
  for (std::size_t s = 0; s < uses.size(); ++s) {
    const auto device = static_cast<std::size_t>(problem.device(Stage{s}, Microbatch{0}).value);
    activations[device] += rules.stages[s].activation;
    least[device] += Int128{uses[s].forward} + uses[s].recompute;
  }
  std::vector<std::int64_t> budgets;
  for (std::size_t device = 0; device < resident.size(); ++device) {
    Int128 budget = left_for_activations(rules, resident[device], messages);
    if (microbatches) budget = std::min(budget, *microbatches * activations[device]);
    budget = std::max(budget, least[device]);
    budgets.push_back(static_cast<std::int64_t>(std::min<Int128>(budget, kNoBudget)));
  }
  return budgets;
}

std::vector<int> buffered_messages(const Problem& problem) {
  constexpr int kToAndFromEachNeighbor = 4;
  if (problem.memory.message == 0 || !problem.memory.limit) return {0};
  return {0, kToAndFromEachNeighbor};
}

std::vector<std::int64_t> most_activations(const Problem& problem,
                                           const std::vector<std::int64_t>& budgets) {
  const std::vector<ActivationUse> uses = activation_uses(problem);
  std::vector<std::int64_t> all(budgets.size());
  std::vector<std::int64_t> least(budgets.size(), kNoBudget);  // that a pair takes
  std::vector<std::int64_t> first(budgets.size(), kNoBudget);  // one of them has just started
  for (std::size_t s = 0; s < uses.size(); ++s) {
    const auto device = static_cast<std::size_t>(problem.device(Stage{s}, Microbatch{0}).value);
    all[device] += problem.microbatches;
    least[device] = std::min({least[device], uses[s].forward, uses[s].pending});
    first[device] = std::min(first[device], uses[s].forward);
  }
  // What recomputes keeps no more than its input, which no budget counts.
  const bool recomputes = std::find(problem.recompute.begin(), problem.recompute.end(), true) !=
                          problem.recompute.end();
  for (std::size_t device = 0; device < budgets.size(); ++device) {
    if (recomputes || budgets[device] == kNoBudget || least[device] == 0) continue;
    all[device] = std::min(all[device], 1 + (budgets[device] - first[device]) / least[device]);
  }
  return all;
}

ListSchedule::ListSchedule(const Problem& problem, const std::vector<std::int64_t>& budgets)
    : problem_(problem), microbatches_(problem.microbatches), lanes_(budgets.size()) {
  PIPESIM_CHECK(problem.placement.flows() == 1);
  for (std::size_t device = 0; device < budgets.size(); ++device) {
    lanes_[device].budget = budgets[device];
  }
  for (const ActivationUse& use : activation_uses(problem)) {
    const Stage stage{stages_.size()};
    StageState& state = stages_.emplace_back();
    state.device = problem.device(stage, Microbatch{0});
    state.taken = {use.forward, use.recompute, 0};
    state.released = {0, use.forward + use.recompute - use.pending, use.pending};
    Lane& lane = lanes_[at(state.device)];
    lane.stages.push_back(stage);
    lane.recompute = std::max(lane.recompute, use.recompute);
  }
}

bool ListSchedule::has_exact_times(const Problem& problem) {
  return problem.communication.mode == TransferMode::free && !problem.communication.shared_link &&
         problem.stragglers.empty();
}

std::size_t ListSchedule::at(OpKind kind) {
  PIPESIM_CHECK(kind == OpKind::forward || kind == OpKind::backward_input ||
                kind == OpKind::backward_weight);
  return kind == OpKind::forward ? 0 : kind == OpKind::backward_input ? 1 : 2;
}

bool ListSchedule::is_ready(OpKind kind, Stage stage) const {
  if (!has_next(kind, stage)) return false;
  const std::int32_t next = count(kind, stage);
  if (kind == OpKind::forward) {
    return stage == Stage{0} || count(kind, Stage{stage.value - 1}) > next;
  }
  const bool is_last = at(stage) + 1 == stages_.size();
  return count(OpKind::forward, stage) > next &&
         (is_last || count(kind, Stage{stage.value + 1}) > next);
}

Ticks ListSchedule::duration(OpKind kind, Stage stage, std::int32_t microbatch) const {
  const Op op = {.kind = kind, .stage = stage, .microbatch = Microbatch{microbatch}};
  return problem_.duration(op, std::nullopt) + lead(kind, stage, microbatch);
}

Ticks ListSchedule::lead(OpKind kind, Stage stage, std::int32_t microbatch) const {
  if (kind != OpKind::backward_input || !problem_.recomputes(stage)) return {};
  const Op op = {.kind = OpKind::recompute, .stage = stage, .microbatch = Microbatch{microbatch}};
  return problem_.duration(op, std::nullopt);
}

Ticks ListSchedule::transfer_time(Stage from, Stage to) const {
  const Link link = problem_.link(stages_[at(from)].device, stages_[at(to)].device);
  return link.occupancy + link.latency;
}

Ticks ListSchedule::arrival(OpKind kind, Stage stage) const {
  const Stage from{stage.value + (kind == OpKind::forward ? -1 : 1)};
  if (from < Stage{0} || at(from) == stages_.size()) return {};
  if (stages_[at(from)].device == stages_[at(stage)].device) return {};
  const std::int32_t next = count(kind, stage);
  const Ticks end = stages_[at(from)].ends[at(kind)][static_cast<std::size_t>(next)];
  return end + transfer_time(from, stage) - lead(kind, stage, next);
}

Ticks ListSchedule::gap(OpKind kind, Stage stage) const {
  return std::max(arrival(kind, stage) - clock(stages_[at(stage)].device), Ticks{});
}

bool ListSchedule::fits(OpKind kind, Stage stage, std::int64_t forwards) const {
  const StageState& state = stages_[at(stage)];
  const Lane& lane = lanes_[at(state.device)];
  if (lane.budget == kNoBudget) return true;
  Int128 amount = lane.memory;
  amount += Int128{state.taken[at(OpKind::forward)]} * forwards + state.taken[at(kind)];
  if (kind == OpKind::forward) amount += lane.recompute;
  return amount <= lane.budget;
}

bool ListSchedule::fits_microbatch(Device device) const {
  const Lane& lane = lanes_[at(device)];
  if (lane.budget == kNoBudget) return true;
  Int128 amount = Int128{lane.memory} + lane.recompute;
  const std::int64_t entered = count(OpKind::forward, lane.stages.front()) + 1;
  for (const Stage stage : lane.stages) {
    amount += Int128{stages_[at(stage)].taken[at(OpKind::forward)]} *
              (entered - count(OpKind::forward, stage));
  }
  return amount <= lane.budget;
}

Ticks ListSchedule::time_to_make_room(OpKind kind, Stage stage) const {
  const StageState& state = stages_[at(stage)];
  const Lane& lane = lanes_[at(state.device)];
  Ticks time;
  if (lane.budget == kNoBudget) return time;
  Int128 excess = Int128{lane.memory} + state.taken[at(kind)] - lane.budget;
  if (kind == OpKind::forward) excess += lane.recompute;
  for (auto op = lane.pending.begin(); excess > 0 && op != lane.pending.end(); ++op) {
    time += duration(op->kind, op->stage, op->microbatch.value);
    excess -= stages_[at(op->stage)].released[at(op->kind)];
  }
  return time;
}

void ListSchedule::append(const Op& op, Ticks earliest) {
  StageState& stage = stages_[at(op.stage)];
  Lane& lane = lanes_[at(stage.device)];
  const Ticks start = std::max(lane.clock, earliest);
  if (lane.ops.empty()) {
    lane.first_start = start;
  } else {
    lane.bubble += start - lane.clock;
  }
  lane.clock = start + duration(op.kind, op.stage, op.microbatch.value);
  lane.ops.push_back(op);
  ++stage.counts[at(op.kind)];
  if (lane.budget == kNoBudget) return;
  lane.memory += stage.taken[at(op.kind)] - stage.released[at(op.kind)];
}

void ListSchedule::put(OpKind kind, Stage stage) {
  PIPESIM_CHECK(kind != OpKind::backward_weight && is_ready(kind, stage));
  Op op = {.kind = kind, .stage = stage, .microbatch = Microbatch{count(kind, stage)}};
  append(op, arrival(kind, stage));
  StageState& state = stages_[at(stage)];
  Lane& lane = lanes_[at(state.device)];
  state.ends[at(kind)].push_back(lane.clock);
  if (kind == OpKind::forward) return;
  op.kind = OpKind::backward_weight;
  lane.pending.push_back(op);
}

void ListSchedule::put_weight(Device device) {
  Lane& lane = lanes_[at(device)];
  PIPESIM_CHECK(!lane.pending.empty());
  append(lane.pending.front(), lane.clock);
  lane.pending.pop_front();
}

void ListSchedule::put_pending_weights(Device device) {
  while (has_pending_weight(device)) put_weight(device);
}

bool ListSchedule::make_room(OpKind kind, Stage stage) {
  const Device device = stages_[at(stage)].device;
  while (!fits(kind, stage)) {
    if (!has_pending_weight(device)) return false;
    put_weight(device);
  }
  return true;
}

void ListSchedule::fill_gap(OpKind kind, Stage stage) {
  const Device device = stages_[at(stage)].device;
  const Lane& lane = lanes_[at(device)];
  const Ticks until = arrival(kind, stage);
  while (!lane.pending.empty()) {
    const Op& next = lane.pending.front();
    if (lane.clock + duration(next.kind, next.stage, next.microbatch.value) > until) return;
    put_weight(device);
  }
}

Ticks ListSchedule::longest_span() const {
  Ticks longest;
  for (const Lane& lane : lanes_) longest = std::max(longest, lane.clock - lane.first_start);
  return longest;
}

Ticks ListSchedule::makespan() const {
  Ticks latest;
  for (const Lane& lane : lanes_) latest = std::max(latest, lane.clock);
  return latest;
}

Program ListSchedule::program() const {
  Program program;
  for (const Lane& lane : lanes_) program.lanes.push_back(with_loops(lane.ops));
  return program;
}

ListSchedule place_greedily(const Problem& problem, const std::vector<std::int64_t>& budgets) {
  ListSchedule schedule(problem, budgets);
  std::vector<Choice> choices(static_cast<std::size_t>(problem.devices));
  std::set<std::pair<Ticks, Device>> queue;
  const auto choose = [&](Device device) {
    Choice& choice = choices[static_cast<std::size_t>(device.value)];
    queue.erase({choice.start, device});
    if (const auto first = first_choice(schedule, device)) {
      choice = *first;
      queue.emplace(choice.start, device);
    }
  };
  for (int device = 0; device < problem.devices; ++device) choose(Device{device});
  while (!queue.empty()) {
    const Device device = queue.begin()->second;
    const Choice choice = choices[static_cast<std::size_t>(device.value)];
    if (choice.kind == OpKind::backward_weight) {
      schedule.put_weight(device);
    } else {
      schedule.put(choice.kind, choice.stage);
    }
    choose(device);
    // What the op made possible elsewhere.
    const int next = choice.stage.value + (choice.kind == OpKind::forward ? 1 : -1);
    if (next >= 0 && next < problem.stages()) choose(schedule.device(Stage{next}));
  }
  return schedule;
}

LaneOrder with_loops(const std::vector<Op>& ops) {
  constexpr std::size_t kLongestPattern = 8;
  LaneOrder order;
  for (std::size_t begin = 0; begin < ops.size();) {
    std::size_t period = 1;
    std::size_t count = repetitions(ops, begin, period);
    for (std::size_t longer = 2; longer <= std::min(kLongestPattern, ops.size() - begin);
         ++longer) {
      const std::size_t repeated = repetitions(ops, begin, longer);
      if (longer * (repeated - 1) <= period * (count - 1)) continue;
      period = longer;
      count = repeated;
    }
    std::vector<Item> body;
    for (std::size_t i = begin; i < begin + period; ++i) {
      body.push_back(item(ops[i].kind, ops[i].stage, ops[i].microbatch.value));
    }
    if (count == 1) {
      order.push_back(std::move(body.front()));
    } else {
      order.push_back(repeat(static_cast<std::int64_t>(count), std::move(body)));
    }
    begin += period * count;
  }
  return order;
}

}  // namespace pipesim
