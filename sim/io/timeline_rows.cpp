#include "sim/io/timeline_rows.hpp"

#include <algorithm>
#include <tuple>

namespace pipesim {

SpanGroup group_of(OpKind kind) {
  if (is_ordered(kind)) return SpanGroup::compute;
  return is_send(kind) ? SpanGroup::send : SpanGroup::step_end;
}

Step step_of(const Span& span) { return {.op = span.op, .overlapped = span.overlapped}; }

PairText split_pair(std::string_view text) {
  const std::size_t semicolon = text.find(';');
  if (semicolon == std::string_view::npos) return {.first = text};
  return {.first = text.substr(0, semicolon), .second = text.substr(semicolon + 1)};
}

std::optional<Step> parse_step(std::string_view token) {
  const bool is_pair = token.starts_with('(') && token.ends_with(')');
  const PairText parts = split_pair(is_pair ? token.substr(1, token.size() - 2) : token);
  if (is_pair != parts.second.has_value()) return std::nullopt;
  const std::optional<Op> first = parse_token(parts.first);
  if (!first) return std::nullopt;
  if (!parts.second) return Step{.op = *first};
  const std::optional<Op> second = parse_token(*parts.second);
  if (!second) return std::nullopt;
  return Step{.op = *first, .overlapped = second};
}

RowOfOp::RowOfOp(const std::vector<TimelineRow>& rows) {
  entries_.reserve(rows.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    entries_.emplace_back(rows[i].span.op, i);
    if (const auto& second = rows[i].span.overlapped) entries_.emplace_back(*second, i);
  }
  std::sort(entries_.begin(), entries_.end());
}

std::optional<std::uint32_t> RowOfOp::find(const Op& op) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), std::pair(op, 0U));
  if (found == entries_.end() || found->first != op) return std::nullopt;
  return found->second;
}

namespace {

/// The row of the op whose result is sent; after all of them if it has none.
std::uint32_t producer(const RowOfOp& row_of, Op send) {
  const bool is_forward = send.kind == OpKind::send_forward;
  send.kind = is_forward ? OpKind::forward : OpKind::backward;
  std::optional<std::uint32_t> found = row_of.find(send);
  if (!found && !is_forward) {
    send.kind = OpKind::backward_input;
    found = row_of.find(send);
  }
  return found.value_or(0xffffffff);
}

template <class Iterator, class Key>
void sort_by(Iterator first, Iterator last, Key key) {
  std::stable_sort(first, last, [&](const TimelineRow& left, const TimelineRow& right) {
    return key(left) < key(right);
  });
}

}  // namespace

void sort_rows(std::vector<TimelineRow>& rows) {
  const auto group = [](const TimelineRow& row) { return group_of(row.span.op.kind); };
  sort_by(rows.begin(), rows.end(), group);
  const auto end_of = [&](SpanGroup last) {
    return std::find_if(rows.begin(), rows.end(),
                        [&](const TimelineRow& row) { return group(row) > last; });
  };
  const auto sends = end_of(SpanGroup::compute);
  sort_by(rows.begin(), sends, [](const TimelineRow& row) {
    return std::tuple(row.device, row.span.start, row.span.end);
  });
  const RowOfOp row_of(rows);
  sort_by(sends, end_of(SpanGroup::send), [&](const TimelineRow& row) {
    return std::tuple(row.device, producer(row_of, row.span.op), row.span.op.kind);
  });
}

Timeline timeline_of(const std::vector<TimelineRow>& rows, std::int32_t devices) {
  Timeline timeline;
  timeline.spans.reserve(rows.size());
  std::size_t compute_spans = 0;
  for (const TimelineRow& row : rows) {
    if (group_of(row.span.op.kind) == SpanGroup::compute) {
      while (timeline.lane_begin.size() <= static_cast<std::size_t>(row.device.value)) {
        timeline.lane_begin.push_back(compute_spans);
      }
      ++compute_spans;
    }
    timeline.spans.push_back(row.span);
  }
  timeline.lane_begin.resize(static_cast<std::size_t>(devices) + 1, compute_spans);
  return timeline;
}

}  // namespace pipesim
