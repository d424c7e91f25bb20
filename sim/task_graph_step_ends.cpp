#include <algorithm>
#include <utility>

#include "sim/task_graph.hpp"

// What happens between two training steps: each stage's gradients are reduced, perhaps all devices
// wait for each other, each device's optimizer runs, and only then its next step begins.

namespace pipesim {

// A flow without a microbatch (m = 1) has no gradients. Every device has an optimizer task, of no
// length where none is given: it holds the next step back until the reductions are done.
void TaskGraph::add_step_ends() {
  const Iterations& iterations = problem_.iterations;
  step_ends_.resize(static_cast<std::size_t>(iterations.count) * devices());
  const auto add = [&](OpKind kind, Stage stage, Microbatch microbatch) {
    ops_.push_back({.kind = kind, .stage = stage, .microbatch = microbatch});
    return static_cast<TaskId>(ops_.size() - 1);
  };
  for (std::int32_t r = 0; r < iterations.count; ++r) {
    for (int flow = 0; flow < std::min(problem_.placement.flows(), problem_.microbatches); ++flow) {
      const Microbatch first{r * problem_.microbatches +
                             problem_.first_microbatch(Flow{flow}).value};
      for (int stage = 0; stage < problem_.stages(); ++stage) {
        const Device device =
            problem_.placement
                .device_of[static_cast<std::size_t>(flow)][static_cast<std::size_t>(stage)];
        StepEnd& end = step_end(static_cast<std::size_t>(device.value), r);
        if (!iterations.grad_sync.empty()) {
          end.grad_syncs.push_back(add(OpKind::grad_sync, Stage{stage}, first));
        }
        if (end.optimizer != kNoTask) continue;
        end.optimizer = add(OpKind::optimizer, Stage{stage}, first);
        if (!iterations.barrier) continue;
        end.barrier_in = add(OpKind::barrier, Stage{stage}, first);
        end.barrier_out = add(OpKind::release, Stage{stage}, first);
      }
    }
  }
}

void TaskGraph::wait(TaskId task, TaskId awaited) {
  awaited_[task].push_back(awaited);
  released_[awaited].push_back(task);
}

// Puts what ends each step between the steps of a compute lane, and links the lane.
void TaskGraph::link_compute_lane(std::size_t device, const std::vector<TaskId>& lane) {
  if (step_ends_.empty()) return link(lane);
  const bool overlap = problem_.iterations.overlap_grad_sync;
  std::vector<TaskId> whole;
  std::vector<TaskId> beside;
  auto next = lane.begin();
  for (std::int32_t r = 0; r < problem_.iterations.count; ++r) {
    while (next != lane.end() && iteration(*next) == r) whole.push_back(*next++);
    const TaskId last_step = whole.back();
    link_step_end(device, r, last_step);
    StepEnd& end = step_end(device, r);
    std::vector<TaskId>& syncs = overlap ? beside : whole;
    syncs.insert(syncs.end(), end.grad_syncs.begin(), end.grad_syncs.end());
    whole.push_back(end.optimizer);
  }
  link(whole);
  link(beside);
}

void TaskGraph::link_step_end(std::size_t device, std::int32_t iteration, TaskId last_step) {
  StepEnd& end = step_end(device, iteration);
  const TaskId steps = (lane_begin(device + 1) - lane_begin(device)) /
                       static_cast<TaskId>(problem_.iterations.count);
  const TaskId begin = lane_begin(device) + static_cast<TaskId>(iteration) * steps;
  // The last task of a stage on the lane makes the last of its gradients.
  const auto last_of_stage = [&](TaskId sync) {
    const auto belongs = [&](const Op& made) {
      return made.stage == op(sync).stage &&
             problem_.flow(made.microbatch) == problem_.flow(op(sync).microbatch);
    };
    for (TaskId id = begin + steps; id-- > begin;) {
      if (belongs(op(id)) || belongs(overlapped(id).value_or(op(id)))) return id;
    }
    return kNoTask;
  };
  std::vector<std::pair<TaskId, TaskId>> by_last;
  by_last.reserve(end.grad_syncs.size());
  for (const TaskId sync : end.grad_syncs) by_last.emplace_back(last_of_stage(sync), sync);
  std::sort(by_last.begin(), by_last.end());
  for (std::size_t i = 0; i < by_last.size(); ++i) {
    end.grad_syncs[i] = by_last[i].second;
    if (problem_.iterations.overlap_grad_sync) wait(by_last[i].second, by_last[i].first);
  }
  const TaskId last = end.grad_syncs.empty() ? last_step : end.grad_syncs.back();
  if (!problem_.iterations.barrier) {
    if (last != last_step) wait(end.optimizer, last);
    return;
  }
  wait(end.barrier_in, last);
  if (last != last_step) wait(end.barrier_in, last_step);
  wait(end.optimizer, end.barrier_out);
  if (device > 0) wait(end.barrier_in, step_end(device - 1, iteration).barrier_in);
  if (device + 1 == devices()) {
    wait(end.barrier_out, end.barrier_in);
  } else {
    wait(end.barrier_out, step_end(device + 1, iteration).barrier_out);
  }
}

}  // namespace pipesim
