#include "tools/bench/contestants.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "schedules/schedule.hpp"
#include "sim/stream_program.hpp"
#include "sim/stream_walk.hpp"
#include "sim/streaming.hpp"
#include "tools/bench/anchors/anchors.hpp"

namespace bench {

namespace {

constexpr std::int64_t kMillisecond = 1'000'000'000;

/// A number in [0, below) that looks like chance.
std::int64_t scattered(std::int64_t index, std::int64_t below) {
  const auto mixed = (static_cast<std::uint64_t>(index) + 1) * 0x9e3779b97f4a7c15U;
  return static_cast<std::int64_t>((mixed >> 32U) % static_cast<std::uint64_t>(below));
}

/// Equal stages, and to each time up to `steps - 1` times `step` more.
Workload scattered_stages(Order order, std::int64_t stages, std::int64_t microbatches,
                          std::int64_t steps, std::int64_t step) {
  Workload workload = equal_stages(order, stages, microbatches);
  for (std::int64_t stage = 0; stage < stages; ++stage) {
    const auto index = static_cast<std::size_t>(stage);
    workload.forward[index] += scattered(2 * stage, steps) * step;
    workload.backward[index] += scattered(2 * stage + 1, steps) * step;
  }
  return workload;
}

std::int64_t t_total(const Workload& workload) {
  const pipesim::Problem problem = problem_of(workload);
  return pipesim::stream_run(problem, program_of(workload, problem))->metrics.t_total.count;
}

void require_total(const std::string& who, std::int64_t total, std::int64_t expected) {
  if (total == expected) return;
  fmt::print(stderr, "{}: T_total {}, pipesim says {}\n", who, total, expected);
  std::_Exit(1);
}

void require_agreement(const Workload& workload) {
  const std::int64_t expected = t_total(workload);
  const auto require = [&](const std::string& who, std::int64_t total) {
    require_total(name(workload) + " " + who, total, expected);
  };
  const pipesim::Problem problem = problem_of(workload);
  const auto program = pipesim::stream_program(problem, program_of(workload, problem));
  pipesim::StreamStarts streamed;
  pipesim::stream_starts(*program, pipesim::FastForward::none, streamed);
  Starts all;
  for (std::size_t lane = 0; lane < streamed.lanes(); ++lane) {
    for (std::size_t op = 0; op < streamed.size(lane); ++op) {
      all.push_back(streamed.at(lane, op));
    }
  }
  Starts starts(all.size());
  const auto require_starts = [&](const std::string& who, std::int64_t total) {
    require(who, total);
    if (starts == all) return;
    fmt::print(stderr, "{} {}: other starts than pipesim's\n", name(workload), who);
    std::_Exit(1);
  };
  const CsrGraph graph = csr_graph(workload);
  require_starts("event_loop", event_loop(workload, starts));
  require_starts("kahn", kahn(workload, graph, starts));
  require_starts("boost_dag", boost_dag(workload, *boost_graph(graph), starts));
  require("scalar_stream", scalar_stream(workload));
  require("step_major", step_major(workload, starts));
  require("step_major_nontemporal", step_major_nontemporal(workload, starts));
}

}  // namespace

Workload equal_stages(Order order, std::int64_t stages, std::int64_t microbatches) {
  const auto count = static_cast<std::size_t>(stages);
  return {.order = order,
          .stages = stages,
          .microbatches = microbatches,
          .forward = std::vector<std::int64_t>(count, 2 * kMillisecond),
          .backward = std::vector<std::int64_t>(count, 4 * kMillisecond)};
}

Workload unequal_stages(Order order, std::int64_t stages, std::int64_t microbatches) {
  Workload workload = scattered_stages(order, stages, microbatches, 100, kMillisecond / 100);
  workload.latency = kMillisecond / 2;
  return workload;
}

Workload nearly_equal_stages(Order order, std::int64_t stages, std::int64_t microbatches) {
  return scattered_stages(order, stages, microbatches, 1000, 1);
}

std::string name(const Workload& workload) {
  return fmt::format("{}/{}x{}", workload.order == Order::gpipe ? "gpipe" : "1f1b", workload.stages,
                     workload.microbatches);
}

pipesim::Problem problem_of(const Workload& workload) {
  pipesim::Problem problem;
  problem.devices = static_cast<std::int32_t>(workload.stages);
  problem.microbatches = static_cast<std::int32_t>(workload.microbatches);
  problem.placement = pipesim::loop_placement(problem.devices, 1);
  for (std::size_t stage = 0; stage < workload.forward.size(); ++stage) {
    problem.costs.push_back(pipesim::stage_costs(pipesim::Ticks{workload.forward[stage]},
                                                 pipesim::Ticks{workload.backward[stage]}));
  }
  problem.communication.intra.latency = pipesim::Ticks{workload.latency};
  return problem;
}

pipesim::Program program_of(const Workload& workload, const pipesim::Problem& problem) {
  static const pipesim::Registry registry = pipesim::builtin_schedules();
  const char* const name = workload.order == Order::gpipe ? "gpipe" : "1f1b";
  return pipesim::build(*pipesim::find_schedule(registry, name), problem, {});
}

std::int64_t total_of(const Workload& workload, const pipesim::StreamStarts& starts) {
  std::int64_t total = 0;
  for (std::size_t stage = 0; stage < starts.lanes(); ++stage) {
    const std::int64_t last = starts.at(stage, starts.size(stage) - 1);
    total = std::max(total, last + workload.backward[stage]);
  }
  return total;
}

void add(const std::string& name, const Workload& workload, const Prepare& prepare,
         double bytes_of_op) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    const Run run = prepare(workload);
    std::int64_t total = 0;
    for (auto _ : state) total = run();
    require_total(name, total, t_total(workload));
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * workload.ops());
    if (bytes_of_op > 0) state.counters["bytes_of_op"] = bytes_of_op;
  })->Unit(benchmark::kMillisecond);
}

void require_agreement() {
  for (const Order order : {Order::gpipe, Order::one_f_one_b}) {
    const Workload equal = equal_stages(order, 8, 64);
    require_agreement(equal);
    require_total("simgrid_actors", simgrid_actors(equal), t_total(equal));
    require_agreement(unequal_stages(order, 8, 64));
    require_agreement(nearly_equal_stages(order, 8, 8));
  }
}

std::int64_t peak_bytes(const std::function<void()>& function) {
  const auto peak_kib = [](const std::function<void()>& body) -> std::int64_t {
    const ::pid_t child = ::fork();
    if (child == 0) {
      body();
      std::_Exit(0);
    }
    int status = 0;
    struct rusage usage {};
    if (child < 0 || ::wait4(child, &status, 0, &usage) != child || status != 0) {
      std::perror("peak_bytes");
      std::_Exit(1);
    }
    return usage.ru_maxrss;
  };
  return (peak_kib(function) - peak_kib([] {})) * 1024;
}

}  // namespace bench
