#include "sim/io/timeline_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/timeline_rows.hpp"
#include "sim/program.hpp"

namespace pipesim {

namespace {

enum class Column { device, lane, op, stage, microbatch, start, end, released_by };

constexpr std::array<std::string_view, 8> kColumns = {"device",     "lane",  "op",  "stage",
                                                      "microbatch", "start", "end", "released_by"};
constexpr std::size_t kMostFaults = 1000;

constexpr std::string_view name(Column column) {
  return kColumns[static_cast<std::size_t>(column)];
}

constexpr bool is_required(Column column) {
  return column != Column::lane && column != Column::released_by;
}

std::string column_names() { return fmt::format("{}", fmt::join(kColumns, ",")); }

constexpr std::string_view kAllowedOps =
    "F, B, I, W, R, SEND_F, SEND_B, SYNC, OPT, BARRIER, RELEASE, or a pair (F;B)";
constexpr std::string_view kAllowedReleases =
    "the token of an op (2F0) or a pair ((2F0;1B3)), or nothing";

/// A field as messages show it: any file may be taken for a table.
std::string shown(std::string_view text) {
  constexpr std::size_t kMostShown = 40;
  if (text.size() <= kMostShown) return std::string(text);
  return std::string(text.substr(0, kMostShown)) + "...";
}

class Reader {
 public:
  Reader(const ConfigText& text, const Problem& problem, TimeUnit unit)
      : file_(text.name), problem_(problem), unit_(unit), rest_(text.text) {}

  Timeline read() {
    read_header();
    throw_if_faulty();
    while (!rest_.empty()) {
      if (const std::optional<TimelineRow> row = read_row()) rows_.push_back(*row);
    }
    throw_if_faulty();
    sort_rows(rows_);
    resolve_released_by();
    throw_if_faulty();
    return timeline_of(rows_, problem_.devices);
  }

 private:
  using Fields = std::vector<CsvField>;

  bool has(Column column) const { return at_[static_cast<std::size_t>(column)] != kNowhere; }
  const CsvField& field(const Fields& fields, Column column) const {
    return fields[at_[static_cast<std::size_t>(column)]];
  }

  // The fields of the next line; nothing, and a fault, if one is quoted.
  std::optional<Fields> next_fields() {
    ++line_;
    const std::string_view line = take_line(rest_);
    const std::size_t quote = line.find('"');
    if (quote == std::string_view::npos) return csv_fields(line);
    report(line_, static_cast<int>(quote) + 1,
           {.what = "a quoted field", .allowed = "fields without quotes"});
    return std::nullopt;
  }

  void report(int line, int column, Fault fault) {
    fault.place = fmt::format("{}:{}:{}", file_, line, column);
    fault.line = line;
    fault.column = column;
    if (faults_.size() < kMostFaults) {
      faults_.push_back(std::move(fault));
    } else {
      ++not_shown_;
    }
  }
  void report(const CsvField& field, std::string what, std::string allowed,
              std::string nearest = "") {
    report(line_, field.column,
           {.value = std::string(field.text),
            .what = std::move(what),
            .allowed = std::move(allowed),
            .nearest = std::move(nearest)});
  }

  void throw_if_faulty() {
    if (faults_.empty()) return;
    std::stable_sort(faults_.begin(), faults_.end(), [](const Fault& left, const Fault& right) {
      return std::tie(left.line, left.column) < std::tie(right.line, right.column);
    });
    if (not_shown_ > 0) {
      faults_.push_back(Fault{.what = fmt::format("{} more faults are not shown", not_shown_)});
    }
    throw Error(std::move(faults_));
  }

  void read_header() {
    at_.fill(kNowhere);
    rest_ = without_byte_order_mark(rest_);
    if (rest_.empty()) {
      return report(1, 1,
                    {.what = "the table is empty", .allowed = "the columns " + column_names()});
    }
    const std::optional<Fields> fields = next_fields();
    if (!fields) return;
    columns_ = fields->size();
    for (std::size_t i = 0; i < columns_; ++i) read_column_name((*fields)[i], i);
    if (!faults_.empty()) return;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      const auto column = static_cast<Column>(i);
      if (!is_required(column) || has(column)) continue;
      report(line_, 1,
             {.what = fmt::format("no column \"{}\"", name(column)),
              .allowed = "the columns " + column_names()});
    }
  }

