#include "sim/stream_program.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "sim/lane_summary.hpp"
#include "sim/microbatch_order.hpp"

namespace pipesim {

namespace {

/// The most ops into which the body of one loop is written out.
constexpr std::size_t kMostUnrolled = 2048;

/// A lane's ops of one kind and their order, or null.
const MicrobatchOrder* find_order(const std::vector<MicrobatchOrders>& lanes, Device device,
                                  const OpClass& of) {
  const MicrobatchOrders& orders = lanes[static_cast<std::size_t>(device.value)];
  const auto found = orders.find(of);
  return found == orders.end() ? nullptr : &found->second;
}

/// How far ops of one class have run ahead of those that they need, over some steps of a lane.
RunningAmount lead(const Problem& problem, const std::vector<Item>& items, const OpClass& of,
                   const OpClass& needed) {
  const auto is_of = [&](const Op& op, const OpClass& wanted) {
    return op.kind == wanted.kind && op.stage == wanted.stage &&
           problem.flow(op.microbatch) == wanted.flow;
  };
  RunningAmount all;
  for (const Item& item : items) {
    if (const Step* step = std::get_if<Step>(&item.what)) {
      const int change = (is_of(step->op, of) ? 1 : 0) - (is_of(step->op, needed) ? 1 : 0);
      all = then(all, {.change = change, .peak = std::max(change, 0)});
    } else if (const Loop& loop = std::get<Loop>(item.what); loop.count > 0) {
      all = then(all, repeated(lead(problem, loop.body, of, needed), loop.count));
    }
  }
  return all;
}

class Writer {
 public:
  explicit Writer(const Problem& problem) : problem_(problem) {}

  std::optional<StreamProgram> write(const Program& program) {
    std::vector<MicrobatchOrders> orders;
    orders.reserve(program.lanes.size());
    for (const LaneOrder& lane : program.lanes) {
      auto found = microbatch_orders(problem_, lane);
      if (!found) return std::nullopt;
      orders.push_back(*std::move(found));
    }
    for (std::size_t device = 0; device < orders.size(); ++device) {
      if (!flows_are_known(orders[device])) return std::nullopt;
      if (!is_in_order(program.lanes[device], orders[device])) return std::nullopt;
    }
    if (!add_channels(orders)) return std::nullopt;
    for (const LaneOrder& lane : program.lanes) {
      if (!add_blocks(lane, written_.lanes.emplace_back())) return std::nullopt;
    }
    set_marks();
    for (const std::vector<StreamBlock>& lane : written_.lanes) mark_ends(lane);
    return std::move(written_);
  }

 private:
  bool flows_are_known(const MicrobatchOrders& orders) const {
    for (const auto& [of, order] : orders) {
      for (const Progression& part : order) {
        if (problem_.flow(Microbatch{part.first}) != of.flow) return false;
        if (problem_.flow(Microbatch{part.last()}) != of.flow) return false;
      }
    }
    return true;
  }

  // Whether everything that an op needs of its own stage stands before it, microbatch by
  // microbatch: then the lane itself sees to it.
  bool is_in_order(const LaneOrder& lane, const MicrobatchOrders& orders) const {
    const auto follows = [&](const OpClass& of, OpKind needed) {
      const OpClass before = {needed, of.stage, of.flow};
      const auto found = orders.find(before);
      return found != orders.end() && same_order(found->second, orders.at(of)) &&
             lead(problem_, lane, of, before).peak == 0;
    };
    return std::all_of(orders.begin(), orders.end(), [&](const auto& entry) {
      const OpClass& of = entry.first;
      switch (of.kind) {
        case OpKind::forward:
          return true;
        case OpKind::backward_weight:
          return follows(of, OpKind::backward_input);
        case OpKind::recompute:
          return follows(of, OpKind::forward);
        default:
          return follows(of, problem_.recomputes(of.stage) ? OpKind::recompute : OpKind::forward);
      }
    });
  }

  // The kind of all backwards; none where they are of several.
  std::optional<OpKind> gradient_kind(const std::vector<MicrobatchOrders>& lanes) const {
    bool is_full = false;
    bool is_split = false;
    for (const MicrobatchOrders& orders : lanes) {
      for (const auto& [of, order] : orders) {
        is_full = is_full || of.kind == OpKind::backward;
        is_split = is_split || of.kind == OpKind::backward_input;
      }
    }
    if (is_full && is_split) return std::nullopt;
    return is_full ? OpKind::backward : OpKind::backward_input;
  }

  std::size_t place(Flow flow, Stage stage) const {
    return static_cast<std::size_t>(flow.value) * static_cast<std::size_t>(problem_.stages()) +
           static_cast<std::size_t>(stage.value);
  }

  // From each stage to the next one, and back; false where one of them is not first in, first out.
  bool add_channels(const std::vector<MicrobatchOrders>& orders) {
    const std::optional<OpKind> gradient = gradient_kind(orders);
    if (!gradient) return false;
    written_.gradient = *gradient;
    forwards_.assign(place(Flow{problem_.placement.flows()}, Stage{0}), kNoChannel);
    gradients_ = forwards_;
    for (int f = 0; f < problem_.placement.flows(); ++f) {
      const Flow flow{f};
      const std::vector<Device>& device_of =
          problem_.placement.device_of[static_cast<std::size_t>(f)];
      for (int s = 0; s + 1 < problem_.stages(); ++s) {
        const Device upper = device_of[static_cast<std::size_t>(s)];
        const Device lower = device_of[static_cast<std::size_t>(s) + 1];
        const auto same = [&](OpKind kind) {
          const MicrobatchOrder* const from = find_order(orders, upper, {kind, Stage{s}, flow});
          const MicrobatchOrder* const to = find_order(orders, lower, {kind, Stage{s + 1}, flow});
          return from != nullptr && to != nullptr ? same_order(*from, *to) : from == to;
        };
        // The forwards of each stage are in the order of its gradients: see is_in_order().
        if (!same(*gradient)) return false;
        forwards_[place(flow, Stage{s})] = add_channel(upper, lower);
        gradients_[place(flow, Stage{s + 1})] = add_channel(lower, upper);
      }
    }
    return true;
  }

