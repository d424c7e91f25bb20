#include "schedules/interleaving.hpp"

#include <fmt/format.h>

#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr auto kChunks = "v";
constexpr std::int64_t kMostStages = 1 << 20;

}  // namespace

ParameterSpec chunks_parameter() {
  return {.name = kChunks,
          .type = ParameterType::integer,
          .minimum = 1,
          .maximum = kMostStages,
          .summary = "stages of a device; absent: 2"};
}

int chunks(const Parameters& parameters) {
  return static_cast<int>(integer(parameters, kChunks).value_or(2));
}

Plan plan_chunks(const Problem& /*problem*/, const Parameters& parameters) {
  Plan plan{parameters, {}};
  plan.parameters[kChunks] = std::int64_t{chunks(parameters)};
  return plan;
}

Placement place_chunks(int devices, const Parameters& parameters) {
  const int v = chunks(parameters);
  if (devices * std::int64_t{v} > kMostStages) {
    throw Error(Fault{.pointer = "/schedule/v",
                      .what = fmt::format("{} stages on each of p = {} devices", v, devices),
                      .allowed = fmt::format("at most {} stages", kMostStages)});
  }
  return loop_placement(devices, v);
}

Stream interleaved(OpKind kind, Device device, const Problem& problem, std::int64_t group,
                   std::int64_t delay) {
  const std::int64_t m = problem.microbatches;
  const std::int64_t rest = m % group;
  const int v = problem.stages() / problem.devices;
  Stream stream{.delay = delay, .periods = m / group, .advance = group};
  for (int turn = 0; turn < v; ++turn) {
    const int chunk = kind == OpKind::forward ? turn : v - 1 - turn;
    const Stage stage{chunk * problem.devices + device.value};
    stream.period.push_back({.first = item(kind, stage, 0), .count = group});
    stream.tail.push_back({.first = item(kind, stage, m - rest), .count = rest});
  }
  return stream;
}

}  // namespace pipesim
