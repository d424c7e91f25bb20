// What runs against what: everybody gets the same workload and must find the same T_total.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"
#include "sim/stream_starts.hpp"
#include "tools/bench/anchors/workload.hpp"

namespace bench {

/// A forward of 2 ms and a backward of 4 ms on every stage, free communication.
Workload equal_stages(Order order, std::int64_t stages, std::int64_t microbatches);
/// Up to half as much again, by stage, and a latency of half a millisecond.
Workload unequal_stages(Order order, std::int64_t stages, std::int64_t microbatches);
/// Stages that differ by less than a microsecond, so that for very long none of them sets the pace
/// of all.
Workload nearly_equal_stages(Order order, std::int64_t stages, std::int64_t microbatches);

/// "1f1b/64x1024"
std::string name(const Workload& workload);

pipesim::Problem problem_of(const Workload& workload);
/// The validated program of the schedule, as pipesim's own commands make it.
pipesim::Program program_of(const Workload& workload, const pipesim::Problem& problem);
/// T_total of starts by stage.
std::int64_t total_of(const Workload& workload, const pipesim::StreamStarts& starts);

/// What is timed; gives T_total.
using Run = std::function<std::int64_t()>;
/// What comes before, outside of the time.
using Prepare = std::function<Run(const Workload&)>;

/// Registers a benchmark of that name, which counts ops per second and ends the process if T_total
/// is not pipesim's. `bytes_of_op`, where not 0, becomes a counter.
void add(const std::string& name, const Workload& workload, const Prepare& prepare,
         double bytes_of_op = 0);

/// Ends the process unless all anchors agree with pipesim, where they keep starts in every start,
/// on small workloads of each kind.
void require_agreement();

/// By how much the function, in a process of its own, raises the peak of its resident memory.
/// Requires that this process is still small.
std::int64_t peak_bytes(const std::function<void()>& function);

void add_timelines();
void add_metrics();
void add_schedules();
void add_traces();

}  // namespace bench
