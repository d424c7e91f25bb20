#include "schedules/candidate.hpp"

#include <algorithm>
#include <utility>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/memory.hpp"

namespace pipesim {

std::optional<Candidate> try_out(Problem problem, Program program) {
  problem.iterations = {};
  try {
    const TaskGraph graph(problem, with_recompute(problem, program));
    const Timeline timeline = simulate(graph);
    if (find_over_limit(graph, timeline)) return std::nullopt;
    Candidate candidate = {
        .program = std::move(program), .span = {}, .t_total = total_time(timeline)};
    for (std::size_t device = 0; device < timeline.devices(); ++device) {
      const Ticks first_start = timeline.begin(device)->start;
      candidate.span = std::max(candidate.span, (timeline.end(device) - 1)->end - first_start);
    }
    return candidate;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace pipesim
