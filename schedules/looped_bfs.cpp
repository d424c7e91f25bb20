// Looped breadth-first (Lamy-Poirier, 2211.05953, section 4): all microbatches pass a device's
// first stage, then all its second, and so on; then they go back, the last one first.
#include "schedules/interleaving.hpp"
#include "schedules/schedule.hpp"

namespace pipesim {

namespace {

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device /*device*/) {
  return std::int64_t{chunks(parameters)} * problem.microbatches;
}

Program build(const Problem& problem, const Parameters& parameters) {
  const int p = problem.devices;
  const int m = problem.microbatches;
  const int v = chunks(parameters);
  Program program;
  for (int i = 0; i < p; ++i) {
    LaneOrder order;
    for (int chunk = 0; chunk < v; ++chunk) {
      order.push_back(repeat(m, {forward(Stage{chunk * p + i}, 0)}));
    }
    for (int chunk = v - 1; chunk >= 0; --chunk) {
      order.push_back(repeat(m, {with_stride(backward(Stage{chunk * p + i}, m - 1), -1)}));
    }
    program.lanes.push_back(std::move(order));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_looped_bfs;
const Schedule schedule_looped_bfs = {
    .info = {.name = "looped_bfs",
             .summary = "gpipe with v stages a device: all microbatches on one stage after another",
             .source = "Lamy-Poirier, Breadth-First Pipeline Parallelism, arXiv 2211.05953",
             .placement = "loop of v stages a device",
             .peak = "m v",
             .parameters = {chunks_parameter()}},
    .place = place_chunks,
    .plan = plan_chunks,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
