#include "sim/io/timeline_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sim/error.hpp"

namespace pipesim {

namespace {

enum class Column { device, lane, op, stage, microbatch, start, end, released_by };

constexpr std::array<std::string_view, 8> kColumns = {"device",     "lane",  "op",  "stage",
                                                      "microbatch", "start", "end", "released_by"};
constexpr std::string_view kComputeLane = "compute";
constexpr std::size_t kMostFaults = 1000;

constexpr std::string_view name(Column column) {
  return kColumns[static_cast<std::size_t>(column)];
}

constexpr bool is_required(Column column) {
  return column != Column::lane && column != Column::released_by;
}

std::string column_names() { return fmt::format("{}", fmt::join(kColumns, ",")); }

struct Field {
  std::string_view text;
  int column = 1;
};

std::vector<Field> split(std::string_view line) {
  std::vector<Field> fields;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = line.find(',', begin);
    fields.push_back({line.substr(begin, comma - begin), static_cast<int>(begin) + 1});
    if (comma == std::string_view::npos) return fields;
    begin = comma + 1;
  }
}

/// A field as messages show it: any file may be taken for a table.
std::string shown(std::string_view text) {
  constexpr std::size_t kMostShown = 40;
  if (text.size() <= kMostShown) return std::string(text);
  return std::string(text.substr(0, kMostShown)) + "...";
}

std::optional<std::int32_t> parse_index(std::string_view text) {
  std::int32_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || stop != last || value < 0) return std::nullopt;
  return value;
}

std::optional<OpKind> parse_kind(std::string_view text) {
  for (const OpKind kind : {OpKind::forward, OpKind::backward}) {
    if (text.size() == 1 && text.front() == letter(kind)) return kind;
  }
  return std::nullopt;
}

/// The op of a token such as "2F0".
std::optional<Op> parse_token(std::string_view text) {
  const std::size_t at = text.find_first_not_of("0123456789");
  if (at == std::string_view::npos) return std::nullopt;
  const auto stage_index = parse_index(text.substr(0, at));
  const auto kind = parse_kind(text.substr(at, 1));
  const auto microbatch_index = parse_index(text.substr(at + 1));
  if (!stage_index || !kind || !microbatch_index) return std::nullopt;
  return Op{.kind = *kind,
            .flow = {},
            .stage = Stage{*stage_index},
            .microbatch = Microbatch{*microbatch_index}};
}

struct Row {
  Device device;
  Span span;
  std::optional<Op> released_by;
  int line = 0;
  int released_by_column = 0;
};

class Reader {
 public:
  Reader(const ConfigText& text, const Problem& problem, TimeUnit unit)
      : file_(text.name), problem_(problem), unit_(unit), rest_(text.text) {}

  Timeline read() {
    read_header();
    throw_if_faulty();
    while (!rest_.empty()) {
      if (const std::optional<Row> row = read_row()) rows_.push_back(*row);
    }
    throw_if_faulty();
    std::stable_sort(rows_.begin(), rows_.end(), [](const Row& left, const Row& right) {
      return std::tie(left.device, left.span.start, left.span.end) <
             std::tie(right.device, right.span.start, right.span.end);
    });
    resolve_released_by();
    throw_if_faulty();
    return timeline();
  }

 private:
  using Fields = std::vector<Field>;

  bool has(Column column) const { return at_[static_cast<std::size_t>(column)] != kNowhere; }
  const Field& field(const Fields& fields, Column column) const {
    return fields[at_[static_cast<std::size_t>(column)]];
  }

