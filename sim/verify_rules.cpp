#include "sim/verify_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pipesim {

namespace {

Op same_microbatch(Op op, OpKind kind, std::int32_t stage) {
  op.kind = kind;
  op.stage = Stage{stage};
  return op;
}

/// Of a backward, whichever kind it is, the full one.
Op another_slice(Op op, std::int32_t apart) {
  if (op.kind != OpKind::forward) op.kind = OpKind::backward;
  op.microbatch.value += apart;
  return op;
}

/// A blocking mode: both devices are occupied until the result is there.
bool occupies_until_arrival(TransferMode mode) {
  return mode == TransferMode::single_stream || mode == TransferMode::rendezvous;
}

}  // namespace

std::string text(const VerifiedLane& lane) {
  switch (lane.kind) {
    case VerifiedLane::Kind::compute:
      return fmt::format("device {}", lane.first);
    case VerifiedLane::Kind::link:
      return fmt::format("the link from device {} to {}", lane.first, lane.second);
    case VerifiedLane::Kind::stream:
      return fmt::format("the stream of device {}", lane.first);
    case VerifiedLane::Kind::shared_link:
      return fmt::format("the link of node {}", lane.first);
  }
  return "";
}

bool VerifiedRules::exists(const Op& op) const {
  return op.stage >= Stage{} && op.stage < Stage{problem_.stages()} &&
         op.microbatch >= Microbatch{} && op.microbatch < Microbatch{problem_.total_microbatches()};
}

VerifiedRules::Inputs VerifiedRules::inputs(const Op& op) const {
  const std::int32_t stage = op.stage.value;
  const std::int32_t slice = op.microbatch.value % problem_.slices;
  Inputs inputs;
  switch (op.kind) {
    case OpKind::forward:
      if (stage > 0) inputs[0] = same_microbatch(op, OpKind::forward, stage - 1);
      if (slice > 0) inputs[1] = another_slice(op, -1);
      break;
    case OpKind::backward:
    case OpKind::backward_input: {
      const bool again = problem_.recomputes(op.stage);
      inputs[0] = same_microbatch(op, again ? OpKind::recompute : OpKind::forward, stage);
      if (stage < problem_.stages() - 1) {
        inputs[1] = same_microbatch(op, OpKind::backward, stage + 1);
      }
      if (slice < problem_.slices - 1) inputs[2] = another_slice(op, 1);
      if (!problem_.parking.keeper.empty()) inputs[3] = same_microbatch(op, OpKind::load, stage);
      break;
    }
    case OpKind::backward_weight:
      inputs[0] = same_microbatch(op, OpKind::backward_input, stage);
      break;
    case OpKind::recompute:
    case OpKind::evict:
    case OpKind::send_forward:
      inputs[0] = same_microbatch(op, OpKind::forward, stage);
      break;
    case OpKind::send_backward:
      inputs[0] = same_microbatch(op, OpKind::backward, stage);
      break;
    case OpKind::load:
      inputs[0] = same_microbatch(op, OpKind::evict, stage);
      break;
    case OpKind::grad_sync:
    case OpKind::optimizer:
    case OpKind::barrier:
    case OpKind::release:
      break;
  }
  return inputs;
}

bool VerifiedRules::has_transfers() const {
  return problem_.communication.mode != TransferMode::free ||
         problem_.communication.shared_link.has_value();
}

std::optional<Op> VerifiedRules::transfer_of(const Op& producer) const {
  const std::int32_t stage = producer.stage.value;
  std::int32_t target = stage;
  if (producer.kind == OpKind::forward) target = std::min(stage + 1, problem_.stages() - 1);
  if (producer.kind == OpKind::backward || producer.kind == OpKind::backward_input) {
    target = std::max(stage - 1, 0);
  }
  const Device there = problem_.device(Stage{target}, producer.microbatch);
  if (there == problem_.device(producer)) return std::nullopt;
  return same_microbatch(producer, target > stage ? OpKind::send_forward : OpKind::send_backward,
                         stage);
}

