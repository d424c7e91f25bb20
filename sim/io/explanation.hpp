// Why a run takes as long as it does, in sentences and as JSON.
#pragma once

#include <string>
#include <vector>

#include "sim/idle.hpp"
#include "sim/io/report.hpp"
#include "sim/sensitivity.hpp"
#include "sim/task_graph.hpp"

namespace pipesim {

struct Explanation {
  Report report;
  std::vector<std::vector<IdlePart>> idle;    ///< by device
  std::vector<StageSensitivity> sensitivity;  ///< by stage; empty where stragglers slow ops
};

/// Why a device is idle in that part: "device 1 has not yet done what it waits for".
std::string idle_reason(const IdlePart& part);

/// The largest idle parts as sentences, idle time by device and cause, the critical path in runs,
/// and for each stage its slack and the derivative of T_total. Requires the graph of the run.
std::string explanation_table(const Explanation& explanation, const TaskGraph& graph);

/// The same as one JSON document, with every idle part.
std::string explanation_json(const Explanation& explanation, const TaskGraph& graph);

}  // namespace pipesim
