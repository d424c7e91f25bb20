#include "sim/cycle_ratio.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/problems.hpp"

using namespace pipesim;

namespace {

/// All simple cycles, by walking every path that starts at its lowest vertex.
class Cycles {
 public:
  Cycles(std::size_t vertices, const std::vector<PeriodicEdge>& edges)
      : edges_(edges), on_path_(vertices) {
    for (std::size_t vertex = 0; vertex < vertices; ++vertex) extend(vertex, vertex, 0, 0, 0);
  }

  std::optional<Ratio> largest;
  std::size_t fewest_edges = 0;  // of those with the largest ratio
  std::int64_t least_distance = 1;

 private:
  void extend(std::size_t first, std::size_t at, std::int64_t weight, std::int64_t distance,
              std::size_t length) {
    on_path_[at] = true;
    for (const PeriodicEdge& edge : edges_) {
      if (edge.from != at || edge.to < first) continue;
      const std::int64_t new_weight = weight + edge.weight.count;
      const std::int64_t new_distance = distance + edge.distance;
      if (edge.to == first) {
        add(new_weight, new_distance, length + 1);
      } else if (!on_path_[edge.to]) {
        extend(first, edge.to, new_weight, new_distance, length + 1);
      }
    }
    on_path_[at] = false;
  }

  void add(std::int64_t weight, std::int64_t distance, std::size_t length) {
    least_distance = std::min(least_distance, distance);
    if (distance <= 0) return;
    const Ratio ratio{.numerator = weight, .denominator = distance};
    if (!largest || ratio > *largest || (ratio == *largest && length < fewest_edges)) {
      fewest_edges = length;
      largest = ratio;
    }
  }

  const std::vector<PeriodicEdge>& edges_;
  std::vector<bool> on_path_;
};

/// Distances down to -6, by shifting the repetitions of each vertex. Where `may_stall` is false no
/// cycle has a distance of 0 or less.
std::vector<PeriodicEdge> random_edges(std::mt19937_64& random, std::size_t vertices,
                                       bool may_stall) {
  std::vector<std::int64_t> shift(vertices);
  for (std::int64_t& repetitions : shift) repetitions = test::draw(random, -3, 3);
  std::vector<PeriodicEdge> edges;
  const std::int64_t scale = test::draw(random, 0, 1) == 0 ? 1 : 1'000'000'000'003;
  const auto count = test::draw(random, 0, 2 * static_cast<std::int64_t>(vertices));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto last = static_cast<std::int64_t>(vertices) - 1;
    const auto from = static_cast<std::size_t>(test::draw(random, 0, last));
    const auto to = static_cast<std::size_t>(test::draw(random, 0, last));
    const std::int64_t least = from < to || may_stall ? 0 : 1;
    edges.push_back({.from = from,
                     .to = to,
                     .weight = Ticks{test::draw(random, 0, 9) * scale},
                     .distance = test::draw(random, least, 3) + shift[to] - shift[from]});
  }
  return edges;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the maximum cycle ratio of random graphs is that of the best of all their cycles") {
    std::mt19937_64 random(11);
    int with_cycles = 0;
    for (int trial = 0; trial < 2000; ++trial) {
      CAPTURE(trial);
      const auto vertices = static_cast<std::size_t>(test::draw(random, 1, 7));
      const std::vector<PeriodicEdge> edges = random_edges(random, vertices, false);
      const Cycles all(vertices, edges);
      REQUIRE(every_cycle_advances(vertices, edges));
      const std::optional<CriticalCycle> found = maximum_cycle_ratio(vertices, edges);
      REQUIRE(found.has_value() == all.largest.has_value());
      if (!found || !all.largest) continue;
      ++with_cycles;
      CHECK(found->ratio() == *all.largest);
      REQUIRE(found->edges.size() == all.fewest_edges);
      CriticalCycle sums;
      for (std::size_t i = 0; i < found->edges.size(); ++i) {
        const PeriodicEdge& edge = edges[found->edges[i]];
        CHECK(edge.to == edges[found->edges[(i + 1) % found->edges.size()]].from);
        sums.weight += edge.weight;
        sums.distance += edge.distance;
      }
      CHECK(sums.weight == found->weight);
      CHECK(sums.distance == found->distance);
    }
    CHECK(with_cycles > 500);
  }

  TEST_CASE("a cycle that does not advance is found wherever it is") {
    std::mt19937_64 random(12);
    int stalled = 0;
    for (int trial = 0; trial < 2000; ++trial) {
      CAPTURE(trial);
      const auto vertices = static_cast<std::size_t>(test::draw(random, 1, 7));
      const std::vector<PeriodicEdge> edges = random_edges(random, vertices, true);
      const bool advances = Cycles(vertices, edges).least_distance > 0;
      CHECK(every_cycle_advances(vertices, edges) == advances);
      if (!advances) ++stalled;
    }
    CHECK(stalled > 200);
  }

  TEST_CASE("cycles that differ by less than a double can tell are told apart") {
    constexpr std::int64_t kLong = 4'000'000'000'000'000'000;
    const std::vector<PeriodicEdge> edges{
        {0, 0, Ticks{kLong}, 1}, {1, 1, Ticks{kLong + 1}, 1}, {2, 2, Ticks{kLong - 1}, 1}};
    const CriticalCycle found = maximum_cycle_ratio(3, edges).value_or(CriticalCycle{});
    CHECK(found.edges == std::vector<std::size_t>{1});
  }

  TEST_CASE("a graph without a cycle, and one whose cycles take no time") {
    CHECK_FALSE(maximum_cycle_ratio(0, {}));
    CHECK_FALSE(maximum_cycle_ratio(2, {{0, 1, Ticks{5}, 1}}));
    const std::optional<CriticalCycle> idle =
        maximum_cycle_ratio(2, {{0, 1, Ticks{0}, 1}, {1, 0, Ticks{0}, 2}});
    REQUIRE(idle);
    CHECK(idle->weight == Ticks{0});
    CHECK(idle->distance == 3);
  }
}
