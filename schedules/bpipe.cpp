// BPipe (Kim et al., ICML 2023): 1F1B whose early devices park activations with late ones, so that
// all hold about the same. Devices x and p-1-x are a pair; of device x the p-x activations that
// 1F1B keeps are at most K = ceil((p+2)/2) at a time. Before a forward for which there is no room
// the latest activations go to the partner (which makes the fewest transfers); before the backward
// that needs them they come back, and others go first if there is no room. When in this order a
// copy starts is our choice: just before the op that needs its room or its result.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/parking.hpp"
#include "schedules/schedule.hpp"
#include "schedules/warm_up.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

std::vector<Device> keepers(int devices, const Parameters& /*parameters*/) {
  return mirrored_devices(devices);
}

std::int64_t most_kept(int devices) { return (devices + 3) / 2; }

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device device) {
  const std::int64_t own = std::min(problem.devices - device.value, problem.microbatches);
  const std::int64_t partners = device.value + 1;
  const bool keeps_guests = partners < own;
  return keeps_guests || own > most_kept(problem.devices)
             ? std::min(own, most_kept(problem.devices))
             : most_kept(problem.devices);
}

Item evict(Stage stage, std::int64_t microbatch) { return item(OpKind::evict, stage, microbatch); }
Item load(Stage stage, std::int64_t microbatch) { return item(OpKind::load, stage, microbatch); }

/// The order of a device that warms up with `warm` forwards. With one more, it keeps the first
/// K-1 activations and the latest, the rest is away; `warm` microbatches later it does so again.
LaneOrder lane(Stage stage, std::int64_t warm, std::int64_t most, std::int64_t m) {
  const std::int64_t stay = most - 1;
  const std::int64_t away = warm - stay;
  const std::int64_t steady = m - warm - 1;  // pairs of a backward and a forward
  const std::int64_t rounds = warm == 0 ? 0 : steady / warm;
  const std::int64_t rest = warm == 0 ? 0 : steady % warm;
  const std::int64_t at = rounds * warm;  // the first microbatch of the last, unfinished round
  const std::int64_t next = warm + 1;     // from a backward to the forward after it
  const std::int64_t kept = std::min(rest, stay);
  const std::int64_t swapped = rest - kept;
  // In the drain there is no room only for the first of those that come back.
  const std::int64_t full = rest >= stay ? 1 : 0;
  return {
      repeat(most, {forward(stage, 0)}),
      repeat(away, {evict(stage, stay), forward(stage, most)}),
      repeat(rounds,
             {with_stride(repeat(stay, {backward(stage, 0), forward(stage, next)}), warm),
              with_stride(repeat(away, {evict(stage, warm + stay), load(stage, stay),
                                        backward(stage, stay), forward(stage, next + stay)}),
                          warm)}),
      repeat(kept, {backward(stage, at), forward(stage, at + next)}),
      repeat(swapped, {evict(stage, at + warm + stay), load(stage, at + stay),
                       backward(stage, at + stay), forward(stage, at + next + stay)}),
      repeat(stay - kept, {backward(stage, at + kept)}),
      repeat(full, {evict(stage, at + warm + rest)}),
      repeat(away - swapped,
             {load(stage, at + stay + swapped), backward(stage, at + stay + swapped)}),
      repeat(full == 1 ? stay : rest + 1, {backward(stage, at + warm)}),
      repeat(full * (swapped + 1),
             {load(stage, at + warm + stay), backward(stage, at + warm + stay)}),
  };
}

/// Whether the device has to park; what 1F1B keeps on it is one more than it warms up with.
bool parks(const Problem& problem, int device) {
  return std::min(problem.devices - device, problem.microbatches) > most_kept(problem.devices);
}

void check(const Problem& problem, const Parameters& /*parameters*/) {
  for (int device = 0; device < problem.devices; ++device) {
    if (!parks(problem, device) || !problem.recomputes(Stage{device})) continue;
    throw Error(
        Fault{.pointer = "/recompute",
              .what = fmt::format("stage {} recomputes its activations, bpipe parks them", device),
              .allowed = "one of the two for each stage: bpipe parks on the first devices"});
  }
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const std::int64_t m = problem.microbatches;
  const std::int64_t most = most_kept(problem.devices);
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    const std::int64_t warm = std::min<std::int64_t>(problem.devices - 1 - i, m - 1);
    program.lanes.push_back(parks(problem, i) ? lane(Stage{i}, warm, most, m)
                                              : warm_up_lane(Stage{i}, warm, m));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_bpipe;
const Schedule schedule_bpipe = {
    .info = {.name = "bpipe",
             .summary = "1f1b that parks activations of early devices with late ones",
             .source = "Kim et al., BPipe, ICML 2023",
             .peak = "min(p - i, ceil((p + 2) / 2)), with those of others: ceil((p + 2) / 2)",
             .parameters = {}},
    .keepers = keepers,
    .check = check,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
