#include "sim/steady_state.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "sim/cycle_ratio.hpp"
#include "sim/dependencies.hpp"
#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "sim/streaming.hpp"
#include "sim/transfer_order.hpp"

namespace pipesim {

namespace {

constexpr std::int64_t kMostMicrobatches = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMostStride = 10'000;  // of devices that differ, after how many they meet

/// What a device repeats.
struct Rhythm {
  std::vector<Step> steps;  // of the first repetition
  std::int64_t stride = 0;  // microbatches of each flow by which a repetition advances
};

/// Of each device, all with one stride, or why there are none.
struct Rhythms {
  std::vector<Rhythm> devices;
  std::string reason;
};

/// A microbatch by its place in its flow, which does not depend on how many there are.
std::int64_t in_flow(const Problem& problem, Microbatch microbatch) {
  const std::int64_t first_of_flow_1 = (problem.microbatches + 1) / 2;
  return microbatch.value - (problem.flow(microbatch) == Flow{0} ? 0 : first_of_flow_1);
}

std::vector<Step> steps_of(const LaneOrder& order) {
  std::vector<Step> steps;
  for (StepCursor cursor(order); !cursor.done(); cursor.advance()) steps.push_back(cursor.step());
  return steps;
}

/// The stride that all items share; 0 if they do not. Items that never run do not matter.
std::int64_t common_stride(const std::vector<Item>& body) {
  std::set<std::int64_t> strides;
  for (const Item& item : body) {
    if (step_count({item}) > 0) strides.insert(item.stride);
  }
  return strides.size() == 1 ? *strides.begin() : 0;
}

bool same_op(const Problem& small, const Op& left, const Problem& large, const Op& right) {
  return left.kind == right.kind && left.stage == right.stage &&
         small.flow(left.microbatch) == large.flow(right.microbatch) &&
         in_flow(small, left.microbatch) == in_flow(large, right.microbatch);
}

bool same_steps(const Problem& small, const std::vector<Step>& left, const Problem& large,
                const std::vector<Step>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](const Step& a, const Step& b) {
                      return same_op(small, a.op, large, b.op) &&
                             a.overlapped.has_value() == b.overlapped.has_value() &&
                             (!a.overlapped || same_op(small, *a.overlapped, large, *b.overlapped));
                    });
}

/// The one loop that makes `large` longer than `small`.
std::variant<Rhythm, std::string> find_rhythm(const Problem& small_problem, const LaneOrder& small,
                                              const Problem& large_problem,
                                              const LaneOrder& large) {
  if (small.size() != large.size()) return "has another form with more microbatches";
  std::vector<std::size_t> growing;
  for (std::size_t i = 0; i < small.size(); ++i) {
    if (step_count({small[i]}) != step_count({large[i]})) growing.push_back(i);
  }
  if (growing.size() != 1) {
    return fmt::format("has {} parts that grow with the number of microbatches", growing.size());
  }
  const Loop* before = std::get_if<Loop>(&small[growing.front()].what);
  const Loop* after = std::get_if<Loop>(&large[growing.front()].what);
  if (before == nullptr || after == nullptr || before->count < 1) {
    return "has another form with more microbatches";
  }
  Rhythm rhythm{.steps = steps_of(after->body), .stride = common_stride(after->body)};
  const int flows = large_problem.placement.flows();
  const std::int64_t more = large_problem.microbatches - small_problem.microbatches;
  if (rhythm.stride < 1 || rhythm.stride * flows * (after->count - before->count) != more ||
      !same_steps(small_problem, steps_of(before->body), large_problem, rhythm.steps)) {
    return "has a loop that does not advance with the microbatches";
  }
  return rhythm;
}

/// The rhythm several times after another.
Rhythm repeated(const Rhythm& rhythm, std::int64_t times) {
  Rhythm longer{.steps = {}, .stride = rhythm.stride * times};
  for (std::int64_t repetition = 0; repetition < times; ++repetition) {
    const auto later = [&](Op op) {
      op.microbatch = Microbatch{op.microbatch.value + repetition * rhythm.stride};
      return op;
    };
    for (const Step& step : rhythm.steps) {
      longer.steps.push_back({.op = later(step.op), .overlapped = {}});
      if (step.overlapped) longer.steps.back().overlapped = later(*step.overlapped);
    }
  }
  return longer;
}

