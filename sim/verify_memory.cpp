#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "sim/memory_rules.hpp"
#include "sim/verify_rules.hpp"

// The memory of a timeline, from what lives when: shares with memory.cpp only the rules that a
// problem states.

namespace pipesim {

namespace {

/// A device holds `amount` more from `begin` until `end`.
struct Holding {
  Ticks begin;
  Ticks end;
  std::int64_t amount = 0;
  Op op;  ///< whose start takes it
};

/// When the parts of one microbatch on one stage ran.
struct Lifetime {
  std::optional<Span> forward;
  std::optional<Span> recompute;
  std::optional<Span> gradient;
  std::optional<Span> weight;
  std::optional<Span> evict;
  std::optional<Span> load;
};

class Holdings {
 public:
  Holdings(const Problem& problem, const Timeline& timeline)
      : problem_(problem),
        rules_(problem),
        memory_(memory_rules(problem)),
        microbatches_(static_cast<std::size_t>(problem.total_microbatches())),
        lifetimes_(static_cast<std::size_t>(problem.stages()) * microbatches_),
        of_device_(static_cast<std::size_t>(problem.devices)) {
    for (const Span& span : timeline.spans) note(span);
    for (const Lifetime& lifetime : lifetimes_) hold(lifetime);
    if (memory_.message == 0) return;
    for (const Span& span : timeline.spans) {
      if (is_send(span.op.kind)) hold_message(span);
    }
  }

  std::optional<std::string> excess() {
    if (!memory_.limit) return std::nullopt;
    const std::vector<std::int64_t> resident = resident_memory(problem_);
    for (std::size_t device = 0; device < of_device_.size(); ++device) {
      if (auto found = excess_of(device, resident[device], *memory_.limit)) return found;
    }
    return std::nullopt;
  }

 private:
  Lifetime& lifetime(const Op& op) {
    return lifetimes_[static_cast<std::size_t>(op.stage.value) * microbatches_ +
                      static_cast<std::size_t>(op.microbatch.value)];
  }

  void note(const Span& span) {
    for (const std::optional<Op>& op : {std::optional(span.op), span.overlapped}) {
      if (!op || !is_ordered(op->kind)) continue;
      Span own = span;
      own.op = *op;
      switch (role(op->kind)) {
        case Role::forward:
          lifetime(*op).forward = own;
          break;
        case Role::recompute:
          lifetime(*op).recompute = own;
          break;
        case Role::gradient:
          lifetime(*op).gradient = own;
          break;
        case Role::weight:
          lifetime(*op).weight = own;
          break;
        case Role::evict:
          lifetime(*op).evict = own;
          break;
        case Role::load:
          lifetime(*op).load = own;
          break;
      }
    }
  }

  // What lasts for no time is left out, in the timeline's favour.
  void add(Device device, const Holding& holding) {
    if (holding.amount == 0 || holding.begin == holding.end) return;
    of_device_[static_cast<std::size_t>(device.value)].push_back(holding);
  }

  void hold(const Lifetime& of) {
    if (!of.forward || !of.gradient) return;
    const Op& op = of.forward->op;
    const StageMemory& stage = memory_.stages[static_cast<std::size_t>(op.stage.value)];
    const Device device = problem_.device(op);
    const Ticks last = of.weight ? of.weight->end : of.gradient->end;
    const Span& taker = of.recompute.value_or(*of.forward);
    const std::int64_t kept = of.weight ? stage.kept_for_weight : 0;
    const Span& back = of.load.value_or(taker);
    if (of.evict && of.load) {
      add(device, {taker.start, of.evict->end, stage.activation, taker.op});
      add(problem_.parking.keeper[static_cast<std::size_t>(device.value)],
          {of.evict->start, of.load->end, stage.activation, of.evict->op});
    }
    add(device, {back.start, of.gradient->end, stage.activation - kept, back.op});
    add(device, {back.start, last, kept, back.op});
    if (problem_.recomputes(op.stage)) add(device, {of.forward->start, last, stage.input, op});
  }

  void hold_message(const Span& transfer) {
    const bool is_forward = transfer.op.kind == OpKind::send_forward;
    Op consumer = transfer.op;
    consumer.stage.value += is_forward ? 1 : -1;
    const Lifetime& there = lifetime(consumer);
    const std::optional<Span>& needed = is_forward ? there.forward : there.gradient;
    add(problem_.device(transfer.op), {transfer.start, transfer.end, memory_.message, transfer.op});
    if (!needed) return;
    add(rules_.receiver(transfer.op),
        {transfer.start, needed->start, memory_.message, transfer.op});
  }

  // The first instant at which what is held is too much. What is released at an instant is gone
  // before anything is taken there.
  std::optional<std::string> excess_of(std::size_t device, std::int64_t resident,
                                       std::int64_t limit) {
    std::vector<Holding>& holdings = of_device_[device];
    std::stable_sort(
        holdings.begin(), holdings.end(),
        [](const Holding& left, const Holding& right) { return left.begin < right.begin; });
    std::vector<std::pair<Ticks, std::int64_t>> ends;
    ends.reserve(holdings.size());
    for (const Holding& holding : holdings) ends.emplace_back(holding.end, holding.amount);
    std::sort(ends.begin(), ends.end());
    Int128 amount = resident;
    if (amount > limit) return fmt::format("device {} holds more than its limit", device);
    auto end = ends.begin();
    for (const Holding& holding : holdings) {
      for (; end != ends.end() && end->first <= holding.begin; ++end) amount -= end->second;
      amount += holding.amount;
      if (amount > limit) {
        return fmt::format("device {} holds more than its limit when {} starts at {} ps", device,
                           token(holding.op), holding.begin.count);
      }
    }
    return std::nullopt;
  }

  const Problem& problem_;
  VerifiedRules rules_;
  Memory memory_;
  std::size_t microbatches_;
  std::vector<Lifetime> lifetimes_;  // by stage and microbatch
  std::vector<std::vector<Holding>> of_device_;
};

}  // namespace

std::optional<std::string> memory_violation(const Problem& problem, const Timeline& timeline) {
  return Holdings(problem, timeline).excess();
}

}  // namespace pipesim
