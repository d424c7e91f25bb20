#include "sim/io/trace_times.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

#include "sim/units.hpp"

namespace pipesim {

namespace {

/// What a viewer's JSON parser makes of a time. Up to 2^53 ticks are a double themselves, and
/// dividing rounds as reading the decimal does: to the nearest.
double parsed(Ticks ticks) {
  constexpr std::int64_t kExactTicks = std::int64_t{1} << 53;
  constexpr double kPerMicrosecond = 1e6;
  if (ticks.count <= kExactTicks) return static_cast<double>(ticks.count) / kPerMicrosecond;
  const std::string decimal = format_time(ticks, TimeUnit::us);
  double value = 0;
  std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  return value;
}

/// Whether a slice is over, as viewers compute it, when the next one may start. speedscope adds in
/// doubles, counted from the first slice of the track; Perfetto cuts both to whole nanoseconds
/// first and drops what overlaps.
bool ends_in_time(double start, double duration, double end, double first) {
  const auto nanoseconds = [](double time) { return static_cast<std::int64_t>(time * 1000.0); };
  return start + duration <= end && start - first + duration <= end - first &&
         nanoseconds(start) + nanoseconds(duration) <= nanoseconds(end);
}

}  // namespace

Ticks viewed_duration(const Span& span, Ticks first) {
  const double start = parsed(span.start);
  const double end = parsed(span.end);
  const double begin = parsed(first);
  Ticks duration = span.end - span.start;
  for (Ticks less{1}; !ends_in_time(start, parsed(duration), end, begin); less = less * 2) {
    duration = std::max(Ticks{0}, duration - less);
  }
  return duration;
}

std::optional<Ticks> arrow_time(ArrowEnd end, const Span& span, Ticks first) {
  const Ticks quarter{(span.end - span.start).count / 4};
  const Ticks time = end == ArrowEnd::leaves ? span.end - quarter : span.start + quarter;
  // Rounding takes some nanoseconds off a slice at most, so a quarter of a long one is inside.
  constexpr Ticks kMicrosecond{1'000'000};
  if (quarter > kMicrosecond) return time;
  const double start = parsed(span.start);
  const double inside = parsed(time);
  if (start < inside && inside < start + parsed(viewed_duration(span, first))) return time;
  return std::nullopt;
}

}  // namespace pipesim
