#include "sim/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "sim/error.hpp"
#include "sim/transfer_order.hpp"

namespace pipesim {

namespace {

/// The order of changes at one instant.
enum class Phase : std::uint8_t {
  release,  ///< of what was taken before this instant
  passing,  ///< a message's buffer, taken and released at once
  step,     ///< an op's start, and its end if it takes no time
  take      ///< a message's buffer
};

struct Change {
  Ticks time;
  Phase phase = Phase::release;
  Op op;
  std::int64_t delta = 0;

  bool before(const Change& other) const {
    return std::pair(time, phase) < std::pair(other.time, other.phase);
  }
};

/// The memory of one device: merges the changes of its lane, as they come, with those beside it:
/// of its messages and of what it keeps for others.
class DeviceMemory {
 public:
  DeviceMemory(Device device, std::int64_t resident, std::vector<Change> beside,
               const MemoryVisitor& visit)
      : device_(device), amount_(resident), beside_(std::move(beside)), visit_(visit) {
    std::stable_sort(beside_.begin(), beside_.end(),
                     [](const Change& left, const Change& right) { return left.before(right); });
  }

  /// Requires that the changes of the lane come in order.
  void add_step_change(const Change& change) {
    while (next_ < beside_.size() && beside_[next_].before(change)) apply(beside_[next_++]);
    apply(change);
  }

  void finish() {
    while (next_ < beside_.size()) apply(beside_[next_++]);
  }

 private:
  void apply(const Change& change) {
    if (change.delta == 0) return;
    amount_ = add_memory(amount_, change.delta, device_);
    visit_(device_, {.time = change.time, .op = change.op, .amount = amount_});
  }

