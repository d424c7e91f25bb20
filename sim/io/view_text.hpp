// Times and numbers as they stand in the options that show a part of a run.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

}  // namespace pipesim
