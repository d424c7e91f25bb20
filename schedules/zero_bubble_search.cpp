#include "schedules/zero_bubble_search.hpp"

#include <algorithm>
#include <utility>

namespace pipesim {

namespace {

constexpr OpKind kForward = OpKind::forward;
constexpr OpKind kInput = OpKind::backward_input;
constexpr OpKind kWeight = OpKind::backward_weight;

class Search {
 public:
  Search(const Problem& problem, const std::vector<std::int64_t>& budgets,
         const ZeroBubbleChoices& choices)
      : problem_(problem),
        choices_(choices),
        schedule_(problem, budgets),
        loads_(static_cast<std::size_t>(problem.devices)) {}

  /// False if a device has no room for a forward that must come next.
  bool place() {
    if (!place_warm_up()) return false;
    for (std::int32_t j = 1; j < problem_.microbatches; ++j) {
      if (!place_forwards(j) || !place_input_gradients(j)) return false;
    }
    for (int i = 0; i < problem_.devices; ++i) schedule_.put_pending_weights(Device{i});
    return true;
  }

  ListSchedule result() && { return std::move(schedule_); }

 private:
  bool place_warm_up() {
    for (int i = 0; i < problem_.devices; ++i) {
      const Stage stage{i};
      if (!schedule_.fits(kForward, stage)) return false;
      schedule_.put(kForward, stage);
      Ticks& load = loads_[static_cast<std::size_t>(i)];
      if (choices_.counts_work) load += work(stage);
      if (choices_.counts_first_wait) load += schedule_.first_start(Device{i});
    }
    const std::vector<std::int32_t> warm_up = warm_up_forwards();
    for (int i = 0; i < problem_.devices; ++i) {
      for (std::int32_t n = 0; n < warm_up[static_cast<std::size_t>(i)]; ++n) {
        put(kForward, Stage{i});
      }
    }
    return place_input_gradients(0);
  }

  /// By device, the forwards after the first that stand before the first input gradient.
  std::vector<std::int32_t> warm_up_forwards() const {
    const int p = problem_.devices;
    std::vector<std::int32_t> forwards(static_cast<std::size_t>(p));
    Ticks gradient;  // when the first input gradient of the stage after ends
    for (int i = p - 1; i >= 0; --i) {
      const Stage stage{i};
      const Ticks arrival = i == p - 1 ? Ticks{}
                                       : gradient + schedule_.transfer_time(Stage{i + 1}, stage) -
                                             schedule_.lead(kInput, stage, 0);
      Ticks clock = schedule_.clock(Device{i});
      std::int32_t& count = forwards[static_cast<std::size_t>(i)];
      while (i < p - 1 && 1 + count < problem_.microbatches &&
             schedule_.fits(kForward, stage, count)) {
        const Ticks after = clock + schedule_.duration(kForward, stage, 1 + count);
        if (choices_.warm_up_ends_early ? after > arrival : clock >= arrival) break;
        clock = after;
        ++count;
      }
      gradient = std::max(clock, arrival) + schedule_.duration(kInput, stage, 0);
    }
    for (std::size_t i = 1; i < forwards.size(); ++i) {
      const std::int32_t before = forwards[i - 1];
      if (1 + forwards[i] < problem_.microbatches && forwards[i] >= before) {
        forwards[i] = std::max(before - 1, 0);
      }
      forwards[i] = std::min(forwards[i], before);
    }
    return forwards;
  }

  bool place_forwards(std::int32_t j) {
    const int p = problem_.devices;
    std::vector<bool> needed(static_cast<std::size_t>(p));
    for (int i = p - 1; i >= 0; --i) {
      const bool later = i == p - 1 || needed[static_cast<std::size_t>(i) + 1];
      needed[static_cast<std::size_t>(i)] =
          must_forward(Stage{i}, j) || (later && needs_forward(Stage{i}, j));
    }
    for (int i = 0; i < p; ++i) {
      const Stage stage{i};
      if (!needed[static_cast<std::size_t>(i)]) continue;
      if (!schedule_.make_room(kForward, stage)) return false;
      if (i > 0) fill_gap(stage, kForward);
      put(kForward, stage);
    }
    return true;
  }

  bool must_forward(Stage stage, std::int32_t j) const {
    return schedule_.count(kForward, stage) <= j;
  }

  bool needs_forward(Stage stage, std::int32_t j) const {
    if (!schedule_.has_next(kForward, stage)) return false;
    const Device device{stage.value};
    const Stage next{stage.value + 1};
    if (!choices_.may_skip_forward || next.value == problem_.devices ||
        schedule_.count(kForward, stage) < schedule_.count(kForward, next) + 2) {
      return true;
    }
    const Ticks gradient = schedule_.clock(Device{next.value}) +
                           schedule_.duration(kForward, next, schedule_.count(kForward, next)) +
                           schedule_.duration(kInput, next, j) +
                           schedule_.transfer_time(next, stage) - schedule_.lead(kInput, stage, j);
    const Ticks clock = schedule_.clock(device);
    if (clock >= gradient) return false;
    const Ticks forward = schedule_.duration(kForward, stage, schedule_.count(kForward, stage)) +
                          schedule_.time_to_make_room(kForward, stage);
    return clock + forward <= gradient || gradient - clock > allowance(device);
  }

  bool place_input_gradients(std::int32_t j) {
    for (int i = problem_.devices - 1; i >= 0; --i) {
      const Stage stage{i};
      if (!schedule_.make_room(kInput, stage)) return false;
      if (j > 0 && i < problem_.devices - 1) fill_gap(stage, kInput);
      if (j > 0 && i == 0 && !schedule_.has_next(kForward, stage)) {
        schedule_.put_pending_weights(Device{0});
      }
      put(kInput, stage);
    }
    return true;
  }

  void fill_gap(Stage stage, OpKind kind) {
    const Device device{stage.value};
    schedule_.fill_gap(kind, stage);
    const Ticks gap = schedule_.gap(kind, stage);
    if (gap == Ticks{} || !schedule_.has_pending_weight(device)) return;
    if (gap > allowance(device) || choices_.fills_short_gaps) schedule_.put_weight(device);
  }

  /// Weight gradients never wait: only here does a bubble grow.
  void put(OpKind kind, Stage stage) {
    schedule_.put(kind, stage);
    largest_load_ = std::max(largest_load_, load(Device{stage.value}));
  }

  Ticks load(Device device) const {
    return loads_[static_cast<std::size_t>(device.value)] + schedule_.bubble(device);
  }

  /// How long a device may wait without becoming the slowest one.
  Ticks allowance(Device device) const { return largest_load_ - load(device); }

  Ticks work(Stage stage) const {
    Ticks sum;
    for (std::int32_t j = 0; j < problem_.microbatches; ++j) {
      for (const OpKind kind : {kForward, kInput, kWeight}) {
        sum += schedule_.duration(kind, stage, j);
      }
    }
    return sum;
  }

  const Problem& problem_;
  ZeroBubbleChoices choices_;
  ListSchedule schedule_;
  std::vector<Ticks> loads_;  // by device, without its bubble
  Ticks largest_load_;
};

}  // namespace

std::optional<ListSchedule> zero_bubble_search(const Problem& problem,
                                               const std::vector<std::int64_t>& budgets,
                                               const ZeroBubbleChoices& choices) {
  Search search(problem, budgets, choices);
  if (!search.place()) return std::nullopt;
  return std::move(search).result();
}

}  // namespace pipesim
