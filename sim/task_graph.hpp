// The dependency graph: every op of a program as a task, with the reasons why it must wait. Tasks
// are numbered by lane and by place in the lane's order, so an order edge is a neighbour and needs
// no storage; data edges come from dependencies.hpp. task_graph_boost.hpp makes it a graph of the
// Boost Graph Library.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/error.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// A vertex of the graph: 0..size()-1.
using TaskId = std::uint32_t;
inline constexpr TaskId kNoTask = 0xffffffff;

/// Why one task waits for another.
enum class EdgeKind : std::uint8_t {
  order,  ///< the lane does one thing at a time, in the program's order
  data    ///< the result of one is the input of the other
};

/// One end of an edge as seen from the other.
struct Neighbor {
  TaskId task = kNoTask;
  EdgeKind kind = EdgeKind::order;
  Ticks latency;  ///< from the predecessor's end until the successor may start
};

/// The neighbours of one task in one direction, the one on its lane first; no allocation.
class NeighborList {
 public:
  void add(const Neighbor& neighbor) { items_[size_++] = neighbor; }
  const Neighbor& operator[](std::size_t index) const { return items_[index]; }
  const Neighbor* begin() const { return items_.data(); }
  const Neighbor* end() const { return items_.data() + size_; }
  std::size_t size() const { return size_; }

 private:
  std::array<Neighbor, 3> items_;
  std::size_t size_ = 0;
};

class TaskGraph {
 public:
  /// Unrolls the program. Requires a program that validate_program() accepts for this problem.
  /// Throws Error if the problem has 2^32 - 1 tasks or more.
  TaskGraph(const Problem& problem, const Program& program);

  std::size_t size() const { return ops_.size(); }
  std::size_t lanes() const { return lane_begin_.size() - 1; }
  /// The tasks of a lane are [lane_begin(lane), lane_end(lane)), in their order.
  TaskId lane_begin(std::size_t lane) const { return lane_begin_[lane]; }
  TaskId lane_end(std::size_t lane) const { return lane_begin_[lane + 1]; }

  const Problem& problem() const { return problem_; }
  const Op& op(TaskId task) const { return ops_[task]; }
  /// The lane of a task; a compute lane has the number of its device.
  std::size_t lane(TaskId task) const {
    return static_cast<std::size_t>(problem_.device(ops_[task]).value);
  }
  Ticks duration(TaskId task) const { return problem_.duration(ops_[task]); }
  /// The task of an op of the problem.
  TaskId task(const Op& op) const { return task_of_op_[number(op)]; }

  NeighborList predecessors(TaskId task) const;
  NeighborList successors(TaskId task) const;

  /// The tasks of one cycle, each waiting for the next and the last for the first; empty if
  /// there is none. A cycle is a deadlock. Uses BGL's depth-first search.
  std::vector<TaskId> find_cycle() const;

 private:
  std::size_t number(const Op& op) const;

  Problem problem_;
  std::vector<Op> ops_;             // by task
  std::vector<TaskId> lane_begin_;  // by lane, and the end of the last
  std::vector<TaskId> task_of_op_;  // by number()
};

/// An Error (run failed) that names the ops of a cycle in plain words.
Error deadlock_error(const TaskGraph& graph, const std::vector<TaskId>& cycle);

/// Bytes that the graph, its timeline and its analysis take for one task, an upper bound that
/// memory estimates use.
inline constexpr std::int64_t kBytesPerTask = 192;

}  // namespace pipesim
