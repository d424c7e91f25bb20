// The orders of all schedules.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/streaming.hpp"
#include "tools/bench/anchors/anchors.hpp"
#include "tools/bench/contestants.hpp"

namespace bench {

namespace {

using pipesim::Problem;
using pipesim::Schedule;
using pipesim::Ticks;

constexpr int kDevices = 8;
constexpr int kMicrobatches = 64;
constexpr std::int64_t kMillisecond = 1'000'000'000;

/// On the schedule's own placement; half of a backward is its weight gradient.
Problem problem_for(const Schedule& schedule) {
  Problem problem;
  problem.devices = kDevices;
  problem.placement = place(schedule, kDevices, {});
  problem.slices = static_cast<std::int32_t>(slices(schedule, {}).size());
  problem.microbatches = kMicrobatches * problem.slices;
  problem.costs.assign(static_cast<std::size_t>(problem.stages()),
                       pipesim::stage_costs(Ticks{2 * kMillisecond}, Ticks{4 * kMillisecond},
                                            Ticks{2 * kMillisecond}));
  return with_state(schedule, problem, plan(schedule, problem, {}).parameters);
}

void add_build(const Schedule& schedule) {
  const std::string name = "build/" + std::string(schedule.info.name);
  benchmark::RegisterBenchmark(name.c_str(), [&schedule](benchmark::State& state) {
    const Problem problem = problem_for(schedule);
    for (auto _ : state) {
      benchmark::DoNotOptimize(
          pipesim::build(schedule, problem, plan(schedule, problem, {}).parameters));
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * op_count(problem));
  })->Unit(benchmark::kMillisecond);
}

}  // namespace

void add_schedules() {
  static const pipesim::Registry kRegistry = pipesim::builtin_schedules();
  for (const Schedule* schedule : kRegistry) {
    if (!needs_order(*schedule)) add_build(*schedule);
  }
  const Workload workload = equal_stages(Order::one_f_one_b, kDevices, kMicrobatches);
  add("anchor/csr_graph", workload, [](const Workload& given) {
    return [given, total = scalar_stream(given)] {
      benchmark::DoNotOptimize(csr_graph(given));
      return total;
    };
  });
}

}  // namespace bench
