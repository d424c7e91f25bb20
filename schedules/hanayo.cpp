// Hanayo (Liu et al., 2308.15762, section 3): a model of 2Wp stages runs over the devices in W
// waves, there and back, on one copy of the parameters. The order is laid out on a grid of slots,
// one for a forward and two for a backward, in groups of p microbatches:
// 1. The group's first microbatch takes, op after op, the first free slots of its devices after
//    the end of the group before's first microbatch.
// 2. On device d the p-1-d slots before its forward of chunk 1, and the d slots before its backward
//    of the last chunk, are kept free of what follows.
// 3. The other microbatches of the group take slots the same way, one after another, from where
//    the group began.
// A last group that is short has the same rule. As ops only take slots after what they need, no
// number of microbatches deadlocks.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"
#include "sim/slot_grid.hpp"

namespace pipesim {

namespace {

constexpr auto kWaves = "waves";
constexpr auto kBackwardSlots = "backward_slots";
constexpr std::int64_t kMostWaves = 1024;
constexpr std::int64_t kMostStages = 1 << 21;

std::int64_t waves(const Parameters& parameters) { return integer(parameters, kWaves).value_or(1); }

Placement place(int devices, const Parameters& parameters) {
  const std::int64_t stages = 2 * waves(parameters) * devices;
  if (stages > kMostStages) {
    throw Error(Fault{.pointer = "/schedule/waves",
                      .what = fmt::format("{} waves over p = {} devices are {} stages",
                                          waves(parameters), devices, stages),
                      .allowed = fmt::format("at most {} stages", kMostStages)});
  }
  return wave_placement(devices, static_cast<int>(waves(parameters)));
}

Plan plan(const Problem& problem, const Parameters& parameters) {
  Plan plan{parameters, {}};
  const bool backward_is_short =
      std::all_of(problem.costs.begin(), problem.costs.end(),
                  [](const StageCosts& costs) { return costs.backward <= costs.forward; });
  if (backward_is_short && !integer(parameters, kBackwardSlots)) {
    plan.parameters[kBackwardSlots] = 1;
    plan.notes.push_back("backward_slots=1 filled in: no backward takes longer than its forward");
  }
  return plan;
}

/// A microbatch that is alive on a stage of the device has to be one of p that follow each other.
std::int64_t peak(const Problem& problem, const Parameters& parameters, Device /*device*/) {
  return 2 * waves(parameters) * std::min(problem.devices, problem.microbatches);
}

/// Lays out microbatches on a grid.
class Layout {
 public:
  Layout(const Problem& problem, int microbatches, int slots_of_backward)
      : stages_(problem.stages()), grid_(problem, microbatches, slots_of_backward) {}

  SlotGrid run() {
    const int p = grid_.devices();
    int start = 0;
    for (int first = 0; first < grid_.microbatches(); first += p) {
      const int end = take_slots(first, start);
      // A backward of one slot fits where a forward does: nothing has to be kept free for it.
      if (grid_.width(backward_of(0, first)) > 1) reserve(first);
      const int last = std::min(first + p, grid_.microbatches());
      for (int j = first + 1; j < last; ++j) take_slots(j, start);
      start = end;
    }
    return std::move(grid_);
  }

 private:
  Op forward_of(int stage, int microbatch) const {
    return {.kind = OpKind::forward, .stage = Stage{stage}, .microbatch = Microbatch{microbatch}};
  }
  Op backward_of(int stage, int microbatch) const {
    return {.kind = OpKind::backward, .stage = Stage{stage}, .microbatch = Microbatch{microbatch}};
  }

  /// Returns the slot after the microbatch's last op.
  int take_slots(int microbatch, int start) {
    const auto take = [&](const Op& op) {
      const int slot = grid_.first_free(grid_.device(op), start, grid_.width(op));
      grid_.place(op, slot);
      start = slot + grid_.width(op);
    };
    for (int s = 0; s < stages_; ++s) take(forward_of(s, microbatch));
    for (int s = stages_ - 1; s >= 0; --s) take(backward_of(s, microbatch));
    return start;
  }

  void reserve(int microbatch) {
    const int p = grid_.devices();
    for (int d = 0; d < p; ++d) {
      reserve_before(forward_of(2 * p - 1 - d, microbatch), p - 1 - d);
      reserve_before(backward_of(stages_ - 1 - d, microbatch), d);
    }
  }

  /// Closes those of the `count` slots before an op that are free.
  void reserve_before(const Op& op, int count) {
    const Device device = grid_.device(op);
    const int end = grid_.start(op);
    for (int slot = end - count; slot < end; ++slot) {
      if (grid_.is_free(device, slot)) grid_.close(device, slot);
    }
  }

  int stages_;
  SlotGrid grid_;
};

Program build(const Problem& problem, const Parameters& parameters) {
  const auto slots = static_cast<int>(integer(parameters, kBackwardSlots).value_or(2));
  const std::int64_t p = problem.devices;
  return program_of_layout(problem.microbatches, p, 16 * p, [&](int microbatches) {
    return Layout(problem, microbatches, slots).run();
  });
}

}  // namespace

extern const Schedule schedule_hanayo;
const Schedule schedule_hanayo = {
    .info = {.name = "hanayo",
             .summary = "waves there and back over the devices, in groups of p microbatches",
             .source = "Liu et al., Hanayo, arXiv 2308.15762, section 3",
             .placement = "waves: chunk q of stages there (q even) or back (q odd)",
             .peak = "2 waves min(p, m)",
             .parameters = {{.name = kWaves,
                             .maximum = kMostWaves,
                             .summary = "times that a microbatch goes there and back, half the "
                                        "stages of a device; absent: 1"},
                            {.name = kBackwardSlots,
                             .maximum = 2,
                             .summary = "slots that a backward takes when the order is laid out; "
                                        "absent: 2, or 1 if none takes longer than its forward"}}},
    .place = place,
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