Device VerifiedRules::receiver(const Op& transfer) const {
  const std::int32_t apart = transfer.kind == OpKind::send_forward ? 1 : -1;
  return problem_.device(Stage{transfer.stage.value + apart}, transfer.microbatch);
}

Ticks VerifiedRules::transfer_time(const Op& transfer) const {
  const Communication& communication = problem_.communication;
  const Device from = problem_.device(transfer);
  const Device to = receiver(transfer);
  const Link link = problem_.link(from, to);
  if (occupies_until_arrival(communication.mode)) return link.latency + link.occupancy;
  if (!communication.shared_link || communication.node(from) == communication.node(to)) {
    return link.occupancy;
  }
  return std::max(link.occupancy, *communication.shared_link);
}

Ticks VerifiedRules::arrival_delay(const Op& transfer) const {
  if (occupies_until_arrival(problem_.communication.mode)) return Ticks{0};
  return problem_.link(problem_.device(transfer), receiver(transfer)).latency;
}

Ticks VerifiedRules::step_end_time(const Op& op) const {
  const Iterations& iterations = problem_.iterations;
  if (op.kind == OpKind::grad_sync && !iterations.grad_sync.empty()) {
    return iterations.grad_sync[static_cast<std::size_t>(op.stage.value)];
  }
  if (op.kind == OpKind::optimizer && !iterations.optimizer.empty()) {
    return iterations.optimizer[static_cast<std::size_t>(problem_.device(op).value)];
  }
  return Ticks{0};
}

VerifiedLanes VerifiedRules::lanes(const Op& op) const {
  using Kind = VerifiedLane::Kind;
  const Communication& communication = problem_.communication;
  const Device device = problem_.device(op);
  VerifiedLanes lanes;
  const bool is_beside = op.kind == OpKind::barrier || op.kind == OpKind::release ||
                         (op.kind == OpKind::grad_sync && problem_.iterations.overlap_grad_sync);
  if (is_beside) return lanes;
  if (!is_send(op.kind)) {
    lanes.add(Kind::compute, device.value);
    return lanes;
  }
  const Device peer = receiver(op);
  if (communication.mode == TransferMode::async) lanes.add(Kind::link, device.value, peer.value);
  if (occupies_until_arrival(communication.mode)) {
    const bool blocks = communication.mode == TransferMode::rendezvous;
    const Kind kind = blocks ? Kind::compute : Kind::stream;
    lanes.add(kind, device.value);
    lanes.add(kind, peer.value);
  }
  const std::int32_t node = communication.node(device);
  if (communication.shared_link && node != communication.node(peer)) {
    lanes.add(Kind::shared_link, node);
  }
  return lanes;
}

SpanOfOp::SpanOfOp(const Problem& problem)
    : microbatches_(static_cast<std::size_t>(problem.total_microbatches())),
      cells_(static_cast<std::size_t>(problem.stages()) * microbatches_) {}

void SpanOfOp::expect(const Op& op) {
  std::vector<SpanIndex>& row = rows_[static_cast<std::size_t>(op.kind)];
  if (row.empty()) row.assign(cells_, kNotExpected);
  row[cell(op)] = kMissing;
}

SpanOfOp::SpanIndex SpanOfOp::get(const Op& op) const {
  const std::vector<SpanIndex>& row = rows_[static_cast<std::size_t>(op.kind)];
  return row.empty() ? kNotExpected : row[cell(op)];
}

void SpanOfOp::set(const Op& op, SpanIndex index) {
  rows_[static_cast<std::size_t>(op.kind)][cell(op)] = index;
}

std::size_t SpanOfOp::cell(const Op& op) const {
  return static_cast<std::size_t>(op.stage.value) * microbatches_ +
         static_cast<std::size_t>(op.microbatch.value);
}

}  // namespace pipesim
