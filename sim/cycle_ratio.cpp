#include "sim/cycle_ratio.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/howard_cycle_ratio.hpp>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "sim/error.hpp"

namespace pipesim {

namespace {

using Edges = std::vector<PeriodicEdge>;

constexpr std::size_t kNoEdge = std::numeric_limits<std::size_t>::max();

Int128 plus(Int128 left, Int128 right) {
  Int128 sum = 0;
  if (__builtin_add_overflow(left, right, &sum)) throw_time_overflow();
  return sum;
}

Int128 times(Int128 left, Int128 right) {
  Int128 product = 0;
  if (__builtin_mul_overflow(left, right, &product)) throw_time_overflow();
  return product;
}

/// The longest paths that end in each vertex, wherever they begin; or why there are none.
struct LongestPaths {
  std::vector<Int128> length;               // by vertex
  std::vector<std::size_t> positive_cycle;  // edges in order; empty: the lengths are final
};

std::vector<std::size_t> cycle_through(const Edges& edges, const std::vector<std::size_t>& last,
                                       std::size_t vertex) {
  // Whatever changed in the last round hangs on a cycle, at most one step a vertex away.
  for (std::size_t i = 0; i < last.size(); ++i) vertex = edges[last[vertex]].from;
  std::vector<std::size_t> cycle;
  std::size_t at = vertex;
  do {
    cycle.push_back(last[at]);
    at = edges[last[at]].from;
  } while (at != vertex);
  std::reverse(cycle.begin(), cycle.end());
  return cycle;
}

/// Bellman and Ford's algorithm; the edges to and fro, since paths run both ways through a
/// pipeline.
LongestPaths longest_paths(std::size_t vertices, const Edges& edges,
                           const std::vector<Int128>& lengths) {
  LongestPaths paths{std::vector<Int128>(vertices, 0), {}};
  std::vector<std::size_t> last(vertices, kNoEdge);
  std::size_t changed = 0;
  for (std::size_t round = 0; round <= vertices && changed != kNoEdge; ++round) {
    changed = kNoEdge;
    for (std::size_t i = 0; i < edges.size(); ++i) {
      const std::size_t edge = round % 2 == 0 ? i : edges.size() - 1 - i;
      const auto [from, to, weight, distance] = edges[edge];
      const Int128 length = plus(paths.length[from], lengths[edge]);
      if (length <= paths.length[to]) continue;
      paths.length[to] = length;
      last[to] = edge;
      changed = to;
    }
  }
  if (changed != kNoEdge) paths.positive_cycle = cycle_through(edges, last, changed);
  return paths;
}

/// Longest paths by an edge's length of 1 - distance * (vertices + 1): a cycle is positive if its
/// distance is not above 0.
LongestPaths retreats(std::size_t vertices, const Edges& edges) {
  std::vector<Int128> lengths;
  lengths.reserve(edges.size());
  for (const PeriodicEdge& edge : edges) {
    lengths.push_back(1 - times(edge.distance, static_cast<Int128>(vertices) + 1));
  }
  return longest_paths(vertices, edges, lengths);
}

/// Longest paths by an edge's length of weight - ratio * distance, times the ratio's denominator:
/// a cycle is positive if its ratio is larger, and 0 if it is the same.
std::vector<Int128> excesses(const Edges& edges, const CriticalCycle& cycle) {
  const std::int64_t common = std::gcd(cycle.weight.count, cycle.distance);
  const std::int64_t numerator = cycle.weight.count / common;
  const std::int64_t denominator = cycle.distance / common;
  std::vector<Int128> lengths;
  lengths.reserve(edges.size());
  for (const PeriodicEdge& edge : edges) {
    lengths.push_back(
        plus(times(edge.weight.count, denominator), -times(edge.distance, numerator)));
  }
  return lengths;
}

CriticalCycle summed(const Edges& edges, std::vector<std::size_t> cycle) {
  CriticalCycle sums;
  for (const std::size_t edge : cycle) {
    sums.weight += edges[edge].weight;
    sums.distance += edges[edge].distance;
  }
  PIPESIM_CHECK(sums.distance > 0);
  sums.edges = std::move(cycle);
  return sums;
}

/// Weights are scaled to at most 1 before BGL sees them; its own tolerance is 0.005.
struct Tolerance {
  using value_type = double;
  static double infinity() { return std::numeric_limits<double>::infinity(); }
  static double epsilon() { return -1e-9; }
};

/// A cycle that is the best but for rounding; empty if Howard's algorithm finds none.
std::vector<std::size_t> howard_cycle(std::size_t vertices, const Edges& edges) {
  using EdgeProperties =
      boost::property<boost::edge_weight_t, double,
                      boost::property<boost::edge_weight2_t, double,
                                      boost::property<boost::edge_index_t, std::size_t>>>;
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS,
                                      boost::no_property, EdgeProperties>;
  // Howard's algorithm needs distances of at least 0. Shifting the repetitions of each vertex by
  // a number of its own changes no cycle's distance.
  const LongestPaths paths = retreats(vertices, edges);
  PIPESIM_CHECK(paths.positive_cycle.empty());
  const auto shift = [&](std::size_t vertex) {
    return static_cast<std::int64_t>(paths.length[vertex] / (static_cast<Int128>(vertices) + 1));
  };
  double heaviest = 1;
  for (const PeriodicEdge& edge : edges) {
    heaviest = std::max(heaviest, static_cast<double>(edge.weight.count));
  }
  Graph graph(vertices);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const PeriodicEdge& edge = edges[i];
    const std::int64_t distance = edge.distance - shift(edge.from) + shift(edge.to);
    PIPESIM_CHECK(distance >= 0);
    const double weight = static_cast<double>(edge.weight.count) / heaviest;
    boost::add_edge(edge.from, edge.to, {weight, {static_cast<double>(distance), i}}, graph);
  }
  std::vector<boost::graph_traits<Graph>::edge_descriptor> found;
  boost::maximum_cycle_ratio(graph, boost::get(boost::vertex_index, graph),
                             boost::get(boost::edge_weight, graph),
                             boost::get(boost::edge_weight2, graph), &found, Tolerance());
  std::vector<std::size_t> cycle;
  cycle.reserve(found.size());
  for (const auto& edge : found) cycle.push_back(boost::get(boost::edge_index, graph, edge));
  return cycle;
}

/// Edges by the vertex they start from.
using OutEdges = std::vector<std::vector<std::size_t>>;

/// The shortest cycle through a vertex if it has fewer edges than `limit`; else empty. `via` has
/// kNoEdge for every vertex, and is left so.
std::vector<std::size_t> shortest_cycle(const Edges& edges, const OutEdges& out,
                                        std::size_t through, std::size_t limit,
                                        std::vector<std::size_t>& via) {
  std::vector<std::size_t> reached{through};
  std::size_t begin = 0;
  for (std::size_t depth = 1; depth < limit && via[through] == kNoEdge; ++depth) {
    const std::size_t end = reached.size();
    for (; begin < end && via[through] == kNoEdge; ++begin) {
      for (const std::size_t edge : out[reached[begin]]) {
        const std::size_t to = edges[edge].to;
        if (via[to] != kNoEdge) continue;
        via[to] = edge;
        if (to != through) reached.push_back(to);
      }
    }
  }
  std::vector<std::size_t> cycle;
  if (via[through] != kNoEdge) {
    std::size_t at = through;
    do {
      cycle.push_back(via[at]);
      at = edges[via[at]].from;
    } while (at != through);
    std::reverse(cycle.begin(), cycle.end());
  }
  for (const std::size_t vertex : reached) via[vertex] = kNoEdge;
  return cycle;
}

/// Of the cycles of length 0 the one to report, whichever was found first. All their edges, and
/// those of no other cycle, are on longest paths.
std::vector<std::size_t> plainest_cycle(std::size_t vertices, const Edges& edges,
                                        const std::vector<Int128>& lengths,
                                        const std::vector<Int128>& longest) {
  OutEdges out(vertices);
  // Every cycle has an edge that advances: it is enough to search from where those end.
  std::set<std::size_t> starts;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (longest[edges[i].from] + lengths[i] == longest[edges[i].to]) {
      out[edges[i].from].push_back(i);
      if (edges[i].distance > 0) starts.insert(edges[i].to);
    }
  }
  std::vector<std::size_t> best;
  std::vector<std::size_t> via(vertices, kNoEdge);
  for (const std::size_t vertex : starts) {
    const std::size_t limit = best.empty() ? vertices + 1 : best.size();
    std::vector<std::size_t> cycle = shortest_cycle(edges, out, vertex, limit, via);
    if (!cycle.empty()) best = std::move(cycle);
  }
  std::rotate(best.begin(),
              std::min_element(best.begin(), best.end(),
                               [&](std::size_t left, std::size_t right) {
                                 return edges[left].from < edges[right].from;
                               }),
              best.end());
  return best;
}

}  // namespace

bool every_cycle_advances(std::size_t vertices, const std::vector<PeriodicEdge>& edges) {
  return retreats(vertices, edges).positive_cycle.empty();
}

std::optional<CriticalCycle> maximum_cycle_ratio(std::size_t vertices,
                                                 const std::vector<PeriodicEdge>& edges) {
  std::vector<std::size_t> found;
  if (!edges.empty()) found = howard_cycle(vertices, edges);
  // Without a cycle to begin with, any has a ratio above that of this one.
  CriticalCycle cycle{.edges = {}, .weight = Ticks{-1}, .distance = 1};
  if (!found.empty()) cycle = summed(edges, std::move(found));
  for (;;) {
    const std::vector<Int128> lengths = excesses(edges, cycle);
    LongestPaths paths = longest_paths(vertices, edges, lengths);
    if (paths.positive_cycle.empty()) {
      if (cycle.edges.empty()) return std::nullopt;
      return summed(edges, plainest_cycle(vertices, edges, lengths, paths.length));
    }
    cycle = summed(edges, std::move(paths.positive_cycle));
  }
}

}  // namespace pipesim
