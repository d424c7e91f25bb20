#include "sim/io/config_costs.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/text_file.hpp"

namespace pipesim {

namespace {

constexpr std::string_view kHeader = "stage,kind,time";
constexpr std::string_view kHeaderWithMicrobatch = "stage,kind,microbatch,time";
constexpr std::size_t kMostFaults = 1000;

struct Cell {
  std::string_view text;
  int column = 1;
};

std::vector<Cell> split(std::string_view line) {
  std::vector<Cell> cells;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = line.find(',', begin);
    cells.push_back({line.substr(begin, comma - begin), static_cast<int>(begin) + 1});
    if (comma == std::string_view::npos) return cells;
    begin = comma + 1;
  }
}

std::optional<std::int32_t> parse_index(std::string_view text) {
  std::int32_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || stop != last || value < 0) return std::nullopt;
  return value;
}

class CostReader {
 public:
  CostReader(std::string name, std::string_view text, TimeUnit unit) : unit_(unit), rest_(text) {
    table_.file = std::move(name);
  }

  CostTable read() {
    // Spreadsheets put a byte order mark before UTF-8.
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    read_header();
    while (faults_.size() < kMostFaults && !rest_.empty()) {
      const std::string_view line = next_line();
      if (!line.empty()) read_row(split(line));
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
    const std::size_t feed = rest_.find('\n');
    std::string_view line = rest_.substr(0, feed);
    rest_.remove_prefix(feed == std::string_view::npos ? rest_.size() : feed + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  void report(const Cell& cell, std::string what, std::string allowed) {
    faults_.push_back({.place = fmt::format("{}:{}:{}", table_.file, line_, cell.column),
                       .line = line_,
                       .column = cell.column,
                       .value = abbreviated(cell.text),
                       .what = std::move(what),
                       .allowed = std::move(allowed)});
  }

  void read_header() {
    const std::string_view header = next_line();
    has_microbatch_ = header == kHeaderWithMicrobatch;
    if (has_microbatch_ || header == kHeader) return;
    report({header, 1}, fmt::format("\"{}\" is no header of costs", abbreviated(header)),
           fmt::format("{} or {}", kHeader, kHeaderWithMicrobatch));
    throw Error(std::move(faults_));
  }

  void read_row(const std::vector<Cell>& cells) {
    const std::size_t columns = has_microbatch_ ? 4 : 3;
    if (cells.size() != columns) {
      return report({{}, 1}, fmt::format("{} fields", cells.size()),
                    fmt::format("{} fields as in the header", columns));
    }
    const std::size_t before = faults_.size();
    CostRow row;
    row.line = line_;
    if (const auto stage = parse_index(cells[0].text)) {
      row.stage = Stage{*stage};
    } else {
      report(cells[0], fmt::format("\"{}\" is no stage", abbreviated(cells[0].text)),
             "an integer from 0");
    }
    read_kind(cells[1], row);
    if (has_microbatch_) read_microbatch(cells[2], row);
    read_time(cells.back(), row);
    if (faults_.size() == before) add(cells[0], row);
  }

  void read_kind(const Cell& cell, CostRow& row) {
    const auto kind = op_kind(cell.text);
    if (kind && is_compute(*kind)) {
      row.kind = *kind;
    } else {
      report(cell, fmt::format("\"{}\" is no kind", abbreviated(cell.text)), "F, B, I, W or R");
    }
  }

  void read_microbatch(const Cell& cell, CostRow& row) {
    if (cell.text.empty()) return;
    if (const auto microbatch = parse_index(cell.text)) {
      row.microbatch = Microbatch{*microbatch};
    } else {
      report(cell, fmt::format("\"{}\" is no microbatch", abbreviated(cell.text)),
             "an integer from 0, or nothing for all");
    }
  }

  void read_time(const Cell& cell, CostRow& row) {
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

  void add(const Cell& first, const CostRow& row) {
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
  std::string_view rest_;
  CostTable table_;
  bool has_microbatch_ = false;
  int line_ = 0;
  std::map<std::tuple<std::int32_t, int, std::int32_t>, int> lines_;
  std::vector<Fault> faults_;
};

}  // namespace

CostTable parse_cost_table(std::string name, std::string_view text, TimeUnit unit) {
  return CostReader(std::move(name), text, unit).read();
}

CostTable read_cost_table(const std::string& file, TimeUnit unit) {
  return parse_cost_table(file, read_text_file(file, "/costs"), unit);
}

}  // namespace pipesim
