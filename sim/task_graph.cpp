#include "sim/task_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "sim/dependencies.hpp"
#include "sim/error.hpp"
#include "sim/transfer_order.hpp"

namespace pipesim {

namespace {

constexpr Op kNoOp = {.kind = OpKind::backward, .stage = Stage{-1}, .microbatch = Microbatch{-1}};
constexpr std::array<TaskId, 3> kNoNeighbors = {kNoTask, kNoTask, kNoTask};

/// Whether transfers are tasks, or only a delay between two of them.
bool has_transfers(const Communication& communication) {
  return communication.mode != TransferMode::free || communication.shared_link.has_value();
}

std::size_t sender_index(OpKind send) { return send == OpKind::send_forward ? 0 : 1; }

void add_neighbor(std::array<TaskId, 3>& neighbors, TaskId task) {
  auto free = std::find(neighbors.begin(), neighbors.end(), kNoTask);
  PIPESIM_CHECK(free != neighbors.end());
  *free = task;
}

}  // namespace

TaskGraph::TaskGraph(const Problem& problem, const Program& program) : problem_(problem) {
  const std::int64_t steps = step_count(program) * problem.iterations.count;
  const std::int64_t most_tasks = has_transfers(problem.communication) ? 3 * steps : steps;
  if (most_tasks >= kNoTask) {
    throw Error(Fault{.pointer = "/m",
                      .what = fmt::format("{} tasks", most_tasks),
                      .allowed = fmt::format("at most {}", kNoTask - 1)});
  }
  ops_.reserve(static_cast<std::size_t>(steps));
  for (const LaneOrder& order : program.lanes) {
    lane_begin_.push_back(static_cast<TaskId>(ops_.size()));
    for (std::int32_t r = 0; r < problem.iterations.count; ++r) {
      for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
        add_step(cursor.step(), r * problem.microbatches);
      }
    }
  }
  lane_begin_.push_back(static_cast<TaskId>(ops_.size()));
  if (!overlapped_.empty()) overlapped_.resize(ops_.size(), kNoOp);
  if (has_transfers(problem.communication)) add_transfers();
  if (problem.iterations.has_tasks()) add_step_ends();
  if (compute_tasks() == size()) return;

  before_.assign(size(), kNoNeighbors);
  after_.assign(size(), kNoNeighbors);
  const TransferMode mode = problem.communication.mode;
  if (mode == TransferMode::async) link_links();
  if (mode == TransferMode::single_stream || mode == TransferMode::rendezvous) {
    link_actions(program);
  }
  if (mode != TransferMode::rendezvous) {
    for (std::size_t device = 0; device < devices(); ++device) {
      std::vector<TaskId> lane;
      for (TaskId id = lane_begin(device); id < lane_begin(device + 1); ++id) lane.push_back(id);
      link_compute_lane(device, lane);
    }
  }
}

void TaskGraph::add_step(Step step, std::int32_t microbatches_before) {
  const auto id = static_cast<TaskId>(ops_.size());
  const auto add = [&](Op& op) {
    op.microbatch = Microbatch{op.microbatch.value + microbatches_before};
    auto& tasks = task_of_op_[static_cast<std::size_t>(role(op.kind))];
    if (tasks.empty()) tasks.resize(cell(Stage{problem_.stages()}, Microbatch{0}), kNoTask);
    tasks[cell(op.stage, op.microbatch)] = id;
  };
  add(step.op);
  ops_.push_back(step.op);
  if (!step.overlapped) return;
  add(*step.overlapped);
  overlapped_.resize(id + 1, kNoOp);
  overlapped_[id] = *step.overlapped;
}

void TaskGraph::add_transfers() {
  for (auto& tasks : task_of_send_) {
    tasks.resize(cell(Stage{problem_.stages()}, Microbatch{0}), kNoTask);
  }
  for (TaskId id = 0; id < compute_tasks(); ++id) {
    for (const Op& send : sends_of(problem_, step(id))) {
      task_of_send_[sender_index(send.kind)][cell(send.stage, send.microbatch)] =
          static_cast<TaskId>(ops_.size());
      ops_.push_back(send);
    }
  }
}

// Every lane is a sequence of tasks; a transfer may stand on two of them.
void TaskGraph::link_links() {
  std::map<std::pair<Device, Device>, std::vector<TaskId>> links;
  for (auto id = static_cast<TaskId>(compute_tasks()); id < size(); ++id) {
    if (is_transfer(id)) links[{device(id), receiver(problem_, op(id))}].push_back(id);
  }
  for (const auto& [devices, lane] : links) link(lane);
}