/// Gives all devices one stride, the least that is a multiple of each.
void align(Rhythms& rhythms) {
  std::int64_t stride = 1;
  for (const Rhythm& rhythm : rhythms.devices) {
    stride = std::lcm(stride, rhythm.stride);
    if (stride > kMostStride) {
      rhythms.reason = "the devices repeat themselves after numbers of microbatches that differ";
      return;
    }
  }
  for (Rhythm& rhythm : rhythms.devices) rhythm = repeated(rhythm, stride / rhythm.stride);
}

Rhythms find_rhythms(const Problem& small_problem, const Program& small,
                     const Problem& large_problem, const Program& large) {
  Rhythms rhythms;
  for (std::size_t device = 0; device < small.lanes.size(); ++device) {
    auto found =
        find_rhythm(small_problem, small.lanes[device], large_problem, large.lanes[device]);
    if (const std::string* reason = std::get_if<std::string>(&found)) {
      rhythms.reason = fmt::format("the order of device {} {}", device, *reason);
      return rhythms;
    }
    rhythms.devices.push_back(std::get<Rhythm>(std::move(found)));
  }
  align(rhythms);
  return rhythms;
}

/// A place in the graph of one repetition.
struct Vertex {
  RhythmTask task;
  Ticks duration;
  bool is_transfer = false;
};

/// Where the result of an op comes from: its vertex, and which microbatch of its flow that has in
/// the first repetition.
struct Source {
  std::size_t vertex = 0;
  std::int64_t microbatch = 0;
};

/// The graph of one repetition. In the modes that have one the lane of a link is a cycle too.
class PeriodicGraph {
 public:
  /// Requires rhythms of this problem and one stride.
  PeriodicGraph(const Problem& problem, const std::vector<Rhythm>& rhythms)
      : problem_(problem), stride_(rhythms.front().stride) {
    for (std::size_t device = 0; device < rhythms.size(); ++device) {
      add_lane(rhythms[device], Device{device});
    }
    if (problem.communication.mode == TransferMode::async) add_transfers();
    const std::size_t tasks = vertices_.size();
    for (std::size_t vertex = 0; vertex < tasks; ++vertex) {
      if (vertices_[vertex].is_transfer) continue;
      const Step& step = vertices_[vertex].task.step;
      add_inputs(vertex, step.op);
      if (step.overlapped) add_inputs(vertex, *step.overlapped);
    }
  }

  /// Whether every op that an op needs is in the rhythm too.
  bool is_complete() const { return is_complete_; }
  const std::vector<Vertex>& vertices() const { return vertices_; }
  const std::vector<PeriodicEdge>& edges() const { return edges_; }
  /// The cycles of the lanes, as edges: each device's, then each link's.
  const std::vector<std::vector<std::size_t>>& lanes() const { return lanes_; }
  std::int64_t microbatches_per_repetition() const { return stride_ * problem_.placement.flows(); }

 private:
  // Flow, stage, the microbatch's place in the rhythm.
  using Place = std::tuple<Flow, Stage, std::int64_t>;

  Place place(Stage stage, Microbatch microbatch) const {
    return {problem_.flow(microbatch), stage, in_flow(problem_, microbatch) % stride_};
  }

  void add_lane(const Rhythm& rhythm, Device device) {
    std::vector<std::size_t> lane;
    for (const Step& step : rhythm.steps) {
      lane.push_back(vertices_.size());
      const auto index = [&](const Op& op) {
        sources_[static_cast<std::size_t>(role(op.kind))][place(op.stage, op.microbatch)] = {
            .vertex = vertices_.size(), .microbatch = in_flow(problem_, op.microbatch)};
      };
      index(step.op);
      if (step.overlapped) index(*step.overlapped);
      vertices_.push_back({.task = {.step = step, .device = device},
                           .duration = problem_.duration(step.op, step.overlapped)});
    }
    close(lane);
  }

