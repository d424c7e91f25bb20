// The rows of a timeline's table: which lane they name, and in which order a timeline has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/program.hpp"
#include "sim/timeline.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// The groups of spans, in the order of a timeline.
enum class SpanGroup : std::uint8_t { compute, send, step_end };

SpanGroup group_of(OpKind kind);

/// By group.
inline constexpr std::array<std::string_view, 3> kLaneNames = {"compute", "send", "sync"};

constexpr std::string_view lane_name(SpanGroup group) {
  return kLaneNames[static_cast<std::size_t>(group)];
}

Step step_of(const Span& span);

/// The two parts of "a;b"; the second is none where there is no semicolon.
struct PairText {
  std::string_view first;
  std::optional<std::string_view> second{};
};

PairText split_pair(std::string_view text);

/// The inverse of token(step): nothing if it is none.
std::optional<Step> parse_step(std::string_view token);

/// A row as it was read. `span.released_by` is set once all rows are known.
struct TimelineRow {
  Device device;
  Span span;
  std::optional<Step> released_by;
  int line = 0;
  int released_by_column = 0;
};

/// Finds the rows of ops.
class RowOfOp {
 public:
  explicit RowOfOp(const std::vector<TimelineRow>& rows);

  /// The index of the first row with that op, alone or in a pair.
  std::optional<std::uint32_t> find(const Op& op) const;

 private:
  std::vector<std::pair<Op, std::uint32_t>> entries_;  // sorted
};

/// Compute rows by device, start and end; then sends by device, in the order of the rows whose
/// results they carry; then what ends a training step. Ties as they stood.
void sort_rows(std::vector<TimelineRow>& rows);

/// The timeline of sorted rows, of that many devices.
Timeline timeline_of(const std::vector<TimelineRow>& rows, std::int32_t devices);

}  // namespace pipesim
