// ZB-V (Qi et al., 2401.10241v1, section 6; the authors' hand-written order, which is PyTorch's
// ScheduleZBVZeroBubble): stages i and 2p-1-i on device i, so that the last stage is where the
// first is, and 1F1B's memory. The rule has a meaning from m = 2p-1 microbatches on; for fewer it
// is that order without the ops of the microbatches that there are not.
#include <algorithm>
#include <map>

#include "schedules/first_microbatches.hpp"
#include "schedules/schedule.hpp"
#include "schedules/streams.hpp"
#include "schedules/v_stages.hpp"

namespace pipesim {

namespace {

std::int64_t fewest_microbatches(const Problem& problem) {
  return 2 * std::int64_t{problem.devices} - 1;
}

Plan plan(const Problem& problem, const Parameters& parameters) {
  Plan plan{parameters, {}};
  const std::int64_t fewest = fewest_microbatches(problem);
  if (problem.microbatches < fewest) {
    plan.notes.push_back(first_microbatches_note("2p-1", fewest, problem.microbatches));
  }
  return plan;
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  return 2 * std::int64_t{std::min(problem.devices, problem.microbatches)};
}

/// Kind and stage of an op of every microbatch.
struct Turn {
  OpKind kind;
  Stage stage;

  friend auto operator<=>(const Turn&, const Turn&) = default;
};

/// A device's order, phase by phase. Each turn takes the next microbatch of its kind and stage.
class PhasedOrder {
 public:
  void add(std::int64_t repetitions, const std::vector<Turn>& turns) {
    std::vector<Stream> streams;
    for (const Turn& turn : turns) {
      std::int64_t& next = next_[turn];
      streams.push_back(stream(item(turn.kind, turn.stage, next), repetitions));
      next += repetitions;
    }
    const LaneOrder phase = in_step(streams);
    order_.insert(order_.end(), phase.begin(), phase.end());
  }

  const LaneOrder& order() const { return order_; }

 private:
  std::map<Turn, std::int64_t> next_;
  LaneOrder order_;
};

LaneOrder order(const Problem& problem, int i) {
  const int p = problem.devices;
  const Stage outward{i};
  const Stage homeward{2 * p - 1 - i};
  const Turn f0{OpKind::forward, outward};
  const Turn f1{OpKind::forward, homeward};
  const Turn i0{OpKind::backward_input, outward};
  const Turn i1{OpKind::backward_input, homeward};
  const Turn w0{OpKind::backward_weight, outward};
  const Turn w1{OpKind::backward_weight, homeward};
  const std::int64_t fewest = fewest_microbatches(problem);
  const std::int64_t steady = std::max<std::int64_t>(problem.microbatches, fewest) - fewest + i;

  PhasedOrder order;
  order.add(2 * (p - i) - 1, {f0});
  order.add(i, {f1, f0});
  order.add(p - i, {f1, i1, w1});
  order.add(steady, {f0, i0, w0, f1, i1, w1});
  order.add(p - 1 - i, {i0, w0, f1, i1, w1});
  order.add(i, {i0, i1});
  order.add(p - i, {i0, w0});
  order.add(i, {w1});
  order.add(i, {w0});
  return order.order();
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  Program program;
  for (int i = 0; i < problem.devices; ++i) program.lanes.push_back(order(problem, i));
  const std::int64_t m = problem.microbatches;
  return m < fewest_microbatches(problem) ? first_microbatches(program, m) : program;
}

}  // namespace

extern const Schedule schedule_zb_v;
const Schedule schedule_zb_v = {
    .info = {.name = "zb_v",
             .summary = "no bubble after the first forwards in 1f1b's memory, on a V of stages",
             .source = "Qi et al., Zero Bubble, arXiv 2401.10241v1, section 6",
             .placement = kVStages,
             .peak = "2 min(p, m)",
             .backward = BackwardPass::split,
             .parameters = {}},
    .place = place_v_stages,
    .plan = plan,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