  void close(const std::vector<std::size_t>& lane) {
    std::vector<std::size_t> cycle;
    for (std::size_t i = 0; i < lane.size(); ++i) {
      const bool is_last = i + 1 == lane.size();
      cycle.push_back(edges_.size());
      edges_.push_back({.from = lane[i],
                        .to = lane[is_last ? 0 : i + 1],
                        .weight = vertices_[lane[i]].duration,
                        .distance = is_last ? 1 : 0});
    }
    lanes_.push_back(std::move(cycle));
  }

  void add_transfers() {
    std::map<std::pair<Device, Device>, std::vector<std::size_t>> links;
    const std::size_t steps = vertices_.size();
    for (std::size_t vertex = 0; vertex < steps; ++vertex) {
      const RhythmTask from = vertices_[vertex].task;
      for (const Op& send : sends_of(problem_, from.step)) {
        const Device to = receiver(problem_, send);
        const std::size_t side = send.kind == OpKind::send_forward ? 0 : 1;
        sends_[side][place(send.stage, send.microbatch)] = vertices_.size();
        links[{from.device, to}].push_back(vertices_.size());
        edges_.push_back({.from = vertex,
                          .to = vertices_.size(),
                          .weight = vertices_[vertex].duration,
                          .distance = 0});
        vertices_.push_back({.task = {.step = {.op = send}, .device = from.device},
                             .duration = problem_.link(from.device, to).occupancy,
                             .is_transfer = true});
      }
    }
    for (const auto& [devices, lane] : links) close(lane);
  }

  void add_inputs(std::size_t vertex, const Op& op) {
    const Device here = vertices_[vertex].task.device;
    for (const Dependency& needed : data_predecessors(problem_, op)) {
      const Place from = place(needed.stage, needed.microbatch);
      const auto& sources = sources_[static_cast<std::size_t>(needed.role)];
      const auto found = sources.find(from);
      if (found == sources.end()) {
        is_complete_ = is_complete_ && needed.role == Role::load;  // most are not parked
        continue;
      }
      const Source& source = found->second;
      const std::int64_t distance =
          (source.microbatch - in_flow(problem_, needed.microbatch)) / stride_;
      if (source.vertex == vertex && distance == 0) continue;
      const Device there = vertices_[source.vertex].task.device;
      const Link link = problem_.link(there, here);
      PeriodicEdge edge{source.vertex, vertex, vertices_[source.vertex].duration, distance};
      if (here != there && problem_.communication.mode == TransferMode::async) {
        edge.from = sends_[needed.role == Role::forward ? 0 : 1].at(from);
        edge.weight = link.occupancy + link.latency;
      } else {
        edge.weight += link.latency + link.occupancy;
      }
      edges_.push_back(edge);
    }
  }

  const Problem& problem_;
  std::int64_t stride_;
  std::vector<Vertex> vertices_;
  std::vector<PeriodicEdge> edges_;
  std::vector<std::vector<std::size_t>> lanes_;
  std::array<std::map<Place, Source>, kRoles> sources_;  // by role
  std::array<std::map<Place, std::size_t>, 2> sends_;    // forward, backward
  bool is_complete_ = true;
};

/// "1..3", "0 and 2", "0, 2 and 5".
std::string listed(const std::set<std::int32_t>& numbers) {
  const std::int32_t first = *numbers.begin();
  const std::int32_t last = *numbers.rbegin();
  if (numbers.size() == 1) return fmt::format("{}", first);
  if (numbers.size() > 2 && last - first + 1 == static_cast<std::int32_t>(numbers.size())) {
    return fmt::format("{}..{}", first, last);
  }
  return fmt::format("{} and {}", fmt::join(numbers.begin(), std::prev(numbers.end()), ", "), last);
}

