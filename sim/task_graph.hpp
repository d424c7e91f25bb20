// The dependency graph: every step of a program and every transfer as a task, with the reasons why
// it must wait. Compute tasks are numbered by device and by place in the device's order; transfers
// follow, by sender and by place in the sender's order; then what ends each training step. Where
// only compute lanes have an order, an order edge is a neighbour and needs no storage.
// task_graph_boost.hpp makes it a graph of the Boost Graph Library.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// A vertex of the graph: 0..size()-1.
using TaskId = std::uint32_t;
inline constexpr TaskId kNoTask = 0xffffffff;

/// Why one task waits for another.
enum class EdgeKind : std::uint8_t {
  order,  ///< a lane does one thing at a time, in the order it is given
  data    ///< the result of one is the input of the other
};

/// One end of an edge as seen from the other.
struct Neighbor {
  TaskId task = kNoTask;
  EdgeKind kind = EdgeKind::order;
  Ticks latency;  ///< from the predecessor's end until the successor may start
};

/// The neighbours of one task in one direction, those of its lanes first; no allocation.
class NeighborList {
 public:
  void add(const Neighbor& neighbor) { std::construct_at(&items_.list[size_++], neighbor); }
  const Neighbor& operator[](std::size_t index) const { return items_.list[index]; }
  const Neighbor* begin() const { return items_.list.data(); }
  const Neighbor* end() const { return items_.list.data() + size_; }
  std::size_t size() const { return size_; }

 private:
  // Most lists have two or three neighbours: the places of the others are never written.
  union Items {
    Items() {}                      // NOLINT(modernize-use-equals-default): it would be deleted
    std::array<Neighbor, 12> list;  // three lanes, the data of two overlapped ops, a step's end
  };
  Items items_;
  std::size_t size_ = 0;
};

class TaskGraph {
 public:
  /// Unrolls the program, once for each step of the run. Requires a program that
  /// validate_program() accepts for this problem.
  /// Throws Error if there are 2^32 - 1 tasks or more, and if the eager order of transfers finds
  /// a deadlock.
  TaskGraph(const Problem& problem, const Program& program);

  /// The same graph in which what each node's shared link sends has this order: a lane like any
  /// other. `orders` holds the transfers of each node.
  TaskGraph with_shared_link_orders(const std::vector<std::vector<TaskId>>& orders) const;

  std::size_t size() const { return ops_.size(); }
  /// Tasks below this one are the program's: they compute, or park activations.
  std::size_t compute_tasks() const { return lane_begin_.back(); }
  bool computes(TaskId task) const { return task < compute_tasks(); }
  bool is_transfer(TaskId task) const { return is_send(ops_[task].kind); }
  /// The compute tasks of a device are [lane_begin(device), lane_begin(device + 1)), in order.
  TaskId lane_begin(std::size_t device) const { return lane_begin_[device]; }
  std::size_t devices() const { return lane_begin_.size() - 1; }

  const Problem& problem() const { return problem_; }
  /// Of overlapped ops the forward; of a transfer the send.
  const Op& op(TaskId task) const { return ops_[task]; }
  /// The second of two overlapped ops.
  std::optional<Op> overlapped(TaskId task) const;
  Step step(TaskId task) const { return {.op = op(task), .overlapped = overlapped(task)}; }
  /// The device that computes, or sends.
  Device device(TaskId task) const { return problem_.device(ops_[task]); }
  /// From its start to its end, if it starts then: a straggler's ops depend on it.
  Ticks duration(TaskId task, Ticks start) const;
  /// The same without stragglers.
  Ticks nominal_duration(TaskId task) const;
  /// The task of the op in that role, or kNoTask.
  TaskId find(Role role, Stage stage, Microbatch microbatch) const;
  /// The task of the transfer that a send op names, or kNoTask if transfers are no tasks here.
  TaskId find_transfer(const Op& send) const;
  /// The node whose shared link a task must be granted before it starts: a transfer to another
  /// node, where there is such a link and its order is decided at run time.
  std::optional<std::int32_t> shared_link(TaskId task) const;

  NeighborList predecessors(TaskId task) const;
  NeighborList successors(TaskId task) const;

 private:
  using OrderNeighbors = std::array<TaskId, 3>;

  std::size_t cell(Stage stage, Microbatch microbatch) const {
    return static_cast<std::size_t>(stage.value) *
               static_cast<std::size_t>(problem_.total_microbatches()) +
           static_cast<std::size_t>(microbatch.value);
  }
  /// The tasks that end one training step on one device.
  struct StepEnd {
    std::vector<TaskId> grad_syncs;  // in the order in which their stages' backwards end
    TaskId optimizer = kNoTask;
    TaskId barrier_in = kNoTask;   // this device and all before it have come as far
    TaskId barrier_out = kNoTask;  // all devices have
  };

  void add_step(Step step, std::int32_t microbatches_before);
  void add_transfers();
  void add_step_ends();
  void link_compute_lane(std::size_t device, const std::vector<TaskId>& lane);
  void link_links();
  void link_actions(const Program& program);
  void link(const std::vector<TaskId>& lane);
  void wait(TaskId task, TaskId awaited);
  void link_step_end(std::size_t device, std::int32_t iteration, TaskId last_step);
  std::int32_t iteration(TaskId task) const {
    return ops_[task].microbatch.value / problem_.microbatches;
  }
  StepEnd& step_end(std::size_t device, std::int32_t iteration) {
    return step_ends_[static_cast<std::size_t>(iteration) * devices() + device];
  }
  void add_inputs(NeighborList& list, TaskId id, const Op& op) const;
  void add_outputs(NeighborList& list, TaskId id, const Op& op) const;

  Problem problem_;
  std::vector<Op> ops_;             // by task
  std::vector<Op> overlapped_;      // by compute task; empty if nothing overlaps
  std::vector<TaskId> lane_begin_;  // by device, and the end of the last
  // By role, stage and microbatch; empty for a role that no op has.
  std::array<std::vector<TaskId>, kRoles> task_of_op_;
  // By sender's role (forward, gradient), stage and microbatch; empty if transfers are no tasks.
  std::array<std::vector<TaskId>, 2> task_of_send_;
  // By task, where transfers stand on lanes; empty if order edges are neighbours.
  std::vector<OrderNeighbors> before_;
  std::vector<OrderNeighbors> after_;
  std::vector<StepEnd> step_ends_;  // by iteration and device; empty if a step just ends
  // The few edges that no lane and no data accounts for, at the ends of steps.
  std::unordered_map<TaskId, std::vector<TaskId>> awaited_;
  std::unordered_map<TaskId, std::vector<TaskId>> released_;
  bool shared_link_is_ordered_ = false;
};

/// Bytes that the graph, its timeline, its analysis and its pictures take for one op with its
/// transfers, an upper bound that memory estimates use: 90 were measured for an op alone, 260 with
/// transfers by rendezvous, 270 with a page.
inline constexpr std::int64_t kBytesPerTask = 272;

}  // namespace pipesim
