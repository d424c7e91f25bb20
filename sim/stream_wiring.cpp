#include "sim/stream_wiring.hpp"

#include <optional>

namespace pipesim {

StreamWiring::StreamWiring(const Problem& problem) : problem_(problem) {
  forwards_.assign(place(Flow{problem.placement.flows()}, Stage{0}), kNoChannel);
  gradients_ = forwards_;
  for (int f = 0; f < problem.placement.flows(); ++f) {
    const Flow flow{f};
    const std::vector<Device>& device_of = problem.placement.device_of[static_cast<std::size_t>(f)];
    for (int s = 0; s + 1 < problem.stages(); ++s) {
      const Device upper = device_of[static_cast<std::size_t>(s)];
      const Device lower = device_of[static_cast<std::size_t>(s) + 1];
      forwards_[place(flow, Stage{s})] = add_channel(upper, lower);
      gradients_[place(flow, Stage{s + 1})] = add_channel(lower, upper);
    }
  }
}

StreamOp StreamWiring::op(const OpClass& of) const {
  const Op any = {.kind = of.kind, .stage = of.stage, .microbatch = {}};
  StreamOp written = {.duration = problem_.duration(any, std::nullopt).count};
  if (role(of.kind) == Role::forward) {
    written.is_forward = true;
    written.output = forwards_[place(of.flow, of.stage)];
    if (of.stage > Stage{0}) {
      written.input = forwards_[place(of.flow, Stage{of.stage.value - 1})];
    }
  } else if (role(of.kind) == Role::gradient) {
    written.is_gradient = true;
    written.output = gradients_[place(of.flow, of.stage)];
    if (of.stage.value + 1 < problem_.stages()) {
      written.input = gradients_[place(of.flow, Stage{of.stage.value + 1})];
    }
  }
  return written;
}

std::size_t StreamWiring::place(Flow flow, Stage stage) const {
  return static_cast<std::size_t>(flow.value) * static_cast<std::size_t>(problem_.stages()) +
         static_cast<std::size_t>(stage.value);
}

std::int32_t StreamWiring::add_channel(Device from, Device to) {
  const Link link = problem_.link(from, to);
  channels_.push_back({.producer = from.value,
                       .consumer = to.value,
                       .latency = (link.latency + link.occupancy).count});
  return static_cast<std::int32_t>(channels_.size() - 1);
}

}  // namespace pipesim