// Sends and receives are posted anew in every step, as a training loop does.
void TaskGraph::link_actions(const Program& program) {
  const bool on_compute_lane = problem_.communication.mode == TransferMode::rendezvous;
  const auto actions = with_transfers(problem_, program, problem_.communication.recv_posting);
  for (std::size_t device = 0; device < devices(); ++device) {
    std::vector<TaskId> lane;
    for (std::int32_t r = 0; r < problem_.iterations.count; ++r) {
      for (const Action& action : actions[device]) {
        const bool computes = action.kind == Action::Kind::compute;
        if (computes && !on_compute_lane) continue;
        Op op = computes ? action.step.op : action.send;
        op.microbatch = Microbatch{op.microbatch.value + r * problem_.microbatches};
        lane.push_back(computes ? find(role(op.kind), op.stage, op.microbatch) : find_transfer(op));
      }
    }
    if (on_compute_lane) {
      link_compute_lane(device, lane);
    } else {
      link(lane);
    }
  }
}

void TaskGraph::link(const std::vector<TaskId>& lane) {
  for (std::size_t i = 1; i < lane.size(); ++i) {
    add_neighbor(after_[lane[i - 1]], lane[i]);
    add_neighbor(before_[lane[i]], lane[i - 1]);
  }
}

TaskGraph TaskGraph::with_shared_link_orders(const std::vector<std::vector<TaskId>>& orders) const {
  TaskGraph ordered = *this;
  for (const std::vector<TaskId>& order : orders) ordered.link(order);
  ordered.shared_link_is_ordered_ = true;
  return ordered;
}

std::optional<Op> TaskGraph::overlapped(TaskId task) const {
  if (overlapped_.empty() || !computes(task)) return std::nullopt;
  const Op& op = overlapped_[task];
  return op == kNoOp ? std::nullopt : std::optional<Op>(op);
}

Ticks TaskGraph::duration(TaskId task, Ticks start) const {
  const Ticks nominal = nominal_duration(task);
  if (problem_.stragglers.empty() || !is_compute(op(task).kind)) return nominal;
  return problem_.slowed(nominal, device(task), start);
}

Ticks TaskGraph::nominal_duration(TaskId task) const {
  const Op& first = ops_[task];
  const Iterations& iterations = problem_.iterations;
  if (computes(task)) return problem_.duration(first, overlapped(task));
  if (first.kind == OpKind::grad_sync && !iterations.grad_sync.empty()) {
    return iterations.grad_sync[static_cast<std::size_t>(first.stage.value)];
  }
  if (first.kind == OpKind::optimizer && !iterations.optimizer.empty()) {
    return iterations.optimizer[static_cast<std::size_t>(device(task).value)];
  }
  if (!is_transfer(task)) return {};
  const Communication& communication = problem_.communication;
  const Device from = device(task);
  const Device to = receiver(problem_, first);
  const Link link = problem_.link(from, to);
  if (communication.mode == TransferMode::single_stream ||
      communication.mode == TransferMode::rendezvous) {
    return link.latency + link.occupancy;
  }
  const bool leaves_node = communication.node(from) != communication.node(to);
  if (communication.shared_link && leaves_node) {
    return std::max(link.occupancy, *communication.shared_link);
  }
  return link.occupancy;
}

TaskId TaskGraph::find(Role role, Stage stage, Microbatch microbatch) const {
  const auto& tasks = task_of_op_[static_cast<std::size_t>(role)];
  return tasks.empty() ? kNoTask : tasks[cell(stage, microbatch)];
}

TaskId TaskGraph::find_transfer(const Op& send) const {
  const auto& tasks = task_of_send_[sender_index(send.kind)];
  return tasks.empty() ? kNoTask : tasks[cell(send.stage, send.microbatch)];
}

std::optional<std::int32_t> TaskGraph::shared_link(TaskId task) const {
  const Communication& communication = problem_.communication;
  if (!communication.shared_link || shared_link_is_ordered_ || !is_transfer(task)) {
    return std::nullopt;
  }
  const std::int32_t node = communication.node(device(task));
  if (communication.node(receiver(problem_, op(task))) == node) return std::nullopt;
  return node;
}

namespace {

/// From the end of a transfer until its result is there. Where it keeps its lanes until then,
/// nothing is left.
Ticks latency_after(const Problem& problem, Device from, Device to) {
  const TransferMode mode = problem.communication.mode;
  const bool until_arrival =
      mode == TransferMode::single_stream || mode == TransferMode::rendezvous;
  return until_arrival ? Ticks{0} : problem.link(from, to).latency;
}

Op send_from(Role role, Stage stage, Microbatch microbatch) {
  return {.kind = role == Role::forward ? OpKind::send_forward : OpKind::send_backward,
          .stage = stage,
          .microbatch = microbatch};
}

}  // namespace

