#include "sim/io/svg_scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace pipesim {

std::string svg_number(Px length) {
  const std::int64_t size = length.hundredths < 0 ? -length.hundredths : length.hundredths;
  std::string text = fmt::format("{}{}", length.hundredths < 0 ? "-" : "", size / 100);
  const std::int64_t rest = size % 100;
  if (rest == 0) return text;
  return text + (rest % 10 == 0 ? fmt::format(".{}", rest / 10) : fmt::format(".{:02}", rest));
}

Px text_width(std::string_view text, Px font) {
  constexpr std::int64_t kPercentOfFont = 60;
  return font * static_cast<std::int64_t>(text.size()) * kPercentOfFont / 100;
}

Px TimeScale::at(Ticks time) const {
  const Ticks shown = std::clamp(time, from, std::max(from, to));
  const std::int64_t whole = std::max<std::int64_t>(1, (to - from).count);
  return Px{static_cast<std::int64_t>(Int128{(shown - from).count} * width.hundredths / whole)};
}

namespace {

std::vector<AxisTick> multiples(const TimeScale& scale, std::int64_t step, TimeUnit unit) {
  std::vector<AxisTick> ticks;
  std::int64_t time = scale.from.count / step * step;
  if (time < scale.from.count) time += step;
  while (time <= scale.to.count) {
    ticks.push_back({.time = Ticks{time}, .label = format_time(Ticks{time}, unit)});
    if (__builtin_add_overflow(time, step, &time)) break;
  }
  return ticks;
}

bool touch(const std::vector<AxisTick>& ticks, const TimeScale& scale, Px font) {
  const Px space = font;
  for (std::size_t i = 1; i < ticks.size(); ++i) {
    const Px room = scale.at(ticks[i].time) - scale.at(ticks[i - 1].time);
    const Px half_labels =
        (text_width(ticks[i].label, font) + text_width(ticks[i - 1].label, font)) / 2;
    if (room < half_labels + space) return true;
  }
  return false;
}

}  // namespace

std::vector<AxisTick> axis_ticks(const TimeScale& scale, TimeUnit unit, Px font) {
  constexpr std::int64_t kMost = 40;
  constexpr std::int64_t kMostTime = std::numeric_limits<std::int64_t>::max();
  const std::int64_t length = (scale.to - scale.from).count;
  std::int64_t power = 1;
  for (;;) {
    for (const std::int64_t digit : {1, 2, 5}) {
      std::int64_t step = 0;
      if (__builtin_mul_overflow(power, digit, &step)) step = kMostTime;
      if (length / step > kMost) continue;
      std::vector<AxisTick> ticks = multiples(scale, step, unit);
      if (!touch(ticks, scale, font)) return ticks;
    }
    if (__builtin_mul_overflow(power, std::int64_t{10}, &power)) power = kMostTime;
  }
}

}  // namespace pipesim
