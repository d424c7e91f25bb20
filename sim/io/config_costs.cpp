#include "sim/io/config_costs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/text_file.hpp"

namespace pipesim {

namespace {

constexpr std::string_view kHeader = "stage,kind,time";
constexpr std::string_view kHeaderWithMicrobatch = "stage,kind,microbatch,time";
constexpr std::size_t kMostFaults = 1000;

/// Where the columns of a table stand.
struct CostColumns {
  std::size_t count = 0;
  std::optional<std::size_t> stage{};
  std::optional<std::size_t> kind{};
  std::optional<std::size_t> microbatch{};
  std::optional<std::size_t> time{};
};

CostColumns columns_of(const std::vector<CsvField>& header) {
  CostColumns columns{.count = header.size()};
  const auto place_of = [&](std::string_view name) -> std::optional<std::size_t> {
    const auto found = std::find_if(header.begin(), header.end(),
                                    [&](const CsvField& field) { return field.text == name; });
    if (found == header.end()) return std::nullopt;
    return static_cast<std::size_t>(found - header.begin());
  };
  columns.stage = place_of("stage");
  columns.kind = place_of("kind");
  columns.microbatch = place_of("microbatch");
  columns.time = place_of("time");
  return columns;
}

enum class CostRows { each_once, measured };

class CostReader {
 public:
  CostReader(std::string name, std::string_view text, TimeUnit unit, CostRows kind)
      : unit_(unit), kind_(kind), rest_(without_byte_order_mark(text)) {
    table_.file = std::move(name);
  }

  CostTable read() {
    read_header();
    while (faults_.size() < kMostFaults && !rest_.empty()) {
      const std::string_view line = next_line();
      if (!line.empty()) read_row(csv_fields(line));
    }
    if (faults_.empty() && table_.rows.empty()) {
      report({{}, 1}, "no costs", "a row for every stage and kind");
    }
    if (!faults_.empty()) throw Error(std::move(faults_));
    return std::move(table_);
  }

 private:
  std::string_view next_line() {
    ++line_;
    return take_line(rest_);
  }

  void report(const CsvField& cell, std::string what, std::string allowed) {
    faults_.push_back({.place = fmt::format("{}:{}:{}", table_.file, line_, cell.column),
                       .line = line_,
                       .column = cell.column,
                       .value = abbreviated(cell.text),
                       .what = std::move(what),
                       .allowed = std::move(allowed)});
  }

  void read_header() {
    const std::string_view header = next_line();
    columns_ = columns_of(csv_fields(header));
    if (kind_ == CostRows::measured) {
      if (columns_.stage && columns_.kind && columns_.time) return;
    } else if (header == kHeader || header == kHeaderWithMicrobatch) {
      return;
    }
    report({header, 1},
           fmt::format("\"{}\" is no header of {}", abbreviated(header),
                       kind_ == CostRows::measured ? "measured times" : "costs"),
           kind_ == CostRows::measured
               ? "the columns stage, kind and time, and microbatch if it is known"
               : fmt::format("{} or {}", kHeader, kHeaderWithMicrobatch));
    throw Error(std::move(faults_));
  }

  void read_row(const std::vector<CsvField>& cells) {
    if (cells.size() != columns_.count) {
      return report({{}, 1}, fmt::format("{} fields", cells.size()),
                    fmt::format("{} fields as in the header", columns_.count));
    }
    const std::size_t before = faults_.size();
    CostRow row;
    row.line = line_;
    // The header has been read: these columns are there.
    const auto cell = [&](std::optional<std::size_t> column) -> const CsvField& {
      return cells[column.value_or(0)];
    };
    const CsvField& stage_cell = cell(columns_.stage);
    if (const auto stage = parse_index(stage_cell.text)) {
      row.stage = Stage{*stage};
    } else {
      report(stage_cell, fmt::format("\"{}\" is no stage", abbreviated(stage_cell.text)),
             "an integer from 0");
    }
    read_kind(cell(columns_.kind), row);
    if (columns_.microbatch) read_microbatch(cell(columns_.microbatch), row);
    read_time(cell(columns_.time), row);
    if (faults_.size() == before) add(stage_cell, row);
  }

  void read_kind(const CsvField& cell, CostRow& row) {
    const auto kind = op_kind(cell.text);
    if (kind && is_compute(*kind)) {
      row.kind = *kind;
    } else {
      report(cell, fmt::format("\"{}\" is no kind", abbreviated(cell.text)), "F, B, I, W or R");
    }
  }

  void read_microbatch(const CsvField& cell, CostRow& row) {
    if (cell.text.empty()) return;
    if (const auto microbatch = parse_index(cell.text)) {
      row.microbatch = Microbatch{*microbatch};
    } else {
      report(cell, fmt::format("\"{}\" is no microbatch", abbreviated(cell.text)),
             "an integer from 0, or nothing for all");
    }
  }

  void read_time(const CsvField& cell, CostRow& row) {
    const ParsedTime with_unit = parse_time_with_unit(cell.text);
    const ParsedTime time =
        with_unit.fault == TimeFault::no_unit ? parse_time(cell.text, unit_) : with_unit;
    if (time.ticks) {
      row.time = *time.ticks;
      return;
    }
    const std::string shown = fmt::format("\"{}\"", abbreviated(cell.text));
    switch (time.fault.value_or(TimeFault::malformed)) {
      case TimeFault::negative:
        return report(cell, shown + " is negative", "a time of at least 0");
      case TimeFault::too_fine:
        return report(cell, shown + " is finer than a tick", "a whole number of picoseconds");
      case TimeFault::too_large:
        return report(cell, shown + " is too large", "at most some 106.75 days");
      case TimeFault::malformed:
      case TimeFault::no_unit:
        return report(cell, shown + " is not a time", "a time such as 4 or 4ms");
    }
  }

  void add(const CsvField& first, const CostRow& row) {
    if (kind_ == CostRows::measured) return table_.rows.push_back(row);
    const std::int32_t microbatch = row.microbatch.value_or(Microbatch{-1}).value;
    const auto [found, is_new] =
        lines_.try_emplace({row.stage.value, static_cast<int>(row.kind), microbatch}, line_);
    if (!is_new) {
      return report(first, "the same stage, kind and microbatch again",
                    fmt::format("the first one is in line {}", found->second));
    }
    table_.rows.push_back(row);
  }

  TimeUnit unit_;
  CostRows kind_;
  std::string_view rest_;
  CostTable table_;
  CostColumns columns_;
  int line_ = 0;
  std::map<std::tuple<std::int32_t, int, std::int32_t>, int> lines_;
  std::vector<Fault> faults_;
};

}  // namespace

CostTable parse_cost_table(std::string name, std::string_view text, TimeUnit unit) {
  return CostReader(std::move(name), text, unit, CostRows::each_once).read();
}

std::vector<CostRow> parse_measured_times(std::string name, std::string_view text, TimeUnit unit) {
  return CostReader(std::move(name), text, unit, CostRows::measured).read().rows;
}

CostTable read_cost_table(const std::string& file, TimeUnit unit) {
  return parse_cost_table(file, read_text_file(file, "/costs"), unit);
}

}  // namespace pipesim
