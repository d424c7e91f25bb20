// Chimera with two pipelines (Li and Hoefler, 2107.06925, section 3.1): two copies of the model in
// opposite directions, whose 1F1B orders are merged. Let a unit be p/2 slots in each direction. On
// device i, with g devices to its nearer end, "near" the direction that enters there and "remote"
// the other, the order is p/2-g near forwards, then for every unit
//   g times (remote forward, near forward), p/2-g times (remote forward, remote backward),
//   g times (near backward, remote backward), p/2-g times (near backward, near forward of the next
//   unit).
// Each stream runs through its microbatches in order, over the units' borders; the last unit may
// lack slots. A slot is one microbatch, or two with forward doubling, so that a forward slot takes
// as long as one backward where t_b = 2 t_f (the two are two ops: the first passes its result on
// before the second ends).
#include <algorithm>
#include <utility>
#include <vector>

#include "schedules/schedule.hpp"
#include "schedules/two_directions.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr auto kVariant = "variant";
constexpr auto kDirect = "direct";
constexpr auto kForwardDoubling = "forward_doubling";

/// Microbatches in a slot.
std::int64_t slot_size(const Parameters& parameters) {
  return text(parameters, kVariant) == kForwardDoubling ? 2 : 1;
}

/// The microbatches that cross a device in one direction.
struct Direction {
  Stage stage;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Consecutive slots of one kind and direction, of which the last may lack microbatches.
struct Slots {
  Item first;
  std::int64_t microbatches = 0;
};

Item shifted(const Item& item, std::int64_t by) {
  Step step = std::get<Step>(item.what);
  step.op.microbatch = Microbatch{step.op.microbatch.value + by};
  return {.what = step};
}

class ChimeraDevice {
 public:
  ChimeraDevice(const Problem& problem, int device, std::int64_t slot)
      : half_(problem.devices / 2),
        from_end_(std::min(device, problem.devices - 1 - device)),
        slot_(slot),
        microbatches_(problem.microbatches) {
    const std::int64_t up_first = problem.first_microbatch(Flow{1}).value;
    near_ = {.stage = Stage{device}, .first = 0, .count = up_first};
    remote_ = {.stage = Stage{problem.devices - 1 - device},
               .first = up_first,
               .count = microbatches_ - up_first};
    if (device >= half_) std::swap(near_, remote_);
  }

  LaneOrder order() const {
    const Slots warm_up = slots_of(OpKind::forward, near_, 0, half_ - from_end_);
    LaneOrder order = {repeat(warm_up.microbatches, {warm_up.first})};
    const std::int64_t unit_size = 2 * half_ * slot_;
    const std::int64_t alike = std::max<std::int64_t>(microbatches_ / unit_size - 1, 0);
    LaneOrder body;
    append_unit(body, 0);
    for (Item& item : body) item.stride = half_ * slot_;
    order.push_back(repeat(alike, std::move(body)));
    for (std::int64_t unit = alike; unit * unit_size < microbatches_; ++unit) {
      append_unit(order, unit);
    }
    return order;
  }

 private:
  Slots slots_of(OpKind kind, const Direction& direction, std::int64_t from,
                 std::int64_t count) const {
    const std::int64_t done = from * slot_;
    return {.first = item(kind, direction.stage, direction.first + done),
            .microbatches = std::clamp<std::int64_t>(direction.count - done, 0, count * slot_)};
  }

  void append_unit(LaneOrder& order, std::int64_t unit) const {
    const std::int64_t g = from_end_;
    const std::int64_t rest = half_ - g;
    const std::int64_t s = unit * half_;
    const auto f = OpKind::forward;
    const auto b = OpKind::backward;
    append_by_turns(order, slots_of(f, remote_, s, g), slots_of(f, near_, s + rest, g));
    append_by_turns(order, slots_of(f, remote_, s + g, rest), slots_of(b, remote_, s, rest));
    append_by_turns(order, slots_of(b, near_, s, g), slots_of(b, remote_, s + rest, g));
    append_by_turns(order, slots_of(b, near_, s + g, rest), slots_of(f, near_, s + half_, rest));
  }

  /// A slot of a and a slot of b by turns, then what one has more.
  void append_by_turns(LaneOrder& order, const Slots& a, const Slots& b) const {
    const std::int64_t turns = std::min(a.microbatches, b.microbatches) / slot_;
    std::vector<Item> turn;
    for (const Slots* slots : {&a, &b}) {
      for (std::int64_t k = 0; k < slot_; ++k) {
        turn.push_back(with_stride(shifted(slots->first, k), slot_));
      }
    }
    order.push_back(repeat(turns, std::move(turn)));
    const std::int64_t done = turns * slot_;
    const std::int64_t a_left = a.microbatches - done;
    const std::int64_t b_left = b.microbatches - done;
    const std::int64_t a_first = b_left > 0 ? std::min(a_left, slot_) : a_left;
    order.push_back(repeat(a_first, {shifted(a.first, done)}));
    order.push_back(repeat(b_left, {shifted(b.first, done)}));
    order.push_back(repeat(a_left - a_first, {shifted(a.first, done + a_first)}));
  }

  std::int64_t half_;
  std::int64_t from_end_;
  std::int64_t slot_;
  std::int64_t microbatches_;
  Direction near_;
  Direction remote_;
};

void check(const Problem& problem, const Parameters& /*parameters*/) {
  std::vector<Fault> faults = odd_devices(problem, "chimera");
  if (!faults.empty()) throw Error(std::move(faults));
}

std::int64_t peak(const Problem& problem, const Parameters& parameters, Device device) {
  const int from_end = std::min(device.value, problem.devices - 1 - device.value);
  return std::min<std::int64_t>(slot_size(parameters) * (problem.devices / 2 + 1 + from_end),
                                problem.microbatches);
}

Program build(const Problem& problem, const Parameters& parameters) {
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    program.lanes.push_back(ChimeraDevice(problem, i, slot_size(parameters)).order());
  }
  return program;
}

}  // namespace

extern const Schedule schedule_chimera;
const Schedule schedule_chimera = {
    .info = {.name = "chimera",
             .summary = "the merged 1f1b orders of two pipelines in opposite directions",
             .source = "Li and Hoefler, Chimera, arXiv 2107.06925, section 3.1",
             .placement = "every stage on two devices, one for each direction",
             .peak = "min(p/2 + 1 + min(i, p-1-i), m), with forward_doubling twice the first",
             .copies = 2,
             .parameters = {{.name = kVariant,
                             .type = ParameterType::text,
                             .choices = {kDirect, kForwardDoubling},
                             .summary = "direct: one unit of p microbatches after another; "
                                        "forward_doubling: units of 2p, forwards and backwards in "
                                        "pairs; absent: direct"}}},
    .place = place_two_directions,
    .check = check,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