bool has_one_stage_a_device(const Problem& problem) {
  return problem.placement.flows() == 1 && problem.stages() == problem.devices;
}

std::string described(const Problem& problem, const SteadyState& state) {
  std::set<std::int32_t> devices;
  std::set<std::int32_t> stages;
  bool computes = false;
  bool sends = false;
  for (const RhythmTask& task : state.cycle) {
    (is_send(task.step.op.kind) ? sends : computes) = true;
    devices.insert(task.device.value);
    stages.insert(task.step.op.stage.value);
  }
  if (!computes) {
    return fmt::format("the link from device {} to device {}", *devices.begin(),
                       receiver(problem, state.cycle.front().step.op).value);
  }
  const bool by_stage = has_one_stage_a_device(problem);
  const std::string numbers = listed(by_stage ? stages : devices);
  if (devices.size() == 1 && !sends) {
    return fmt::format("{} {}'s own work", by_stage ? "stage" : "device", numbers);
  }
  const bool is_one = state.microbatches_in_flight == 1;
  const std::string_view part =
      problem.slices > 1 ? (is_one ? "slice" : "slices") : (is_one ? "microbatch" : "microbatches");
  return fmt::format("the round trip over {} {} with {} {} in flight",
                     by_stage ? "stages" : "devices", numbers, state.microbatches_in_flight, part);
}

/// A lane that is itself as slow as the slowest cycle explains it best.
CriticalCycle plainer(const PeriodicGraph& graph, CriticalCycle cycle) {
  for (const std::vector<std::size_t>& lane : graph.lanes()) {
    Ticks work;
    for (const std::size_t edge : lane) work += graph.edges()[edge].weight;
    CriticalCycle own{.edges = lane, .weight = work, .distance = 1};
    if (!lane.empty() && own.ratio() == cycle.ratio()) return own;
  }
  return cycle;
}

SteadyState without(std::string reason) {
  SteadyState none;
  none.text = std::move(reason);
  return none;
}

SteadyState from_rhythms(const Problem& problem, const std::vector<Rhythm>& rhythms) {
  const PeriodicGraph graph(problem, rhythms);
  if (!graph.is_complete()) return without("the loops do not hold every op of a microbatch");
  const std::size_t vertices = graph.vertices().size();
  if (!every_cycle_advances(vertices, graph.edges())) {
    return without("the schedule deadlocks with more microbatches");
  }
  const std::optional<CriticalCycle> slowest = maximum_cycle_ratio(vertices, graph.edges());
  if (!slowest) return without("no op waits for an earlier repetition");
  const CriticalCycle cycle = plainer(graph, *slowest);
  SteadyState state;
  state.microbatches_in_flight = cycle.distance * graph.microbatches_per_repetition();
  state.ticks_per_microbatch = Ratio{.numerator = Int128{cycle.weight.count} * problem.slices,
                                     .denominator = state.microbatches_in_flight};
  state.cycle.reserve(cycle.edges.size());
  for (const std::size_t edge : cycle.edges) {
    state.cycle.push_back(graph.vertices()[graph.edges()[edge].from].task);
  }
  state.text = described(problem, state);
  return state;
}

/// Why the problem itself rules a steady state out, or "".
std::string obstacle(const Problem& problem) {
  switch (problem.communication.mode) {
    case TransferMode::single_stream:
      return "single_stream orders transfers without a loop";
    case TransferMode::rendezvous:
      return "rendezvous orders transfers without a loop";
    case TransferMode::free:
    case TransferMode::async:
      break;
  }
  if (problem.communication.shared_link) return "a shared link decides at run time";
  if (!problem.stragglers.empty()) return "a straggler's durations depend on the time";
  if (!problem.durations.empty()) return "the costs differ by microbatch";
  return "";
}

/// The lowest device whose order has no loop at all.
std::optional<std::size_t> without_loops(const Program& program) {
  for (std::size_t device = 0; device < program.lanes.size(); ++device) {
    const LaneOrder& order = program.lanes[device];
    if (std::none_of(order.begin(), order.end(),
                     [](const Item& item) { return std::holds_alternative<Loop>(item.what); })) {
      return device;
    }
  }
  return std::nullopt;
}

