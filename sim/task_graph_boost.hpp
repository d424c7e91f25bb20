// TaskGraph as a model of BGL's VertexListGraph and BidirectionalGraph (which refines
// IncidenceGraph). Internal: only task_graph.cpp and analysis.cpp include it, so that no user of
// the library needs Boost.
#pragma once

#include <algorithm>
#include <boost/graph/graph_traits.hpp>
#include <boost/graph/properties.hpp>
#include <boost/iterator/counting_iterator.hpp>
#include <boost/iterator/iterator_facade.hpp>
#include <boost/property_map/property_map.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sim/task_graph.hpp"

namespace pipesim {

struct TaskEdge {
  TaskId source = kNoTask;
  TaskId target = kNoTask;

  friend bool operator==(const TaskEdge&, const TaskEdge&) = default;
};

/// Walks the edges of one task in one direction. It looks each neighbour up anew: BGL's searches
/// keep two of these for every task on their stack, which can be as deep as the graph.
template <bool kOutgoing>
class TaskEdgeIterator : public boost::iterator_facade<TaskEdgeIterator<kOutgoing>, TaskEdge,
                                                       boost::forward_traversal_tag, TaskEdge> {
 public:
  TaskEdgeIterator() = default;
  TaskEdgeIterator(const TaskGraph& graph, TaskId task, std::size_t at)
      : graph_(&graph), task_(task), at_(static_cast<std::uint32_t>(at)) {}

 private:
  friend class boost::iterator_core_access;
  TaskEdge dereference() const {
    return kOutgoing ? TaskEdge{task_, graph_->successors(task_)[at_].task}
                     : TaskEdge{graph_->predecessors(task_)[at_].task, task_};
  }
  bool equal(const TaskEdgeIterator& other) const {
    return task_ == other.task_ && at_ == other.at_;
  }
  void increment() { ++at_; }

  const TaskGraph* graph_ = nullptr;
  TaskId task_ = kNoTask;
  std::uint32_t at_ = 0;
};

using OutEdgeIterator = TaskEdgeIterator<true>;
using InEdgeIterator = TaskEdgeIterator<false>;

inline std::pair<boost::counting_iterator<TaskId>, boost::counting_iterator<TaskId>> vertices(
    const TaskGraph& graph) {
  return {boost::counting_iterator<TaskId>(0),
          boost::counting_iterator<TaskId>(static_cast<TaskId>(graph.size()))};
}
inline std::size_t num_vertices(const TaskGraph& graph) { return graph.size(); }

inline std::size_t out_degree(TaskId task, const TaskGraph& graph) {
  return graph.successors(task).size();
}
inline std::pair<OutEdgeIterator, OutEdgeIterator> out_edges(TaskId task, const TaskGraph& graph) {
  return {{graph, task, 0}, {graph, task, out_degree(task, graph)}};
}
inline std::size_t in_degree(TaskId task, const TaskGraph& graph) {
  return graph.predecessors(task).size();
}
inline std::pair<InEdgeIterator, InEdgeIterator> in_edges(TaskId task, const TaskGraph& graph) {
  return {{graph, task, 0}, {graph, task, in_degree(task, graph)}};
}
inline std::size_t degree(TaskId task, const TaskGraph& graph) {
  return in_degree(task, graph) + out_degree(task, graph);
}
inline TaskId source(const TaskEdge& edge, const TaskGraph&) { return edge.source; }
inline TaskId target(const TaskEdge& edge, const TaskGraph&) { return edge.target; }

/// From the source's end until the target may start.
inline Ticks latency(const TaskEdge& edge, const TaskGraph& graph) {
  Ticks longest;
  for (const Neighbor& neighbor : graph.predecessors(edge.target)) {
    if (neighbor.task == edge.source) longest = std::max(longest, neighbor.latency);
  }
  return longest;
}

inline boost::typed_identity_property_map<TaskId> get(boost::vertex_index_t, const TaskGraph&) {
  return {};
}

}  // namespace pipesim

namespace boost {

template <>
struct graph_traits<pipesim::TaskGraph> {
  using vertex_descriptor = pipesim::TaskId;
  using edge_descriptor = pipesim::TaskEdge;
  using directed_category = bidirectional_tag;
  using edge_parallel_category = allow_parallel_edge_tag;
  struct traversal_category : vertex_list_graph_tag, bidirectional_graph_tag {};
  using vertex_iterator = counting_iterator<pipesim::TaskId>;
  using out_edge_iterator = pipesim::OutEdgeIterator;
  using in_edge_iterator = pipesim::InEdgeIterator;
  using vertices_size_type = std::size_t;
  using edges_size_type = std::size_t;
  using degree_size_type = std::size_t;
  static vertex_descriptor null_vertex() { return pipesim::kNoTask; }
};

template <>
struct property_map<pipesim::TaskGraph, vertex_index_t> {
  using type = typed_identity_property_map<pipesim::TaskId>;
  using const_type = type;
};

}  // namespace boost
