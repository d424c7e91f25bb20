// Calls pipesim as a library: one schedule on one problem, and what came of it.
#include <cstdio>

#include "schedules/schedule.hpp"
#include "sim/engine.hpp"
#include "sim/metrics.hpp"

int main() {
  using namespace pipesim;

  Problem problem;
  problem.devices = 4;
  problem.microbatches = 8;
  problem.placement = loop_placement(problem.devices, 1);
  constexpr std::int64_t kMillisecond = 1'000'000'000;  // in ticks of a picosecond
  problem.costs.assign(4, stage_costs(Ticks{2 * kMillisecond}, Ticks{4 * kMillisecond}));

  const Schedule& schedule = *find_schedule(builtin_schedules(), "1f1b");
  const TaskGraph graph(problem, build(schedule, problem, {}));
  const Timeline timeline = simulate(graph);
  const Metrics metrics = compute_metrics(graph, timeline);

  std::printf("T_total %s ms, bubble ratio %s\n",
              format_time(metrics.t_total, TimeUnit::ms).c_str(),
              format_ratio(metrics.bubble_ratio).c_str());
  return metrics.t_total == Ticks{66 * kMillisecond} ? 0 : 1;
}
