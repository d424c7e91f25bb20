// (f) SimGrid 3.32, as its users write processes: an actor a stage, which sleeps while an op runs
// and takes its inputs from a semaphore for each direction. Its API of DAGs is not used: it takes
// a time that is quadratic in the tasks. No starts are kept.
#include <cmath>
#include <simgrid/s4u.hpp>
#include <string>

#include "tools/bench/anchors/anchors.hpp"

namespace bench {

namespace {

namespace s4u = simgrid::s4u;

// SimGrid counts seconds in double; of whole ones sums are exact.
constexpr std::int64_t kTicksOfSecond = 1'000'000;

double seconds(std::int64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(kTicksOfSecond);
}

/// A process has one, whose clock goes on from run to run.
s4u::Host* host() {
  static s4u::Engine engine("bench");
  static s4u::Host* only = [] {
    s4u::NetZone* const zone = s4u::create_full_zone("zone");
    s4u::Host* const created = zone->create_host("host", "1Gf")->seal();
    zone->seal();
    return created;
  }();
  return only;
}

/// By stage, the inputs that have arrived.
struct Inputs {
  std::vector<s4u::SemaphorePtr> activations;
  std::vector<s4u::SemaphorePtr> gradients;
};

void run_stage(const Workload& workload, const Inputs& inputs, std::int64_t stage) {
  const auto index = static_cast<std::size_t>(stage);
  const bool is_first = stage == 0;
  const bool is_last = stage + 1 == workload.stages;
  for (std::int64_t place = 0; place < workload.ops_of_stage(); ++place) {
    if (op_at(workload, stage, place).is_forward) {
      if (!is_first) inputs.activations[index]->acquire();
      s4u::this_actor::sleep_for(seconds(workload.forward[index]));
      if (!is_last) inputs.activations[index + 1]->release();
    } else {
      if (!is_last) inputs.gradients[index]->acquire();
      s4u::this_actor::sleep_for(seconds(workload.backward[index]));
      if (!is_first) inputs.gradients[index - 1]->release();
    }
  }
}

}  // namespace

std::int64_t simgrid_actors(const Workload& workload) {
  s4u::Host* const on = host();
  Inputs inputs;
  for (std::int64_t stage = 0; stage < workload.stages; ++stage) {
    inputs.activations.push_back(s4u::Semaphore::create(0));
    inputs.gradients.push_back(s4u::Semaphore::create(0));
  }
  const double begin = s4u::Engine::get_clock();
  for (std::int64_t stage = 0; stage < workload.stages; ++stage) {
    s4u::Actor::create(std::to_string(stage), on,
                       [&workload, &inputs, stage] { run_stage(workload, inputs, stage); });
  }
  s4u::Engine::get_instance()->run();
  return std::llround(s4u::Engine::get_clock() - begin) * kTicksOfSecond;
}

}  // namespace bench
