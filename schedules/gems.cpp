// GEMS (Jain et al., SC 2020): two copies of the model on the same devices in opposite directions,
// and microbatches alternate between them. A device runs the forward and the backward of one before
// those of the next, whose forward enters at the device where that backward began.
#include "schedules/schedule.hpp"

namespace pipesim {

namespace {

std::int64_t peak(const Problem& /*problem*/, const Parameters& /*parameters*/, Device /*device*/) {
  return 1;
}

Program build(const Problem& problem, const Parameters& /*parameters*/) {
  const int p = problem.devices;
  const std::int64_t m = problem.microbatches;
  const std::int64_t second = problem.first_microbatch(Flow{1}).value;
  Program program;
  for (int i = 0; i < p; ++i) {
    const Stage down{i};
    const Stage up{p - 1 - i};
    program.lanes.push_back({
        repeat(m - second,
               {forward(down, 0), backward(down, 0), forward(up, second), backward(up, second)}),
        // Of an odd number of microbatches the first copy has one more.
        repeat(m % 2, {forward(down, second - 1), backward(down, second - 1)}),
    });
  }
  return program;
}

Placement place(int devices, const Parameters& /*parameters*/) {
  return bidirectional_placement(devices);
}

}  // namespace

extern const Schedule schedule_gems;
const Schedule schedule_gems = {
    .info = {.name = "gems",
             .summary = "one microbatch at a time on two copies of the model, for least memory",
             .source = "Jain et al., GEMS, SC 2020; MPI4DL's gems_master.py",
             .placement = "two opposite flows",
             .peak = "1",
             .copies = 2,
             .parameters = {}},
    .place = place,
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
