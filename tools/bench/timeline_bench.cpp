// When every op starts, of all ops.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/engine.hpp"
#include "sim/stream_program.hpp"
#include "sim/stream_walk.hpp"
#include "sim/task_graph.hpp"
#include "tools/bench/anchors/anchors.hpp"
#include "tools/bench/contestants.hpp"

namespace bench {

namespace {

using pipesim::FastForward;
using pipesim::Problem;
using pipesim::Program;
using pipesim::StreamProgram;
using pipesim::StreamStarts;

std::size_t size(const Workload& workload) { return static_cast<std::size_t>(workload.ops()); }

/// Program, validation, starts.
std::int64_t schedule_and_run(const Workload& workload, FastForward fast_forward,
                              StreamStarts& starts) {
  const Problem problem = problem_of(workload);
  const auto stream = pipesim::stream_program(problem, program_of(workload, problem));
  pipesim::stream_starts(*stream, fast_forward, starts);
  return total_of(workload, starts);
}

Prepare schedule_and_run(FastForward fast_forward) {
  return [=](const Workload& workload) {
    const auto starts = std::make_shared<StreamStarts>();
    return [=] { return schedule_and_run(workload, fast_forward, *starts); };
  };
}

/// The same order, given op by op.
Program op_by_op(const Workload& workload) {
  std::vector<std::vector<pipesim::Step>> steps;
  for (const pipesim::LaneOrder& lane : program_of(workload, problem_of(workload)).lanes) {
    auto& of_lane = steps.emplace_back();
    for (pipesim::StepCursor at(lane); !at.done(); at.advance()) of_lane.push_back(at.step());
  }
  return pipesim::unrolled(steps);
}

std::int64_t run_custom(const Workload& workload, const Program& program, StreamStarts& starts) {
  const Problem problem = problem_of(workload);
  pipesim::validate_program(problem, program);
  pipesim::stream_starts(*pipesim::stream_program(problem, program), FastForward::loops, starts);
  return total_of(workload, starts);
}

Run custom(const Workload& workload) {
  const auto program = std::make_shared<Program>(op_by_op(workload));
  const auto starts = std::make_shared<StreamStarts>();
  return [=] { return run_custom(workload, *program, *starts); };
}

Run task_graph(const Workload& workload) {
  return [=] {
    const Problem problem = problem_of(workload);
    const pipesim::TaskGraph graph(problem, program_of(workload, problem));
    return total_time(pipesim::simulate(graph)).count;
  };
}

/// A run that writes its starts into the same buffer every time.
template <class Function>
Run with_starts(const Workload& workload, const Function& function) {
  const auto starts = std::make_shared<Starts>(size(workload));
  return [=] { return function(workload, *starts); };
}

void add_whole(const Workload& workload) {
  const std::string prefix = "timeline/" + name(workload) + "/";
  const auto bytes_of_op = [&](const std::function<void()>& function) {
    return static_cast<double>(peak_bytes(function)) / static_cast<double>(workload.ops());
  };
  const auto streamed_bytes = [&](FastForward fast_forward) {
    return bytes_of_op([&] { schedule_and_run(fast_forward)(workload)(); });
  };
  add(prefix + "arbitrary", workload, schedule_and_run(FastForward::none),
      streamed_bytes(FastForward::none));
  add(prefix + "loops", workload, schedule_and_run(FastForward::loops),
      streamed_bytes(FastForward::loops));
  add(prefix + "custom", workload, custom, bytes_of_op([&] { custom(workload)(); }));
  add(prefix + "task_graph", workload, task_graph, bytes_of_op([&] { task_graph(workload)(); }));
  add(prefix + "event_loop", workload,
      [](const Workload& given) { return with_starts(given, event_loop); });
  add(prefix + "csr_kahn", workload, [](const Workload& given) {
    return with_starts(given, [](const Workload& each, Starts& starts) {
      return kahn(each, csr_graph(each), starts);
    });
  });
  add(prefix + "boost", workload, [](const Workload& given) {
    return with_starts(given, [](const Workload& each, Starts& starts) {
      return boost_dag(each, *boost_graph(csr_graph(each)), starts);
    });
  });
  add(prefix + "simgrid", workload,
      [](const Workload& given) { return [=] { return simgrid_actors(given); }; });
}

/// Time moves, everything else is there.
void add_run(const Workload& workload) {
  const std::string prefix = "run/" + name(workload) + "/";
  const auto streamed = [](FastForward fast_forward) {
    return [=](const Workload& given) {
      const Problem problem = problem_of(given);
      const auto stream = std::make_shared<StreamProgram>(
          *pipesim::stream_program(problem, program_of(given, problem)));
      const auto starts = std::make_shared<StreamStarts>();
      return [=] {
        pipesim::stream_starts(*stream, fast_forward, *starts);
        return total_of(given, *starts);
      };
    };
  };
  add(prefix + "arbitrary", workload, streamed(FastForward::none));
  add(prefix + "loops", workload, streamed(FastForward::loops));
  add(prefix + "simulate", workload, [](const Workload& given) {
    const Problem problem = problem_of(given);
    const auto graph = std::make_shared<pipesim::TaskGraph>(problem, program_of(given, problem));
    return [=] { return total_time(pipesim::simulate(*graph)).count; };
  });
  add(prefix + "kahn", workload, [](const Workload& given) {
    const auto graph = std::make_shared<CsrGraph>(csr_graph(given));
    return with_starts(
        given, [=](const Workload& each, Starts& starts) { return kahn(each, *graph, starts); });
  });
  add(prefix + "boost_dag", workload, [](const Workload& given) {
    const std::shared_ptr<BoostGraph> graph = boost_graph(csr_graph(given));
    return with_starts(given, [=](const Workload& each, Starts& starts) {
      return boost_dag(each, *graph, starts);
    });
  });
}

/// As many starts as memory can take, in a buffer that is used again.
void add_store(const Workload& workload) {
  const std::string prefix = "store/" + name(workload) + "/";
  add(prefix + "loops", workload, schedule_and_run(FastForward::loops));
  add(prefix + "step_major", workload,
      [](const Workload& given) { return with_starts(given, step_major); });
  add(prefix + "step_major_nontemporal", workload,
      [](const Workload& given) { return with_starts(given, step_major_nontemporal); });
  add(prefix + "fill_16_bytes", workload, [](const Workload& given) {
    const auto buffer = std::make_shared<std::vector<std::int64_t>>(2 * size(given));
    const std::int64_t total = scalar_stream(given);
    return [=] {
      fill(*buffer);
      return total;
    };
  });
}

}  // namespace

void add_timelines() {
  for (const auto& [stages, microbatches] : {std::pair{8, 64}, {64, 1024}, {256, 4096}}) {
    const Workload workload = equal_stages(Order::one_f_one_b, stages, microbatches);
    add_whole(workload);
    add_run(workload);
  }
  for (const Order order : {Order::one_f_one_b, Order::gpipe}) {
    add_store(equal_stages(order, 8, 64));
    add_store(equal_stages(order, 1024, 16384));
  }
}

}  // namespace bench
