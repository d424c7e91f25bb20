// Times and numbers as they stand in the options that show a part of a run.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/error.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// Numbers from `first` to `last`, both ends included.
struct IndexRange {
  std::int32_t first = 0;
  std::int32_t last = 0;

  bool contains(std::int32_t index) const { return first <= index && index <= last; }
  friend auto operator<=>(const IndexRange&, const IndexRange&) = default;
};

/// "3" or "2-5", of numbers of at least 0, the second not below the first; else nothing.
std::optional<IndexRange> parse_index_range(std::string_view text);

/// A number in `unit`, or one that carries its own: "2.5ms".
ParsedTime parse_view_time(std::string_view text, TimeUnit unit);

/// What that may be, for messages.
std::string view_time_allowed(TimeUnit unit);

/// "2.5 ms".
std::string shown_time(Ticks time, TimeUnit unit);

/// What is wrong with the begin and with the end of a part of a run that takes t_total: nothing, or
/// a fault with `value`, `what` and `allowed` only.
std::optional<Fault> begin_fault(Ticks from, Ticks t_total, TimeUnit unit);
std::optional<Fault> end_fault(Ticks to, Ticks t_total, TimeUnit unit);
/// And with the index of one of `count` devices or microbatches, `one` of them.
std::optional<Fault> index_fault(std::int32_t index, std::string_view one, std::int32_t count);

}  // namespace pipesim
