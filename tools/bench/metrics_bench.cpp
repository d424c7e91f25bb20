// What a report says of a run, without a timeline.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "sim/stream_program.hpp"
#include "sim/stream_walk.hpp"
#include "sim/streaming.hpp"
#include "tools/bench/anchors/anchors.hpp"
#include "tools/bench/contestants.hpp"

namespace bench {

namespace {

using pipesim::FastForward;
using pipesim::Problem;

Prepare metrics(FastForward fast_forward) {
  return [=](const Workload& workload) {
    return [=] {
      const Problem problem = problem_of(workload);
      return pipesim::stream_run(problem, program_of(workload, problem), fast_forward)
          ->metrics.t_total.count;
    };
  };
}

void add_metrics(const std::string& stages, const Workload& workload) {
  const std::string prefix = "metrics/" + stages + "/" + name(workload) + "/";
  add(prefix + "loops", workload, metrics(FastForward::loops));
  add(prefix + "jumps", workload, metrics(FastForward::jumps));
  add(prefix + "scalar_stream", workload,
      [](const Workload& given) { return [=] { return scalar_stream(given); }; });
}

/// What the search for a period costs where there is none.
void add_detector(const Workload& workload) {
  const auto times = [](FastForward fast_forward) {
    return [=](const Workload& given) {
      const Problem problem = problem_of(given);
      const auto stream = std::make_shared<pipesim::StreamProgram>(
          *pipesim::stream_program(problem, program_of(given, problem)));
      return [=] {
        std::int64_t total = 0;
        for (const pipesim::LaneTimes& lane : pipesim::stream_times(*stream, fast_forward)) {
          total = std::max(total, lane.last_end);
        }
        return total;
      };
    };
  };
  const std::string prefix = "detector/" + name(workload) + "/";
  add(prefix + "jumps", workload, times(FastForward::jumps));
  add(prefix + "loops", workload, times(FastForward::loops));
}

}  // namespace

void add_metrics() {
  for (const auto& [stages, microbatches] : {std::pair{8, 64}, {256, 4096}, {1024, 16384}}) {
    for (const Order order : {Order::one_f_one_b, Order::gpipe}) {
      add_metrics("equal", equal_stages(order, stages, microbatches));
      add_metrics("unequal", unequal_stages(order, stages, microbatches));
    }
  }
  // So few microbatches that 1F1B has not come to its pace when they end.
  for (const auto& [stages, microbatches] : {std::pair{8, 64}, {512, 2048}, {1024, 8192}}) {
    add_detector(nearly_equal_stages(Order::one_f_one_b, stages, microbatches));
  }
}

}  // namespace bench
