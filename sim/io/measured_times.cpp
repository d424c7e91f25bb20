#include "sim/io/measured_times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/json_text.hpp"

namespace pipesim {

namespace {

/// How many stages a message names.
constexpr std::size_t kMostNamed = 10;

Ticks median(std::vector<Ticks> times) {
  std::sort(times.begin(), times.end());
  const Ticks upper = times[times.size() / 2];
  if (times.size() % 2 == 1) return upper;
  const Ticks lower = times[times.size() / 2 - 1];
  const std::int64_t between = (upper - lower).count;
  return lower + Ticks{between / 2 + between % 2};
}

class Measurements {
 public:
  Measurements(const std::vector<CostRow>& rows, const std::string& place) : place_(place) {
    for (const CostRow& row : rows) {
      times_[{row.kind, row.stage.value}].push_back(row.time);
      measured_.insert(row.stage.value);
      stages_ = std::max(stages_, std::int64_t{row.stage.value} + 1);
    }
  }

  MeasuredTimes summary() {
    for (const auto& [group, times] : times_) medians_[group] = median(times);
    std::vector<Fault> faults;
    require(faults, "forward", [&](std::int32_t stage) { return has(OpKind::forward, stage); });
    require(faults, "backward", [&](std::int32_t stage) {
      return has(OpKind::backward, stage) ||
             (has(OpKind::backward_input, stage) && has(OpKind::backward_weight, stage));
    });
    if (!faults.empty()) throw Error(std::move(faults));
    MeasuredTimes result;
    for (std::int32_t stage = 0; stage < stages_; ++stage) {
      result.t_f.push_back(medians_.at({OpKind::forward, stage}));
      result.t_b.push_back(backward(stage));
    }
    result.t_w = where_complete(OpKind::backward_weight, "weight gradient", "t_w", result.notes);
    result.t_r = where_complete(OpKind::recompute, "recomputation", "t_r", result.notes);
    result.cv = pooled_cv();
    return result;
  }

 private:
  using Group = std::pair<OpKind, std::int32_t>;  // kind and stage

  bool has(OpKind kind, std::int32_t stage) const { return times_.contains({kind, stage}); }

  Ticks backward(std::int32_t stage) const {
    const auto whole = medians_.find({OpKind::backward, stage});
    if (whole != medians_.end()) return whole->second;
    return medians_.at({OpKind::backward_input, stage}) +
           medians_.at({OpKind::backward_weight, stage});
  }

  // A number of a stage may be any, so those that have it are counted, and only the first ones of
  // the others looked for.
  template <class Has>
  void require(std::vector<Fault>& faults, std::string_view what, Has has_it) const {
    const auto having = std::count_if(measured_.begin(), measured_.end(), has_it);
    const std::int64_t missing = stages_ - having;
    if (missing == 0) return;
    std::vector<std::int32_t> first;
    for (std::int32_t stage = 0; first.size() < kMostNamed && stage < stages_; ++stage) {
      if (!has_it(stage)) first.push_back(stage);
    }
    const std::int64_t others = missing - static_cast<std::int64_t>(first.size());
    faults.push_back(
        {.place = place_,
         .what = fmt::format("no {} of stage{} {}{}", what, missing == 1 ? "" : "s",
                             fmt::join(first, ", "),
                             others == 0 ? "" : fmt::format(" and {} more", others)),
         .allowed = fmt::format("a {} of every stage from 0 to {}", what, stages_ - 1)});
  }

  std::vector<Ticks> where_complete(OpKind kind, std::string_view what, std::string_view key,
                                    std::vector<std::string>& notes) const {
    std::vector<Ticks> result;
    for (std::int32_t stage = 0; stage < stages_; ++stage) {
      if (has(kind, stage)) result.push_back(medians_.at({kind, stage}));
    }
    if (static_cast<std::int64_t>(result.size()) == stages_ || result.empty()) return result;
    notes.push_back(
        fmt::format("no {}: {} of {} stages have a {}", key, result.size(), stages_, what));
    return {};
  }

  // In double: a root is irrational, and the spread is an estimate.
  std::optional<Decimal> pooled_cv() const {
    constexpr double kMillion = 1e6;
    double squares = 0;
    std::size_t freedom = 0;
    for (const auto& [group, times] : times_) {
      double sum = 0;
      for (const Ticks time : times) sum += static_cast<double>(time.count);
      const double mean = sum / static_cast<double>(times.size());
      if (mean == 0) continue;
      for (const Ticks time : times) {
        const double deviation = static_cast<double>(time.count) / mean - 1;
        squares += deviation * deviation;
      }
      freedom += times.size() - 1;
    }
    if (freedom == 0) return std::nullopt;
    const std::int64_t millionths =
        std::llround(std::sqrt(squares / static_cast<double>(freedom)) * kMillion);
    return Decimal{millionths * (Decimal::kOne / 1'000'000)};
  }

  const std::string& place_;
  std::map<Group, std::vector<Ticks>> times_;
  std::map<Group, Ticks> medians_;
  std::set<std::int32_t> measured_;
  std::int64_t stages_ = 0;
};

}  // namespace

MeasuredTimes measured_times(const std::vector<CostRow>& rows, const std::string& place) {
  MeasuredTimes times = Measurements(rows, place).summary();
  for (const CostRow& row : rows) {
    if (!row.microbatch) continue;
    times.microbatches =
        std::max(times.microbatches.value_or(0), std::int64_t{row.microbatch->value} + 1);
  }
  return times;
}

std::string config_json(const MeasuredTimes& times, std::int64_t p, std::int64_t m,
                        const std::string& schedule, TimeUnit unit) {
  std::string text = fmt::format("{{\n  \"p\": {},\n  \"m\": {},\n", p, m);
  const auto add = [&](std::string_view key, const std::vector<Ticks>& by_stage) {
    if (by_stage.empty()) return;
    std::vector<std::string> numbers;
    numbers.reserve(by_stage.size());
    for (const Ticks time : by_stage) numbers.push_back(format_time(time, unit));
    text += fmt::format("  \"{}\": [{}],\n", key, fmt::join(numbers, ", "));
  };
  add("t_f", times.t_f);
  add("t_b", times.t_b);
  add("t_w", times.t_w);
  add("t_r", times.t_r);
  text += fmt::format("  \"time_unit\": \"{}\",\n  \"schedule\": {}", name(unit), schedule);
  if (times.cv && *times.cv > Decimal{}) {
    text +=
        fmt::format(",\n  \"variation\": {{\"jitter\": {{\"kind\": \"lognormal\", \"cv\": {}}}}}",
                    to_text(*times.cv));
  }
  return text + "\n}\n";
}

}  // namespace pipesim