  std::int32_t add_channel(Device from, Device to) {
    const Link link = problem_.link(from, to);
    written_.channels.push_back({.producer = from.value,
                                 .consumer = to.value,
                                 .latency = (link.latency + link.occupancy).count});
    return static_cast<std::int32_t>(written_.channels.size() - 1);
  }

  bool add_blocks(const std::vector<Item>& items, std::vector<StreamBlock>& blocks) {
    for (const Item& item : items) {
      if (const Step* step = std::get_if<Step>(&item.what)) {
        if (step->overlapped) return false;
        add_op(step->op, blocks);
        continue;
      }
      const Loop& loop = std::get<Loop>(item.what);
      if (loop.count <= 0) continue;
      std::vector<StreamBlock> body;
      const auto first_op = static_cast<std::uint32_t>(written_.ops.size());
      if (!add_blocks(loop.body, body)) return false;
      if (body.empty()) continue;
      if (!unroll(body, first_op)) {
        blocks.push_back({.count = loop.count, .blocks = std::move(body)});
        continue;
      }
      blocks.push_back({.count = loop.count,
                        .first_op = first_op,
                        .end_op = static_cast<std::uint32_t>(written_.ops.size()),
                        .blocks = {}});
    }
    return true;
  }

  void add_op(const Op& op, std::vector<StreamBlock>& blocks) {
    const Flow flow = problem_.flow(op.microbatch);
    StreamOp written = {.duration = problem_.duration(op, std::nullopt).count};
    if (role(op.kind) == Role::forward) {
      written.is_forward = true;
      written.output = forwards_[place(flow, op.stage)];
      if (op.stage > Stage{0}) {
        written.input = forwards_[place(flow, Stage{op.stage.value - 1})];
      }
    } else if (role(op.kind) == Role::gradient) {
      written.is_gradient = true;
      written.output = gradients_[place(flow, op.stage)];
      if (op.stage.value + 1 < problem_.stages()) {
        written.input = gradients_[place(flow, Stage{op.stage.value + 1})];
      }
    }
    const auto at = static_cast<std::uint32_t>(written_.ops.size());
    written_.ops.push_back(written);
    if (!blocks.empty() && blocks.back().count == 1 && blocks.back().end_op == at &&
        blocks.back().blocks.empty()) {
      blocks.back().end_op = at + 1;
    } else {
      blocks.push_back({.count = 1, .first_op = at, .end_op = at + 1, .blocks = {}});
    }
  }

  // Writes the blocks out as ops one after another, from first_op on. False, and nothing changed,
  // where that would be too many.
  bool unroll(const std::vector<StreamBlock>& blocks, std::uint32_t first_op) {
    std::size_t size = 0;
    for (const StreamBlock& block : blocks) {
      if (!block.blocks.empty()) return false;
      if (block.count > static_cast<std::int64_t>(kMostUnrolled)) return false;
      size += static_cast<std::size_t>(block.count) * (block.end_op - block.first_op);
      if (size > kMostUnrolled) return false;
    }
    std::vector<StreamOp> body;
    body.reserve(size);
    for (const StreamBlock& block : blocks) {
      for (std::int64_t r = 0; r < block.count; ++r) {
        body.insert(body.end(), written_.ops.begin() + block.first_op,
                    written_.ops.begin() + block.end_op);
      }
    }
    written_.ops.resize(first_op);
    written_.ops.insert(written_.ops.end(), body.begin(), body.end());
    return true;
  }

  void set_marks() {
    std::uint64_t state = 0;
    const auto next = [&state] {  // splitmix64 (Steele, Lea and Flood, OOPSLA 2014, figure 17)
      std::uint64_t mark = state += 0x9e3779b97f4a7c15U;
      mark = (mark ^ (mark >> 30U)) * 0xbf58476d1ce4e5b9U;
      mark = (mark ^ (mark >> 27U)) * 0x94d049bb133111ebU;
      return mark ^ (mark >> 31U);
    };
    for (StreamOp& op : written_.ops) op.mark = next();
    for (StreamChannel& channel : written_.channels) channel.mark = next();
  }

  void mark_ends(const std::vector<StreamBlock>& blocks) {
    for (const StreamBlock& block : blocks) {
      if (block.blocks.empty()) {
        written_.ops[block.end_op - 1].body = block.end_op - block.first_op;
      } else {
        mark_ends(block.blocks);
      }
    }
  }

  const Problem& problem_;
  StreamProgram written_;
  // By flow and stage: where its forwards, its gradients go.
  std::vector<std::int32_t> forwards_;
  std::vector<std::int32_t> gradients_;
};

}  // namespace

bool may_stream(const Problem& problem) {
  const Iterations& iterations = problem.iterations;
  return problem.communication.mode == TransferMode::free && !problem.communication.shared_link &&
         iterations.count == 1 && iterations.joined == 1 && !iterations.has_tasks() &&
         problem.slices == 1 && problem.parking.keeper.empty() && problem.stragglers.empty() &&
         problem.durations.empty();
}

std::optional<StreamProgram> stream_program(const Problem& problem, const Program& program) {
  if (!may_stream(problem)) return std::nullopt;
  return Writer(problem).write(program);
}

}  // namespace pipesim
