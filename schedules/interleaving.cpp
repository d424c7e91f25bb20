#include "schedules/interleaving.hpp"

#include "schedules/required_parameter.hpp"

namespace pipesim {

namespace {

constexpr auto kChunks = "v";

}  // namespace

ParameterSpec chunks_parameter() {
  constexpr std::int64_t kMostChunks = 1024;
  return {.name = kChunks,
          .type = ParameterType::integer,
          .minimum = 1,
          .maximum = kMostChunks,
          .summary = "stages of a device; required"};
}

int chunks(const Parameters& parameters) {
  return static_cast<int>(required_integer(parameters, kChunks, "stages of a device"));
}

Placement place_chunks(int devices, const Parameters& parameters) {
  return loop_placement(devices, chunks(parameters));
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