  void read_column_name(const CsvField& field, std::size_t index) {
    const auto known = std::find(kColumns.begin(), kColumns.end(), field.text);
    if (known == kColumns.end()) {
      const std::vector<std::string> names(kColumns.begin(), kColumns.end());
      return report(field, fmt::format("unknown column \"{}\"", shown(field.text)),
                    "the columns " + column_names(), nearest_name(shown(field.text), names));
    }
    std::size_t& at = at_[static_cast<std::size_t>(known - kColumns.begin())];
    if (at != kNowhere) {
      return report(field, fmt::format("column \"{}\" stands twice", field.text), "each once");
    }
    at = index;
  }

  // Nothing if the row is faulty.
  std::optional<TimelineRow> read_row() {
    const std::optional<Fields> fields = next_fields();
    if (!fields) return std::nullopt;
    if (fields->size() == columns_) return read_row(*fields);
    report(line_, 1,
           {.what = fmt::format("{} field{}", fields->size(), fields->size() == 1 ? "" : "s"),
            .allowed = fmt::format("{}, as in the header", columns_)});
    return std::nullopt;
  }

  std::optional<TimelineRow> read_row(const Fields& fields) {
    const std::size_t faults_before = faults_.size() + not_shown_;
    TimelineRow row;
    row.line = line_;
    row.device = Device{read_index(fields, Column::device, problem_.devices - 1)};
    read_step(fields, row.span);
    row.span.start = read_time(fields, Column::start);
    row.span.end = read_time(fields, Column::end);
    if (has(Column::released_by)) read_released_by(fields, row);
    if (faults_.size() + not_shown_ == faults_before) check_device(fields, row);
    if (faults_.size() + not_shown_ != faults_before) return std::nullopt;
    return row;
  }

  void report_value(const Fields& fields, Column column, std::string allowed) {
    const CsvField& given = field(fields, column);
    report(given, fmt::format("{} is \"{}\"", name(column), shown(given.text)), std::move(allowed));
  }

  std::int32_t read_index(const Fields& fields, Column column,
                          std::int32_t maximum = std::numeric_limits<std::int32_t>::max()) {
    const auto index = parse_index(field(fields, column).text);
    if (index && *index <= maximum) return *index;
    report_value(fields, column, fmt::format("an integer from 0 to {}", maximum));
    return 0;
  }

  void read_step(const Fields& fields, Span& span) {
    const PairText kinds = split_pair(field(fields, Column::op).text);
    const auto first = op_kind(kinds.first);
    const auto second = op_kind(kinds.second.value_or(""));
    const bool is_pair = kinds.second.has_value();
    const bool pairs_computes = first && second && is_compute(*first) && is_compute(*second);
    const bool is_known = is_pair ? pairs_computes : first.has_value();
    check_lane(fields, is_known ? first : std::nullopt);
    if (!is_known) report_value(fields, Column::op, std::string(kAllowedOps));
    const bool two = is_known && is_pair;
    const auto stages = read_indices(fields, Column::stage, two);
    const auto microbatches = read_indices(fields, Column::microbatch, two);
    if (!is_known || !first) return;
    span.op = {
        .kind = *first, .stage = Stage{stages[0]}, .microbatch = Microbatch{microbatches[0]}};
    if (!two || !second) return;
    span.overlapped =
        Op{.kind = *second, .stage = Stage{stages[1]}, .microbatch = Microbatch{microbatches[1]}};
  }

  // Without a kind the lane can only be none at all.
  void check_lane(const Fields& fields, std::optional<OpKind> kind) {
    if (!has(Column::lane)) return;
    const std::string_view lane = field(fields, Column::lane).text;
    if (kind ? lane == lane_name(group_of(*kind))
             : std::find(kLaneNames.begin(), kLaneNames.end(), lane) != kLaneNames.end()) {
      return;
    }
    report_value(fields, Column::lane,
                 kind ? std::string(lane_name(group_of(*kind)))
                      : fmt::format("{}", fmt::join(kLaneNames, ", ")));
  }

  // What stands on no compute lane has no other place for its device than its op.
  void check_device(const Fields& fields, const TimelineRow& row) {
    const Op& op = row.span.op;
    if (is_ordered(op.kind) || !is_of_problem(op) || problem_.device(op) == row.device) return;
    report_value(fields, Column::device,
                 fmt::format("{}, the device of {}", problem_.device(op).value, token(op)));
  }

  // One index, or the two of a pair.
  std::array<std::int32_t, 2> read_indices(const Fields& fields, Column column, bool two) {
    if (!two) return {read_index(fields, column), 0};
    const PairText parts = split_pair(field(fields, column).text);
    const auto first = parse_index(parts.first);
    const auto second = parse_index(parts.second.value_or(""));
    if (first && second) return {*first, *second};
    report_value(fields, column, "two integers from 0 to 2147483647 with a semicolon between");
    return {};
  }

