// (e) The graph of (d) in Boost's compressed_sparse_row_graph, and its dag_shortest_paths with
// negated delays from op 0, the only one that waits for nothing. Edges are given sorted.
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/dag_shortest_paths.hpp>
#include <cstddef>
#include <functional>
#include <utility>

#include "tools/bench/anchors/anchors.hpp"

namespace bench {

namespace {

struct Edge {
  std::int64_t negated_delay = 0;
};
using Graph = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, Edge,
                                                 boost::no_property, std::uint32_t, std::uint32_t>;

}  // namespace

struct BoostGraph {
  Graph graph;
};

void DeleteBoostGraph::operator()(BoostGraph* graph) const { delete graph; }

std::unique_ptr<BoostGraph, DeleteBoostGraph> boost_graph(const CsrGraph& graph) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ends;
  std::vector<Edge> edges;
  ends.reserve(graph.target.size());
  edges.reserve(graph.target.size());
  for (std::uint32_t op = 0; op + 1 < graph.first_edge.size(); ++op) {
    for (std::uint32_t edge = graph.first_edge[op]; edge < graph.first_edge[op + 1]; ++edge) {
      ends.emplace_back(op, graph.target[edge]);
      edges.push_back({-graph.delay[edge]});
    }
  }
  return std::unique_ptr<BoostGraph, DeleteBoostGraph>(
      new BoostGraph{Graph(boost::edges_are_sorted, ends.begin(), ends.end(), edges.begin(),
                           static_cast<std::uint32_t>(graph.first_edge.size() - 1))});
}

std::int64_t boost_dag(const Workload& workload, const BoostGraph& graph, Starts& starts) {
  const Graph& boosted = graph.graph;
  const auto distance =
      boost::make_iterator_property_map(starts.begin(), get(boost::vertex_index, boosted));
  boost::dag_shortest_paths(
      boosted, 0, boost::distance_map(distance).weight_map(get(&Edge::negated_delay, boosted)));
  std::transform(starts.begin(), starts.end(), starts.begin(), std::negate<>());
  return total_of(workload, starts);
}

}  // namespace bench
