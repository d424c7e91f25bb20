#include "sim/io/view_text.hpp"

#include <fmt/format.h>

#include <charconv>

namespace pipesim {

namespace {

std::optional<std::int32_t> index_number(std::string_view text) {
  std::int32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || stopped != end || number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::optional<IndexRange> parse_index_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = index_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : index_number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return IndexRange{.first = *first, .last = *last};
}

ParsedTime parse_view_time(std::string_view text, TimeUnit unit) {
  ParsedTime parsed = parse_time_with_unit(text);
  if (parsed.fault == TimeFault::no_unit) parsed = parse_time(text, unit);
  return parsed;
}

std::string view_time_allowed(TimeUnit unit) {
  return fmt::format("a number of {} of at least 0, or one with its unit: 2.5ms", name(unit));
}

std::string shown_time(Ticks time, TimeUnit unit) {
  return fmt::format("{} {}", format_time(time, unit), name(unit));
}

std::optional<Fault> begin_fault(Ticks from, Ticks t_total, TimeUnit unit) {
  if (from < t_total) return std::nullopt;
  const std::string shown = shown_time(from, unit);
  return Fault{.value = shown,
               .what = fmt::format("at {} the run has ended", shown),
               .allowed = fmt::format("0 to less than T_total, {}", shown_time(t_total, unit))};
}

std::optional<Fault> end_fault(Ticks to, Ticks t_total, TimeUnit unit) {
  if (to <= t_total) return std::nullopt;
  const std::string shown = shown_time(to, unit);
  return Fault{.value = shown,
               .what = fmt::format("{} lies behind the end of the run", shown),
               .allowed = fmt::format("at most T_total, {}", shown_time(t_total, unit))};
}

std::optional<Fault> index_fault(std::int32_t index, std::string_view one, std::int32_t count) {
  if (index < count) return std::nullopt;
  return Fault{.value = fmt::format("{}", index),
               .what = fmt::format("there is no {} {}", one, index),
               .allowed = fmt::format("0 to {}", count - 1)};
}

}  // namespace pipesim