  std::string_view next_line() {
    ++line_;
    const std::size_t feed = rest_.find('\n');
    std::string_view line = rest_.substr(0, feed);
    rest_.remove_prefix(feed == std::string_view::npos ? rest_.size() : feed + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  // The fields of the next line; nothing, and a fault, if one is quoted.
  std::optional<Fields> next_fields() {
    const std::string_view line = next_line();
    const std::size_t quote = line.find('"');
    if (quote == std::string_view::npos) return split(line);
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
  void report(const Field& field, std::string what, std::string allowed, std::string nearest = "") {
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
    // Spreadsheets put a byte order mark before UTF-8.
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
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

  void read_column_name(const Field& field, std::size_t index) {
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
  std::optional<Row> read_row() {
    const std::optional<Fields> fields = next_fields();
    if (!fields) return std::nullopt;
    if (fields->size() == columns_) return read_row(*fields);
    report(line_, 1,
           {.what = fmt::format("{} field{}", fields->size(), fields->size() == 1 ? "" : "s"),
            .allowed = fmt::format("{}, as in the header", columns_)});
    return std::nullopt;
  }

  std::optional<Row> read_row(const Fields& fields) {
    const std::size_t faults_before = faults_.size() + not_shown_;
    Row row;
    row.line = line_;
    row.device = Device{read_index(fields, Column::device, problem_.devices - 1)};
    if (has(Column::lane) && field(fields, Column::lane).text != kComputeLane) {
      report_value(fields, Column::lane, std::string(kComputeLane));
    }
    row.span.op = read_op(fields);
    row.span.start = read_time(fields, Column::start);
    row.span.end = read_time(fields, Column::end);
    if (has(Column::released_by)) read_released_by(fields, row);
    if (faults_.size() + not_shown_ != faults_before) return std::nullopt;
    return row;
  }

  void report_value(const Fields& fields, Column column, std::string allowed) {
    const Field& given = field(fields, column);
    report(given, fmt::format("{} is \"{}\"", name(column), shown(given.text)), std::move(allowed));
  }

  std::int32_t read_index(const Fields& fields, Column column,
                          std::int32_t maximum = std::numeric_limits<std::int32_t>::max()) {
    const auto index = parse_index(field(fields, column).text);
    if (index && *index <= maximum) return *index;
    report_value(fields, column, fmt::format("an integer from 0 to {}", maximum));
    return 0;
  }

  Op read_op(const Fields& fields) {
    const auto kind = parse_kind(field(fields, Column::op).text);
    if (!kind) report_value(fields, Column::op, "F or B");
    return {.kind = kind.value_or(OpKind::forward),
            .flow = {},
            .stage = Stage{read_index(fields, Column::stage)},
            .microbatch = Microbatch{read_index(fields, Column::microbatch)}};
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

  void read_released_by(const Fields& fields, Row& row) {
    const Field& given = field(fields, Column::released_by);
    row.released_by_column = given.column;
    if (given.text.empty()) return;
    row.released_by = parse_token(given.text);
    if (!row.released_by) {
      report_value(fields, Column::released_by, "the token of an op (2F0), or nothing");
    }
  }

  bool is_of_problem(const Op& op) const {
    return op.stage < Stage{problem_.stages()} && op.microbatch < Microbatch{problem_.microbatches};
  }

  void resolve_released_by() {
    std::vector<std::uint32_t> by_op(rows_.size());
    for (std::uint32_t i = 0; i < by_op.size(); ++i) by_op[i] = i;
    const auto op_of = [this](std::uint32_t index) { return rows_[index].span.op; };
    std::stable_sort(by_op.begin(), by_op.end(), [&](std::uint32_t left, std::uint32_t right) {
      return op_of(left) < op_of(right);
    });
    for (Row& row : rows_) {
      if (!row.released_by) continue;
      const auto found = std::lower_bound(
          by_op.begin(), by_op.end(), *row.released_by,
          [&](std::uint32_t index, const Op& wanted) { return op_of(index) < wanted; });
      if (found != by_op.end() && op_of(*found) == *row.released_by) {
        row.span.released_by = *found;
      } else if (!is_of_problem(*row.released_by)) {
        // An op of the problem without a row is a gap in the timeline, for its checker to find.
        report(row.line, row.released_by_column,
               {.value = token(*row.released_by),
                .what = fmt::format("released_by is {}, which is no op of this problem",
                                    token(*row.released_by)),
                .allowed = "the token of an op (2F0), or nothing"});
      }
    }
  }

  Timeline timeline() const {
    Timeline timeline;
    timeline.spans.reserve(rows_.size());
    for (const Row& row : rows_) {
      while (timeline.lane_begin.size() <= static_cast<std::size_t>(row.device.value)) {
        timeline.lane_begin.push_back(timeline.spans.size());
      }
      timeline.spans.push_back(row.span);
    }
    timeline.lane_begin.resize(static_cast<std::size_t>(problem_.devices) + 1,
                               timeline.spans.size());
    return timeline;
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
  std::vector<Row> rows_;
  std::vector<Fault> faults_;
  std::size_t not_shown_ = 0;
};

}  // namespace

void write_timeline_csv(const Timeline& timeline, TimeUnit unit, OutputFile& file) {
  file.write(column_names() + "\n");
  for (std::size_t device = 0; device < timeline.lanes(); ++device) {
    for (const Span* span = timeline.begin(device); span != timeline.end(device); ++span) {
      const bool released = span->released_by != Span::kNotReleased;
      file.write(fmt::format("{},{},{},{},{},{},{},{}\n", device, kComputeLane,
                             letter(span->op.kind), span->op.stage.value, span->op.microbatch.value,
                             format_time(span->start, unit), format_time(span->end, unit),
                             released ? token(timeline.spans[span->released_by].op) : ""));
    }
  }
}

Timeline read_timeline_csv(const ConfigText& text, const Problem& problem, TimeUnit unit) {
  return Reader(text, problem, unit).read();
}

}  // namespace pipesim