/// Microbatches that any loop of the program can grow by, so that what is left over for its end
/// stays the same; loops that would take more than align() goes along with are left out.
std::int64_t whole_repetitions(const Problem& problem, const Program& program) {
  std::int64_t microbatches = problem.slices;
  for (const LaneOrder& order : program.lanes) {
    for (const Item& item : order) {
      const Loop* loop = std::get_if<Loop>(&item.what);
      if (loop == nullptr || loop->count < 2) continue;
      const std::int64_t stride = std::max<std::int64_t>(common_stride(loop->body), 1);
      const std::int64_t common = std::lcm(microbatches, stride);
      if (common <= kMostStride * problem.slices) microbatches = common;
    }
  }
  return microbatches * problem.placement.flows();
}

Problem with_microbatches(const Problem& problem, std::int64_t microbatches) {
  Problem changed = problem;
  changed.iterations.count = 1;
  changed.microbatches = static_cast<std::int32_t>(microbatches);
  return changed;
}

std::optional<Program> built(const Problem& problem, const BuildProgram& build) {
  try {
    return build(problem);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string refusal(std::int64_t microbatches) {
  return fmt::format("there is no order for {} microbatches", microbatches);
}

/// The same costs for `factor` times as many microbatches of one step.
Problem one_step(const Problem& problem, std::int32_t factor) {
  Problem scaled = problem;
  scaled.iterations.count = 1;
  scaled.microbatches = problem.microbatches * factor;
  const auto row = static_cast<std::size_t>(problem.microbatches);
  scaled.durations.clear();
  for (std::size_t begin = 0; begin < problem.durations.size(); begin += row) {
    const auto first = problem.durations.begin() + static_cast<std::ptrdiff_t>(begin);
    for (std::int32_t i = 0; i < factor; ++i) {
      scaled.durations.insert(scaled.durations.end(), first, first + problem.microbatches);
    }
  }
  return scaled;
}

}  // namespace

SteadyState steady_state(const Problem& problem, const BuildProgram& build) {
  if (std::string reason = obstacle(problem); !reason.empty()) return without(std::move(reason));
  // A warm-up is about as long as the pipeline, there and back: beyond that nothing new appears.
  const std::int64_t enough = std::int64_t{4} * problem.stages();
  std::string reason;
  for (std::int64_t factor = 1; factor <= 4 || factor * problem.microbatches <= enough;
       factor *= 2) {
    const std::int64_t m = factor * problem.microbatches;
    if (2 * m > kMostMicrobatches) break;
    const Problem small = with_microbatches(problem, m);
    const std::optional<Program> before = built(small, build);
    if (!before) return without(refusal(m));
    if (const std::optional<std::size_t> device = without_loops(*before)) {
      return without(fmt::format("the order of device {} has no loop", *device));
    }
    for (const std::int64_t more : {m, whole_repetitions(small, *before)}) {
      const Problem large = with_microbatches(problem, std::min(m + more, kMostMicrobatches));
      const std::optional<Program> after = built(large, build);
      Rhythms found;
      if (after) found = find_rhythms(small, *before, large, *after);
      if (after && found.reason.empty()) return from_rhythms(large, found.devices);
      if (reason.empty()) reason = after ? found.reason : refusal(large.microbatches);
    }
  }
  return without(reason.empty() ? "there are too many microbatches" : std::move(reason));
}

Ratio measured_slope(const Problem& problem, const BuildProgram& build) {
  const auto total = [&](const Problem& scaled) {
    const Program program = build(scaled);
    const std::optional<Ticks> streamed = stream_total(scaled, program);
    return streamed ? *streamed : total_time(simulate(scaled, program));
  };
  const Ticks longer = total(one_step(problem, 2)) - total(one_step(problem, 1));
  return {.numerator = longer.count, .denominator = problem.microbatches / problem.slices};
}

}  // namespace pipesim
