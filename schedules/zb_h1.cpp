// ZB-H1 (Qi et al., Zero Bubble, 2401.10241, section 2.2): 1F1B whose input gradients go ahead of
// the weight gradients, which fill the bubbles, and no more memory than 1F1B's first device has.
// Device i warms up with p-1-i forwards; weight gradients follow the input gradients i slots later.
// The variant "light" is the order of the authors' plug-in for Megatron-LM: the weight gradients of
// the first i microbatches come last, the latest of them first, the others each directly after its
// input gradient, in one op with it where another forward follows, and on device 0.
#include <algorithm>

#include "schedules/schedule.hpp"
#include "schedules/streams.hpp"
#include "schedules/warm_up.hpp"

namespace pipesim {

namespace {

constexpr auto kVariant = "variant";
constexpr auto kPaper = "paper";
constexpr auto kLight = "light";

bool is_light(const Parameters& parameters) {
  return text(parameters, kVariant).value_or(kPaper) == kLight;
}

std::int64_t peak(const Problem& problem, const Parameters& /*parameters*/, Device /*device*/) {
  return std::min(problem.devices, problem.microbatches);
}

LaneOrder paper_order(int stage_index, std::int64_t m, std::int64_t warm_up) {
  return split_warm_up_lane(Stage{stage_index}, warm_up, stage_index, m);
}

LaneOrder light_order(int stage_index, std::int64_t m, std::int64_t warm_up) {
  const Stage stage{stage_index};
  const std::int64_t late = std::min<std::int64_t>(stage_index, m);
  const std::int64_t full_end = stage_index == 0 ? m : std::max(late, m - 1 - warm_up);
  const Stream gradients{
      .delay = warm_up,
      .tail = {{.first = backward_input(stage, 0), .count = late},
               {.first = backward(stage, late), .count = full_end - late},
               {.first = backward_input(stage, full_end), .count = m - full_end}}};
  LaneOrder order =
      in_step({stream(forward(stage, 0), m), gradients,
               stream(backward_weight(stage, full_end), m - full_end, warm_up + full_end)});
  order.push_back(repeat(late, {with_stride(backward_weight(stage, late - 1), -1)}));
  return order;
}

Program build(const Problem& problem, const Parameters& parameters) {
  const std::int64_t m = problem.microbatches;
  const auto order = is_light(parameters) ? light_order : paper_order;
  Program program;
  for (int i = 0; i < problem.devices; ++i) {
    program.lanes.push_back(order(i, m, std::min<std::int64_t>(problem.devices - 1 - i, m)));
  }
  return program;
}

}  // namespace

extern const Schedule schedule_zb_h1;
const Schedule schedule_zb_h1 = {
    .info = {.name = "zb_h1",
             .summary = "1f1b with weight gradients delayed into its bubbles, in 1f1b's memory",
             .source = "Qi et al., Zero Bubble, arXiv 2401.10241, section 2.2",
             .peak = "min(p, m)",
             .backward = BackwardPass::split,
             .parameters = {{.name = kVariant,
                             .type = ParameterType::text,
                             .choices = {kPaper, kLight},
                             .summary = "paper, or light as in the authors' Megatron-LM plug-in, "
                                        "which splits few backwards; absent: paper"}}},
    .peak = peak,
    .build = build,
};

}  // namespace pipesim