  Ticks read_time(const Fields& fields, Column column) {
    const ParsedTime time = parse_time(field(fields, column).text, unit_);
    if (time.ticks) return *time.ticks;
    report_value(fields, column, allowed_time(time.fault.value_or(TimeFault::malformed)));
    return {};
  }

  std::string allowed_time(TimeFault fault) const {
    switch (fault) {
      case TimeFault::malformed:
      case TimeFault::no_unit:
        break;
      case TimeFault::negative:
        return "at least 0";
      case TimeFault::too_fine:
        return "whole picoseconds";
      case TimeFault::too_large:
        return fmt::format("at most {} {}", format_time(kLongest, unit_), pipesim::name(unit_));
    }
    return fmt::format("a decimal number of {}", pipesim::name(unit_));
  }

  void read_released_by(const Fields& fields, TimelineRow& row) {
    const CsvField& given = field(fields, Column::released_by);
    row.released_by_column = given.column;
    if (given.text.empty()) return;
    row.released_by = parse_step(given.text);
    if (!row.released_by) {
      report_value(fields, Column::released_by, std::string(kAllowedReleases));
    }
  }

  bool is_of_problem(const Op& op) const {
    return op.stage < Stage{problem_.stages()} &&
           op.microbatch < Microbatch{problem_.total_microbatches()};
  }

  void resolve_released_by() {
    const RowOfOp row_of(rows_);
    for (TimelineRow& row : rows_) {
      if (!row.released_by) continue;
      const Step& by = *row.released_by;
      const std::optional<std::uint32_t> found = row_of.find(by.op);
      if (found && (!by.overlapped || step_of(rows_[*found].span) == by)) {
        row.span.released_by = *found;
      } else if (!is_of_problem(by.op) || !is_of_problem(by.overlapped.value_or(by.op))) {
        // An op of the problem without a row is a gap in the timeline, for its checker to find.
        report(row.line, row.released_by_column,
               {.value = token(by),
                .what = fmt::format("released_by is {}, which is no op of this problem", token(by)),
                .allowed = std::string(kAllowedReleases)});
      }
    }
  }

  static constexpr std::size_t kNowhere = std::string_view::npos;
  static constexpr Ticks kLongest{std::numeric_limits<std::int64_t>::max()};

  const std::string& file_;
  const Problem& problem_;
  TimeUnit unit_;
  std::string_view rest_;  // of the text
  int line_ = 0;           // that was read last, from 1
  std::size_t columns_ = 0;
  std::array<std::size_t, kColumns.size()> at_{};  // where each column stands in a row
  std::vector<TimelineRow> rows_;
  std::vector<Fault> faults_;
  std::size_t not_shown_ = 0;
};

}  // namespace

namespace {

std::string csv_row(const Timeline& timeline, const Span& span, Device device, TimeUnit unit) {
  const bool released = span.released_by != Span::kNotReleased;
  // The second value of a pair, after the first.
  const auto second = [&](auto value) {
    return span.overlapped ? fmt::format(";{}", value(*span.overlapped)) : std::string();
  };
  return fmt::format("{},{},{}{},{}{},{}{},{},{},{}\n", device.value,
                     lane_name(group_of(span.op.kind)), letters(span.op.kind),
                     second([](const Op& op) { return letters(op.kind); }), span.op.stage.value,
                     second([](const Op& op) { return op.stage.value; }), span.op.microbatch.value,
                     second([](const Op& op) { return op.microbatch.value; }),
                     format_time(span.start, unit), format_time(span.end, unit),
                     released ? token(step_of(timeline.spans[span.released_by])) : "");
}

}  // namespace

void write_timeline_csv(const Problem& problem, const Timeline& timeline, TimeUnit unit,
                        OutputFile& file, const Phase& phase) {
  file.write(column_names() + "\n");
  for (std::size_t device = 0; device < timeline.devices(); ++device) {
    for (const Span* span = timeline.begin(device); span != timeline.end(device); ++span) {
      file.write(csv_row(timeline, *span, Device{device}, unit));
      phase.advance();
    }
  }
  for (std::size_t i = timeline.lane_begin.back(); i < timeline.spans.size(); ++i) {
    const Span& span = timeline.spans[i];
    file.write(csv_row(timeline, span, problem.device(span.op), unit));
    phase.advance();
  }
}

Timeline read_timeline_csv(const ConfigText& text, const Problem& problem, TimeUnit unit) {
  return Reader(text, problem, unit).read();
}

}  // namespace pipesim
