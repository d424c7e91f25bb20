#include "tests/config_fuzz/longer_runs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "sim/idle.hpp"

namespace pipesim::test {

namespace {

/// Calls visit with every time of a problem.
template <class SomeProblem, class Visit>
void for_each_time(SomeProblem& problem, const Visit& visit) {
  const auto each = [&](auto& times) {
    for (auto& time : times) visit(time);
  };
  for (auto& costs : problem.costs) {
    visit(costs.forward);
    visit(costs.backward);
    if (costs.weight) visit(*costs.weight);
    if (costs.fused) visit(*costs.fused);
    visit(costs.recompute);
  }
  each(problem.durations);
  for (auto* const link : {&problem.communication.intra, &problem.communication.inter}) {
    visit(link->latency);
    visit(link->occupancy);
  }
  each(problem.communication.latencies);
  if (problem.communication.shared_link) visit(*problem.communication.shared_link);
  each(problem.iterations.grad_sync);
  each(problem.iterations.optimizer);
  each(problem.parking.copy_time);
  visit(problem.launch_overhead);
  for (auto& straggler : problem.stragglers) {
    visit(straggler.from);
    const bool is_open = straggler.to.count == std::numeric_limits<std::int64_t>::max();
    if (!is_open) visit(straggler.to);
  }
}

bool is_longer(const Ratio& longer, const Ratio& ratio, std::int64_t factor) {
  return longer == product(ratio, {factor, 1});
}

void check_longer_devices(const Metrics& longer, const Metrics& metrics, std::int64_t factor) {
  REQUIRE(longer.devices.size() == metrics.devices.size());
  for (std::size_t i = 0; i < metrics.devices.size(); ++i) {
    const DeviceMetrics& was = metrics.devices[i];
    const DeviceMetrics& is = longer.devices[i];
    CHECK(is.busy == was.busy * factor);
    CHECK(is.idle == was.idle * factor);
    CHECK(is.idle_warm_up == was.idle_warm_up * factor);
    CHECK(is.idle_steady == was.idle_steady * factor);
    CHECK(is.idle_cooldown == was.idle_cooldown * factor);
    CHECK(is.first_start == was.first_start * factor);
    CHECK(is.last_end == was.last_end * factor);
    CHECK(is.utilisation == was.utilisation);
    CHECK(is.peak_activations == was.peak_activations);
  }
}

void check_longer_metrics(const Metrics& longer, const Metrics& metrics, std::int64_t factor) {
  CHECK(longer.t_total == metrics.t_total * factor);
  CHECK(longer.t_ideal == metrics.t_ideal * factor);
  CHECK(longer.lower_bound == metrics.lower_bound * factor);
  CHECK(is_longer(longer.t_ideal_mean, metrics.t_ideal_mean, factor));
  CHECK(is_longer(longer.time_per_microbatch, metrics.time_per_microbatch, factor));
  CHECK(longer.iteration_time.has_value() == metrics.iteration_time.has_value());
  if (longer.iteration_time && metrics.iteration_time) {
    CHECK(*longer.iteration_time == *metrics.iteration_time * factor);
  }
  CHECK(longer.bubble_ratio == metrics.bubble_ratio);
  CHECK(longer.bubble_overhead == metrics.bubble_overhead);
  CHECK(longer.bubble_fraction == metrics.bubble_fraction);
  CHECK(longer.span_bubble_rate == metrics.span_bubble_rate);
  CHECK(longer.gap == metrics.gap);
  check_longer_devices(longer, metrics, factor);
}

void check_longer_spans(const Timeline& longer, const Timeline& timeline, std::int64_t factor) {
  const bool are_longer =
      std::equal(longer.spans.begin(), longer.spans.end(), timeline.spans.begin(),
                 timeline.spans.end(), [&](const Span& is, const Span& was) {
                   return is.op == was.op && is.overlapped == was.overlapped &&
                          is.start == was.start * factor && is.end == was.end * factor;
                 });
  CHECK(are_longer);
}

}  // namespace

bool is_scalable(const Problem& problem) {
  const bool has_fused =
      std::any_of(problem.costs.begin(), problem.costs.end(),
                  [](const StageCosts& costs) { return costs.fused.has_value(); });
  return problem.stragglers.empty() && (problem.durations.empty() || !has_fused);
}

bool has_room(const Problem& problem, Ticks total) {
  bool has_room = true;
  const auto look = [&](Ticks time) {
    has_room = has_room && time.count < std::numeric_limits<std::int64_t>::max() / 64;
  };
  look(total);
  for_each_time(problem, look);
  return has_room;
}

Problem longer_problem(Problem problem, std::int64_t factor) {
  for_each_time(problem, [&](Ticks& time) { time = time * factor; });
  return problem;
}

void check_longer_problem(const Problem& problem, const Problem& longer, std::int64_t factor) {
  std::vector<Ticks> times;
  std::vector<Ticks> longer_times;
  for_each_time(problem, [&](Ticks time) { times.push_back(time * factor); });
  for_each_time(longer, [&](Ticks time) { longer_times.push_back(time); });
  CHECK(longer_times == times);
}

void check_longer_run(const RunOfConfig& run, const Prepared& longer, std::int64_t factor) {
  CHECK(longer.program == run.prepared.program);
  Prepared without_trials = longer;
  without_trials.config.variation.jitter.reset();
  const Finished finished = simulate(without_trials, {});
  const Report& is = finished.report;
  const Report& was = run.finished.report;
  check_longer_spans(finished.timeline, run.finished.timeline, factor);
  check_longer_metrics(is.metrics, was.metrics, factor);
  CHECK(is.peak_memory == was.peak_memory);
  CHECK(is.traffic.messages == was.traffic.messages);
  REQUIRE(is.idle.size() == was.idle.size());
  for (std::size_t device = 0; device < was.idle.size(); ++device) {
    for (std::size_t cause = 0; cause < was.idle[device].size(); ++cause) {
      CHECK((is.idle[device][cause] == was.idle[device][cause] * factor));
    }
  }
  CHECK(is.critical_path->tasks == was.critical_path->tasks);
  CHECK(is.critical_path->waiting == was.critical_path->waiting * factor);
  const auto& is_steady = is.steady_state.ticks_per_microbatch;
  const auto& was_steady = was.steady_state.ticks_per_microbatch;
  CHECK(is_steady.has_value() == was_steady.has_value());
  if (is_steady && was_steady) CHECK(is_longer(*is_steady, *was_steady, factor));
  CHECK(is.measured_slope.has_value() == was.measured_slope.has_value());
  if (is.measured_slope && was.measured_slope) {
    CHECK(is_longer(*is.measured_slope, *was.measured_slope, factor));
  }
}

}  // namespace pipesim::test
