// Random runs as far as their pictures.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/io/picture.hpp"
#include "sim/io/report.hpp"
#include "tests/random_runs.hpp"

namespace pipesim::test {

/// What make_picture() reads of a report.
inline Report report_of(const TaskGraph& graph, const Timeline& timeline) {
  Report report;
  report.config.schedule = "custom";
  report.config.time_unit = TimeUnit::ps;
  report.metrics.t_total = total_time(timeline);
  report.critical_path = critical_path(graph, timeline);
  report.memory = memory_rules(graph.problem());
  return report;
}

struct Drawn {
  TaskGraph graph;
  Timeline timeline;
  Report report;

  explicit Drawn(const Run& run)
      : graph(run.problem, run.program),
        timeline(simulate(graph)),
        report(report_of(graph, timeline)) {
    if (!timeline.shared_link_orders.empty()) {
      graph = graph.with_shared_link_orders(timeline.shared_link_orders);
      report = report_of(graph, timeline);
    }
  }

  Picture picture(const PictureView& view = {}) const {
    return make_picture(graph, timeline, report, view);
  }
};

/// Runs of every section of the timing model whose transfers' order can run.
template <class Check>
void for_random_runs(std::uint64_t seed, int count, Check check) {
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < count; ++i) {
    const Run run = flip(random) ? random_run(random) : random_run_with_step_ends(random);
    try {
      if (!find_cycle(TaskGraph(run.problem, run.program)).empty()) continue;
    } catch (const Error&) {
      continue;  // the eager rule found no device that can go on
    }
    CAPTURE(i);
    check(Drawn(run), random);
  }
}

/// The same for their pictures.
template <class Check>
void for_random_pictures(std::uint64_t seed, int count, Check check) {
  for_random_runs(seed, count, [&](const Drawn& drawn, std::mt19937_64& random) {
    check(drawn.picture(), random);
  });
}

inline Picture picture_of(const std::string& schedule, const Problem& problem) {
  return Drawn({.problem = problem, .program = program_of(schedule, problem)}).picture();
}

}  // namespace pipesim::test
