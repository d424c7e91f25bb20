// (d) The graph of all ops as compressed rows, made straight from the two orders, and Kahn's
// algorithm over it. No check that the order is one, no edge is found by looking an op up.
#include <algorithm>
#include <cstddef>

#include "tools/bench/anchors/anchors.hpp"

namespace bench {

CsrGraph csr_graph(const Workload& workload) {
  const auto ops = static_cast<std::size_t>(workload.ops());
  CsrGraph graph;
  graph.first_edge.reserve(ops + 1);
  graph.target.reserve(2 * ops);
  graph.delay.reserve(2 * ops);
  graph.inputs.resize(ops);
  const auto add = [&](std::int64_t target, std::int64_t delay) {
    graph.target.push_back(static_cast<std::uint32_t>(target));
    graph.delay.push_back(delay);
    ++graph.inputs[static_cast<std::size_t>(target)];
  };
  for (std::int64_t stage = 0; stage < workload.stages; ++stage) {
    const std::int64_t first = stage * workload.ops_of_stage();
    for (std::int64_t place = 0; place < workload.ops_of_stage(); ++place) {
      graph.first_edge.push_back(static_cast<std::uint32_t>(graph.target.size()));
      const StageOp op = op_at(workload, stage, place);
      const auto index = static_cast<std::size_t>(stage);
      const std::int64_t duration =
          op.is_forward ? workload.forward[index] : workload.backward[index];
      if (place + 1 < workload.ops_of_stage()) add(first + place + 1, duration);
      const std::int64_t to = op.is_forward ? stage + 1 : stage - 1;
      if (to >= 0 && to < workload.stages) {
        add(to * workload.ops_of_stage() + place_of(workload, to, op), duration + workload.latency);
      }
    }
  }
  graph.first_edge.push_back(static_cast<std::uint32_t>(graph.target.size()));
  return graph;
}

std::int64_t kahn(const Workload& workload, const CsrGraph& graph, Starts& starts) {
  std::vector<std::uint8_t> missing = graph.inputs;
  std::vector<std::uint32_t> ready(missing.size());
  std::size_t end = 0;
  for (std::uint32_t op = 0; op < missing.size(); ++op) {
    if (missing[op] == 0) ready[end++] = op;
  }
  std::fill(starts.begin(), starts.end(), 0);
  for (std::size_t next = 0; next < end; ++next) {
    const std::uint32_t op = ready[next];
    for (std::uint32_t edge = graph.first_edge[op]; edge < graph.first_edge[op + 1]; ++edge) {
      const std::uint32_t target = graph.target[edge];
      starts[target] = std::max(starts[target], starts[op] + graph.delay[edge]);
      if (--missing[target] == 0) ready[end++] = target;
    }
  }
  return total_of(workload, starts);
}

}  // namespace bench