void TaskGraph::add_inputs(NeighborList& list, TaskId id, const Op& op) const {
  const Device here = problem_.device(op);
  for (const Dependency& needed : data_predecessors(problem_, op)) {
    const TaskId producer = find(needed.role, needed.stage, needed.microbatch);
    if (producer == id || producer == kNoTask) continue;
    const Device there = problem_.device(needed.stage, needed.microbatch);
    const TaskId transfer =
        here == there ? kNoTask
                      : find_transfer(send_from(needed.role, needed.stage, needed.microbatch));
    if (transfer != kNoTask) {
      list.add({.task = transfer,
                .kind = EdgeKind::data,
                .latency = latency_after(problem_, there, here)});
    } else {
      const Link link = problem_.link(there, here);
      list.add(
          {.task = producer, .kind = EdgeKind::data, .latency = link.latency + link.occupancy});
    }
  }
}

void TaskGraph::add_outputs(NeighborList& list, TaskId id, const Op& op) const {
  const Device here = problem_.device(op);
  for (const Dependency& fed : data_successors(problem_, op)) {
    const TaskId consumer = find(fed.role, fed.stage, fed.microbatch);
    if (consumer == id || consumer == kNoTask) continue;
    const Device there = problem_.device(fed.stage, fed.microbatch);
    const TaskId transfer =
        here == there ? kNoTask : find_transfer(send_from(role(op.kind), op.stage, op.microbatch));
    if (transfer != kNoTask) {
      list.add({.task = transfer, .kind = EdgeKind::data, .latency = {}});
    } else {
      const Link link = problem_.link(here, there);
      list.add(
          {.task = consumer, .kind = EdgeKind::data, .latency = link.latency + link.occupancy});
    }
  }
}

NeighborList TaskGraph::predecessors(TaskId id) const {
  NeighborList list;
  if (!before_.empty()) {
    for (const TaskId task : before_[id]) {
      if (task != kNoTask) list.add({.task = task, .kind = EdgeKind::order, .latency = {}});
    }
  } else if (id != lane_begin(static_cast<std::size_t>(device(id).value))) {
    list.add({.task = id - 1, .kind = EdgeKind::order, .latency = {}});
  }
  if (const auto found = awaited_.find(id); found != awaited_.end()) {
    for (const TaskId task : found->second) {
      list.add({.task = task, .kind = EdgeKind::data, .latency = {}});
    }
  }
  if (!computes(id) && !is_transfer(id)) return list;
  if (is_transfer(id)) {
    const Op& send = op(id);
    const Role sender = send.kind == OpKind::send_forward ? Role::forward : Role::gradient;
    list.add(
        {.task = find(sender, send.stage, send.microbatch), .kind = EdgeKind::data, .latency = {}});
    return list;
  }
  add_inputs(list, id, op(id));
  if (const std::optional<Op> second = overlapped(id)) add_inputs(list, id, *second);
  return list;
}

NeighborList TaskGraph::successors(TaskId id) const {
  NeighborList list;
  if (!after_.empty()) {
    for (const TaskId task : after_[id]) {
      if (task != kNoTask) list.add({.task = task, .kind = EdgeKind::order, .latency = {}});
    }
  } else if (id + 1 != lane_begin(static_cast<std::size_t>(device(id).value) + 1)) {
    list.add({.task = id + 1, .kind = EdgeKind::order, .latency = {}});
  }
  if (const auto found = released_.find(id); found != released_.end()) {
    for (const TaskId task : found->second) {
      list.add({.task = task, .kind = EdgeKind::data, .latency = {}});
    }
  }
  if (!computes(id) && !is_transfer(id)) return list;
  if (is_transfer(id)) {
    const Op& send = op(id);
    const bool is_forward = send.kind == OpKind::send_forward;
    const Device to = receiver(problem_, send);
    list.add({.task = find(is_forward ? Role::forward : Role::gradient,
                           Stage{send.stage.value + (is_forward ? 1 : -1)}, send.microbatch),
              .kind = EdgeKind::data,
              .latency = latency_after(problem_, device(id), to)});
    return list;
  }
  add_outputs(list, id, op(id));
  if (const std::optional<Op> second = overlapped(id)) add_outputs(list, id, *second);
  return list;
}

}  // namespace pipesim
