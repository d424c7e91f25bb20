// Hand-written programs that do part of what pipesim does, as yardsticks. Each says in its file
// what it leaves out. All give the workload's T_total.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/bench/anchors/workload.hpp"

namespace bench {

/// Starts of ops, stage after stage, each in its order.
using Starts = std::vector<std::int64_t>;

/// (a) The recurrence alone.
std::int64_t scalar_stream(const Workload& workload);

/// (b) The recurrence, with every start kept in the order in which it is computed. `starts` has a
/// place for each op; with stores through the cache, or past it where the processor has such.
std::int64_t step_major(const Workload& workload, Starts& starts);
std::int64_t step_major_nontemporal(const Workload& workload, Starts& starts);
/// How fast these bytes can be written at all.
void fill(std::vector<std::int64_t>& buffer);

/// (c) Events in a std::priority_queue.
std::int64_t event_loop(const Workload& workload, Starts& starts);

/// (d) A graph as arrays: the edges of op v lead to target[first_edge[v]..first_edge[v + 1]).
struct CsrGraph {
  std::vector<std::uint32_t> first_edge;
  std::vector<std::uint32_t> target;
  std::vector<std::int64_t> delay;   ///< by edge: from start to start
  std::vector<std::uint8_t> inputs;  ///< by op: edges that lead to it
};
CsrGraph csr_graph(const Workload& workload);
/// Kahn's algorithm.
std::int64_t kahn(const Workload& workload, const CsrGraph& graph, Starts& starts);

/// (e) The same graph as Boost has it.
struct BoostGraph;
struct DeleteBoostGraph {
  void operator()(BoostGraph* graph) const;
};
std::unique_ptr<BoostGraph, DeleteBoostGraph> boost_graph(const CsrGraph& graph);
std::int64_t boost_dag(const Workload& workload, const BoostGraph& graph, Starts& starts);

/// (f) Actors of SimGrid. Requires no latency, and times of whole microseconds.
std::int64_t simgrid_actors(const Workload& workload);

/// An op as a trace shows it.
struct Slice {
  std::int64_t stage = 0;
  StageOp op;
  std::int64_t start = 0;
  std::int64_t duration = 0;
  std::int64_t released_by = -1;  ///< index of the slice whose end let it start; -1: none
};
/// Events that both of these write for a slice: itself, two ends of arrows, a counter.
inline constexpr std::int64_t kEventsOfSlice = 4;
/// (g) What pipesim writes for these slices, by a call of fmt for each event, and as a document of
/// nlohmann/json. Both return the bytes.
std::int64_t fmt_trace(const std::vector<Slice>& slices);
std::int64_t json_trace(const std::vector<Slice>& slices);

}  // namespace bench