  Device device_;
  std::int64_t amount_;
  std::vector<Change> beside_;
  std::size_t next_ = 0;  // of beside_
  const MemoryVisitor& visit_;
};

/// By device, the transfers that it sends or receives; nothing where messages take no memory.
std::vector<std::vector<std::uint32_t>> transfers_by_device(const TaskGraph& graph,
                                                            const Timeline& timeline,
                                                            const Memory& rules) {
  std::vector<std::vector<std::uint32_t>> transfers(timeline.devices());
  if (rules.message == 0) return transfers;
  for (std::size_t index = timeline.lane_begin.back(); index < timeline.spans.size(); ++index) {
    const Op& send = timeline.spans[index].op;
    if (!is_send(send.kind)) continue;
    for (const Device device : {graph.problem().device(send), receiver(graph.problem(), send)}) {
      transfers[static_cast<std::size_t>(device.value)].push_back(
          static_cast<std::uint32_t>(index));
    }
  }
  return transfers;
}

/// When the op starts that needs what the transfer brings.
Ticks needed_at(const TaskGraph& graph, const Timeline& timeline, const Op& send) {
  const bool is_forward = send.kind == OpKind::send_forward;
  const TaskId consumer =
      graph.find(is_forward ? Role::forward : Role::gradient,
                 Stage{send.stage.value + (is_forward ? 1 : -1)}, send.microbatch);
  return timeline.spans[consumer].start;
}

/// What a device takes and releases beside its own lane, `amount` in [begin, end).
void add_change(std::vector<Change>& changes, Ticks begin, Ticks end, const Op& op,
                std::int64_t amount) {
  const bool at_once = begin == end;
  changes.push_back(
      {.time = begin, .phase = at_once ? Phase::passing : Phase::take, .op = op, .delta = amount});
  changes.push_back({.time = end,
                     .phase = at_once ? Phase::passing : Phase::release,
                     .op = op,
                     .delta = -amount});
}

/// By device, what it keeps for others.
std::vector<std::vector<Change>> guest_changes(const TaskGraph& graph, const Timeline& timeline,
                                               const Memory& rules) {
  std::vector<std::vector<Change>> changes(timeline.devices());
  const std::vector<Device>& keeper = graph.problem().parking.keeper;
  if (keeper.empty()) return changes;
  for (std::size_t device = 0; device < timeline.devices(); ++device) {
    for (const Span* span = timeline.begin(device); span != timeline.end(device); ++span) {
      if (span->op.kind != OpKind::evict) continue;
      const TaskId load = graph.find(Role::load, span->op.stage, span->op.microbatch);
      add_change(changes[static_cast<std::size_t>(keeper[device].value)], span->start,
                 timeline.spans[load].end, span->op,
                 rules.stages[static_cast<std::size_t>(span->op.stage.value)].activation);
    }
  }
  return changes;
}

void add_message_changes(std::vector<Change>& changes, const TaskGraph& graph,
                         const Timeline& timeline, Device device,
                         const std::vector<std::uint32_t>& transfers, std::int64_t message) {
  for (const std::uint32_t index : transfers) {
    const Span& span = timeline.spans[index];
    const bool sends = graph.problem().device(span.op) == device;
    const Ticks until = sends ? span.end : needed_at(graph, timeline, span.op);
    add_change(changes, span.start, until, span.op, message);
  }
}

void follow_lane(const Problem& problem, const Memory& rules, const Span* begin, const Span* end,
                 DeviceMemory& memory) {
  for (const Span* span = begin; span != end; ++span) {
    const MemoryEffect effect =
        memory_effect(problem, rules, {.op = span->op, .overlapped = span->overlapped});
    memory.add_step_change(
        {.time = span->start, .phase = Phase::step, .op = span->op, .delta = effect.taken});
    memory.add_step_change({.time = span->end,
                            .phase = span->end == span->start ? Phase::step : Phase::release,
                            .op = span->overlapped.value_or(span->op),
                            .delta = -effect.released});
  }
}

void follow(const TaskGraph& graph, const Timeline& timeline, const Memory& rules,
            const MemoryVisitor& visit) {
  const Problem& problem = graph.problem();
  const std::vector<std::int64_t> resident = resident_memory(problem, rules);
  const auto transfers = transfers_by_device(graph, timeline, rules);
  auto beside = guest_changes(graph, timeline, rules);
  for (std::size_t index = 0; index < timeline.devices(); ++index) {
    const Device device{index};
    add_message_changes(beside[index], graph, timeline, device, transfers[index], rules.message);
    DeviceMemory memory(device, resident[index], std::move(beside[index]), visit);
    follow_lane(problem, rules, timeline.begin(index), timeline.end(index), memory);
    memory.finish();
  }
}

}  // namespace

void follow_memory(const TaskGraph& graph, const Timeline& timeline, const MemoryVisitor& visit) {
  follow(graph, timeline, memory_rules(graph.problem()), visit);
}

void follow_activations(const TaskGraph& graph, const Timeline& timeline,
                        const MemoryVisitor& visit) {
  follow(graph, timeline, activation_rules(graph.problem()), visit);
}

std::vector<std::vector<MemoryPoint>> memory_profile(const TaskGraph& graph,
                                                     const Timeline& timeline) {
  std::vector<std::vector<MemoryPoint>> profile;
  profile.reserve(timeline.devices());
  for (const std::int64_t resident : resident_memory(graph.problem())) {
    profile.push_back({{.time = Ticks{0}, .amount = resident}});
  }
  follow_memory(graph, timeline, [&](Device device, const MemoryChange& change) {
    profile[static_cast<std::size_t>(device.value)].push_back(
        {.time = change.time, .amount = change.amount});
  });
  return profile;
}

std::vector<std::int64_t> peak_memory(const TaskGraph& graph, const Timeline& timeline) {
  std::vector<std::int64_t> peaks = resident_memory(graph.problem());
  follow_memory(graph, timeline, [&](Device device, const MemoryChange& change) {
    std::int64_t& peak = peaks[static_cast<std::size_t>(device.value)];
    peak = std::max(peak, change.amount);
  });
  return peaks;
}

std::optional<MemoryExcess> find_over_limit(const TaskGraph& graph, const Timeline& timeline) {
  std::optional<MemoryExcess> first;
  const std::optional<std::int64_t> limit = memory_rules(graph.problem()).limit;
  if (!limit) return first;
  const std::vector<std::int64_t> resident = resident_memory(graph.problem());
  for (std::size_t device = 0; device < resident.size(); ++device) {
    if (resident[device] <= *limit) continue;
    return MemoryExcess{.device = Device{device},
                        .time = Ticks{0},
                        .op = std::nullopt,
                        .amount = resident[device],
                        .limit = *limit};
  }
  follow_memory(graph, timeline, [&](Device device, const MemoryChange& change) {
    if (change.amount <= *limit || (first && change.time >= first->time)) return;
    first = {.device = device,
             .time = change.time,
             .op = change.op,
             .amount = change.amount,
             .limit = *limit};
  });
  return first;
}

std::string sentence(const MemoryExcess& excess, const Problem& problem, TimeUnit unit) {
  const Memory rules = memory_rules(problem);
  std::string what = "of parameters and optimizer state";
  if (excess.op) {
    const bool stage_is_known = problem.stages() == problem.devices;
    what = fmt::format("when {} starts at {} {}",
                       stage_is_known ? short_name(*excess.op) : token(*excess.op),
                       format_time(excess.time, unit), name(unit));
  }
  std::string held = format_amount(rules, excess.amount);
  std::string limit =
      rules.in_bytes ? format_bytes(excess.limit) : format_ratio(microbatches(rules, excess.limit));
  if (held == limit) {  // rounded alike
    held = fmt::format("{} B", excess.amount);
    limit = fmt::format("{} B", excess.limit);
  }
  return fmt::format("device {} holds {} {}, over the limit of {}", excess.device.value, held, what,
                     limit);
}

Ratio microbatches(const Memory& rules, std::int64_t amount) {
  PIPESIM_CHECK(!rules.in_bytes);
  return {amount, rules.units_per_microbatch};
}

std::string format_amount(const Memory& rules, std::int64_t amount) {
  if (rules.in_bytes) return format_bytes(amount);
  const Ratio ratio = microbatches(rules, amount);
  return fmt::format("{} {}", format_ratio(ratio),
                     ratio == Ratio{1, 1} ? "microbatch" : "microbatches");
}

std::string format_bytes(std::int64_t bytes) {
  PIPESIM_CHECK(bytes >= 0);
  constexpr std::array<std::string_view, 7> kUnits = {"B",   "KiB", "MiB", "GiB",
                                                      "TiB", "PiB", "EiB"};
  constexpr int kShort = 6;
  constexpr int kRounded = 4;
  constexpr int kExact = 80;  // n / 2^60 has at most 60 decimals and 19 digits before them
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes >> (10 * (unit + 1)) > 0) ++unit;
  const Ratio ratio = {bytes, Int128{1} << (10 * unit)};
  std::string text = format_ratio(ratio, kShort);
  if (text != format_ratio(ratio, kExact)) text = format_ratio(ratio, kRounded);
  return fmt::format("{} {}", text, kUnits[unit]);
}

}  // namespace pipesim
