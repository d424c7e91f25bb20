#include "sim/io/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "sim/error.hpp"
#include "sim/io/quantities.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

/// A field's value in one row, in the unit of its axis.
struct AxisValue {
  std::string text;
  std::optional<ExactDecimal> number{};
  const ResultRow* row = nullptr;
  int line = 0;
};

[[noreturn]] void fail(const ResultRow& row, int line, std::string what, std::string allowed,
                       std::string value = "") {
  throw Error(Fault{.place = fmt::format("{}:{}", row.file, line),
                    .line = line,
                    .value = std::move(value),
                    .what = std::move(what),
                    .allowed = std::move(allowed)});
}

/// The power of ten by which a time in `from` becomes one in `to`; nothing if one is no unit.
std::optional<int> power_between(const std::string& from, const std::string& to) {
  const auto first = time_unit(from);
  const auto second = time_unit(to);
  if (!first || !second) return std::nullopt;
  return 3 * (static_cast<int>(*second) - static_cast<int>(*first));
}

std::string in_unit(const std::string& unit) {
  return unit.empty() ? "without a unit" : "in " + unit;
}

/// The digits times all powers of ten that lie from `least` to `most`, both positive.
std::vector<ExactDecimal> multiples(std::initializer_list<int> digits, const ExactDecimal& least,
                                    const ExactDecimal& most) {
  std::vector<ExactDecimal> tics;
  for (int power = least.exponent() - 1; power < most.exponent(); ++power) {
    for (const int digit : digits) {
      const auto tic = ExactDecimal(digit).scaled(power);
      if (tic && least <= *tic && *tic <= most) tics.push_back(*tic);
    }
  }
  return tics;
}

/// Of positive values in order: the least and the most where no round number lies between them.
std::vector<ExactDecimal> logarithmic_tics(const std::set<ExactDecimal>& values) {
  constexpr std::size_t kEnough = 4;
  constexpr std::size_t kMost = 10;
  const ExactDecimal& least = *values.begin();
  const ExactDecimal& most = *values.rbegin();
  std::vector<ExactDecimal> tics = multiples({1}, least, most);
  if (tics.size() < kEnough) tics = multiples({1, 2, 5}, least, most);
  if (tics.size() < kEnough) tics = multiples({1, 2, 3, 4, 5, 6, 7, 8, 9}, least, most);
  if (tics.size() < 2) return values.size() == 1 ? std::vector{least} : std::vector{least, most};
  const std::size_t step = (tics.size() + kMost - 1) / kMost;
  std::vector<ExactDecimal> some;
  for (std::size_t i = 0; i < tics.size(); i += step) some.push_back(tics[i]);
  return some;
}

/// A column of the results: one field in all rows.
class Column {
 public:
  Column(const std::vector<ResultRow>& rows, const std::string& given, std::string_view option)
      : given_(given), path_(find_field(rows, given, option)) {
    axis_ = {.name = given, .label = field_label(path_), .unit = {}, .categories = {}};
    for (const ResultRow& row : rows) values_.push_back(read(row));
  }

  const std::vector<AxisValue>& values() const { return values_; }
  const std::string& path() const { return path_; }
  const PlotAxis& axis() const { return axis_; }
  bool is_numeric() const {
    return std::all_of(values_.begin(), values_.end(),
                       [](const AxisValue& value) { return value.number.has_value(); });
  }

  /// Throws unless every value is a number.
  void require_numbers() const {
    for (const AxisValue& value : values_) {
      if (value.number) continue;
      fail(*value.row, value.line, fmt::format("{} is no number: {}", given_, value.text),
           "a number in every result", value.text);
    }
  }

  /// Throws unless every value is a number that has a logarithm.
  void make_logarithmic(bool few_values_are_tics) {
    require_numbers();
    for (const AxisValue& value : values_) {
      if (value.number->sign() > 0) continue;
      fail(*value.row, value.line,
           fmt::format("{} is {} on a logarithmic axis", given_, value.text), "more than 0",
           value.text);
    }
    axis_.is_log = true;
    std::set<ExactDecimal> values;
    for (const AxisValue& value : values_) values.insert(*value.number);
    axis_.tics = few_values_are_tics && values.size() <= 10
                     ? std::vector<ExactDecimal>(values.begin(), values.end())
                     : logarithmic_tics(values);
  }

  /// Numbers in their order, else texts in the rows' order; a value becomes its index.
  void make_categories() {
    std::vector<AxisValue> order = values_;
    if (is_numeric()) {
      std::stable_sort(order.begin(), order.end(), [](const auto& left, const auto& right) {
        return *left.number < *right.number;
      });
    }
    std::map<std::string, int> index;
    for (const AxisValue& value : order) {
      const auto next = static_cast<int>(axis_.categories.size());
      if (index.emplace(value.text, next).second) axis_.categories.push_back(value.text);
    }
    for (AxisValue& value : values_) value.number = ExactDecimal(index.at(value.text));
  }

 private:
  AxisValue read(const ResultRow& row) {
    const ResultValue* const found = row.find(path_);
    if (!found || found->kind == ResultKind::nothing) {
      fail(row, found ? found->line : row.line,
           fmt::format("{} {}", given_, found ? "is null" : "is not in this result"),
           "a value in every result");
    }
    AxisValue value{.text = found->text, .row = &row, .line = found->line};
    std::string unit = field_unit(row, *found);
    if (found->kind == ResultKind::number) {
      value.number = ExactDecimal::parse(found->text);
      if (!value.number) fail(row, found->line, given_ + " is out of range", "1e-300 to 1e300");
    } else if (const auto bytes = parse_bytes(found->text).value; bytes && !unit.empty()) {
      value.number = ExactDecimal::parse(std::to_string(*bytes));
      unit = "bytes";
    }
    if (values_.empty()) axis_.unit = unit;
    if (value.number) convert(value, unit, row);
    if (found->is_largest && field_label(path_) == axis_.label) mark_largest();
    return value;
  }

  void convert(AxisValue& value, const std::string& unit, const ResultRow& row) const {
    if (unit != axis_.unit) {
      const std::optional<int> power = power_between(unit, axis_.unit);
      if (!power) {
        fail(row, value.line,
             fmt::format("{} is {}, in the results before it {}", given_, in_unit(unit),
                         in_unit(axis_.unit)),
             "one unit in all results");
      }
      value.number = value.number->scaled(*power);
      PIPESIM_CHECK(value.number.has_value());
    }
    value.text = value.number->text();
  }

  /// Of a list of the config; a list of the devices says so in its label.
  void mark_largest() {
    if (path_.starts_with("config.")) axis_.label += ", largest";
  }

  std::string given_;
  std::string path_;
  PlotAxis axis_;
  std::vector<AxisValue> values_;
};

/// A row as it is drawn.
struct Entry {
  std::size_t series = 0;
  PlotPoint point;
  const AxisValue* y = nullptr;
};

class Builder {
 public:
  Builder(const Results& results, const PlotOptions& options)
      : rows_(results.rows),
        options_(options),
        x_(rows_, options.x, "--x"),
        y_(rows_, options.y, "--y") {
    plot_.kind = options.kind;
    plot_.notes = results.notes;
  }

  Plot build() {
    if (options_.kind == PlotKind::heatmap) {
      add_cells();
    } else {
      add_series();
    }
    if (options_.kind == PlotKind::pareto) add_front();
    if (repeated_ > 0) {
      plot_.notes.push_back(fmt::format("{} result{} at the place and with the value of another",
                                        repeated_, repeated_ == 1 ? "" : "s"));
    }
    return std::move(plot_);
  }

 private:
  void add_cells() {
    Column z(rows_, options_.z, "--z");
    z.require_numbers();
    x_.make_categories();
    y_.make_categories();
    std::map<std::pair<ExactDecimal, ExactDecimal>, std::size_t> first_at;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const ExactDecimal x = *x_.values()[i].number;
      const ExactDecimal y = *y_.values()[i].number;
      const auto [at, is_new] = first_at.emplace(std::pair(y, x), i);
      if (!is_new) require_same(z, at->second, i, "");
    }
    for (const auto& [place, row] : first_at) {
      plot_.cells.push_back({.x = std::stoul(place.second.text()),
                             .y = std::stoul(place.first.text()),
                             .z = *z.values()[row].number});
    }
    plot_.x = x_.axis();
    plot_.y = y_.axis();
    plot_.z = z.axis();
    const std::size_t all = plot_.x.categories.size() * plot_.y.categories.size();
    if (plot_.cells.size() < all) {
      plot_.notes.push_back(
          fmt::format("no result for {} of {} cells", all - plot_.cells.size(), all));
    }
  }

  void add_series() {
    y_.require_numbers();
    if (options_.kind == PlotKind::pareto) x_.require_numbers();
    if (options_.is_log_x) x_.make_logarithmic(options_.kind == PlotKind::lines);
    if (options_.is_log_y) y_.make_logarithmic(false);
    if (!x_.is_numeric()) x_.make_categories();
    plot_.x = x_.axis();
    plot_.y = y_.axis();
    const std::vector<std::size_t> of_row = name_series();
    std::map<std::pair<std::size_t, ExactDecimal>, std::size_t> first_at;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const PlotPoint point = {.x = *x_.values()[i].number, .y = *y_.values()[i].number};
      if (options_.kind == PlotKind::lines) {
        const auto [at, is_new] = first_at.emplace(std::pair(of_row[i], point.x), i);
        if (!is_new) {
          require_same(y_, at->second, i, plot_.series[of_row[i]].name);
          continue;
        }
      }
      plot_.series[of_row[i]].points.push_back(point);
    }
    for (PlotSeries& series : plot_.series) {
      std::stable_sort(series.points.begin(), series.points.end(),
                       [](const auto& left, const auto& right) { return left.x < right.x; });
    }
  }

  /// Makes the series, and returns the index of each row's.
  std::vector<std::size_t> name_series() {
    if (options_.series.empty()) {
      plot_.series.push_back({.name = plot_.y.label, .points = {}});
      return std::vector<std::size_t>(rows_.size(), 0);
    }
    Column column(rows_, options_.series, "--series");
    const bool is_numeric = column.is_numeric();
    column.make_categories();
    const PlotAxis& axis = column.axis();
    plot_.series_label = axis.unit.empty() ? axis.label : title(axis);
    for (const std::string& category : axis.categories) {
      plot_.series.push_back(
          {.name =
               is_numeric ? fmt::format("{}={}", axis.name, with_unit(axis, category)) : category,
           .points = {}});
    }
    std::vector<std::size_t> indices;
    for (const AxisValue& value : column.values()) {
      indices.push_back(std::stoul(value.number->text()));
    }
    return indices;
  }

  /// Throws unless both rows have the same value where the picture has room for one.
  void require_same(const Column& column, std::size_t first, std::size_t second,
                    const std::string& series) {
    const AxisValue& before = column.values()[first];
    const AxisValue& value = column.values()[second];
    if (*before.number == *value.number) {
      ++repeated_;
      return;
    }
    std::string where = fmt::format("{}={}", options_.x, x_text(second));
    if (options_.kind == PlotKind::heatmap) {
      where += fmt::format(", {}={}", options_.y, plot_text(y_, second));
    } else if (!options_.series.empty()) {
      where += fmt::format(" of the series {}", series);
    }
    fail(*value.row, value.line,
         fmt::format("{} is {} at {}, and {} in line {} of {}", column.axis().name, value.text,
                     where, before.text, before.line, before.row->file),
         options_.kind == PlotKind::heatmap
             ? "one result for each cell"
             : "one result for each x of a series: --series with a field that tells them apart",
         value.text);
  }

  static std::string plot_text(const Column& column, std::size_t row) {
    return column.values()[row].text;
  }
  std::string x_text(std::size_t row) const { return plot_text(x_, row); }

  void add_front() {
    const Better x = better(x_.path());
    const Better y = better(y_.path());
    std::vector<PlotPoint> all;
    for (const PlotSeries& series : plot_.series) {
      all.insert(all.end(), series.points.begin(), series.points.end());
    }
    const std::vector<bool> front = pareto_front(all, x, y);
    std::vector<PlotPoint> best;
    std::size_t next = 0;
    for (PlotSeries& series : plot_.series) {
      for (PlotPoint& point : series.points) {
        point.is_on_front = front[next++];
        if (point.is_on_front) best.push_back(point);
      }
    }
    std::sort(best.begin(), best.end(),
              [](const auto& left, const auto& right) { return left.x < right.x; });
    if (x == Better::higher) std::reverse(best.begin(), best.end());
    for (const PlotPoint& point : best) {
      if (!plot_.front.empty() && plot_.front.back().x == point.x) continue;
      if (!plot_.front.empty()) plot_.front.push_back({.x = point.x, .y = plot_.front.back().y});
      plot_.front.push_back(point);
    }
    const auto word = [](Better side) { return side == Better::lower ? "lower" : "higher"; };
    plot_.front_label =
        fmt::format("Pareto front: {} {}, {} {}", word(x), plot_.x.label, word(y), plot_.y.label);
  }

  const std::vector<ResultRow>& rows_;
  const PlotOptions& options_;
  Column x_;
  Column y_;
  Plot plot_;
  int repeated_ = 0;
};

}  // namespace

std::string title(const PlotAxis& axis) {
  return axis.unit.empty() ? axis.label : fmt::format("{} ({})", axis.label, axis.unit);
}

std::string with_unit(const PlotAxis& axis, const std::string& value) {
  if (axis.unit.empty()) return value;
  const auto bytes = axis.unit == "bytes" ? parse_bytes(value + "B").value : std::nullopt;
  return bytes ? bytes_text(*bytes) : fmt::format("{} {}", value, axis.unit);
}

std::string heading(const Plot& plot) {
  if (plot.kind == PlotKind::heatmap) {
    return fmt::format("{} over {} and {}", title(plot.z), title(plot.x), title(plot.y));
  }
  return fmt::format("{} over {}", title(plot.y), title(plot.x));
}

std::vector<bool> pareto_front(const std::vector<PlotPoint>& points, Better x, Better y) {
  const auto is_better = [](const ExactDecimal& left, const ExactDecimal& right, Better side) {
    return side == Better::lower ? left < right : left > right;
  };
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    const PlotPoint& first = points[left];
    const PlotPoint& second = points[right];
    if (first.x != second.x) return is_better(first.x, second.x, x);
    return is_better(first.y, second.y, y);
  });
  std::vector<bool> front(points.size());
  const PlotPoint* last = nullptr;  // on the front, with the best x so far
  for (const std::size_t i : order) {
    const PlotPoint& point = points[i];
    const bool is_equal = last && last->x == point.x && last->y == point.y;
    if (last && !is_equal && !is_better(point.y, last->y, y)) continue;
    front[i] = true;
    last = &point;
  }
  return front;
}

void require_within(const Plot& plot, const PlotLimits& limits, std::string_view option) {
  const auto require = [&](bool is_within, std::string what, std::string allowed) {
    if (is_within) return;
    throw Error(Fault{.place = fmt::format("command line: {}", option),
                      .what = std::move(what),
                      .allowed = std::move(allowed)});
  };
  const std::size_t columns = plot.x.categories.size();
  const std::size_t rows = plot.y.categories.size();
  if (plot.kind == PlotKind::heatmap) {
    // Each is at most the number of results: the product does not overflow.
    require(columns * rows <= limits.marks,
            fmt::format("a heat map of {} x {} = {} cells", columns, rows, columns * rows),
            fmt::format("at most {}: fewer results, or fields with fewer values", limits.marks));
  }
  for (const PlotAxis* const axis : {&plot.x, &plot.y}) {
    const std::size_t names = axis->categories.size();
    require(names <= limits.names, fmt::format("an axis of {} values of {}", names, axis->name),
            fmt::format("at most {}: fewer results, or a field with fewer values", limits.names));
  }
  require(plot.series.size() <= limits.series, fmt::format("{} series", plot.series.size()),
          fmt::format("at most {}: fewer results, or --series with a field of fewer values",
                      limits.series));
  std::size_t points = 0;
  for (const PlotSeries& series : plot.series) points += series.points.size();
  require(points <= limits.marks, fmt::format("{} points", points),
          fmt::format("at most {}: fewer results", limits.marks));
}

Plot make_plot(const Results& results, const PlotOptions& options) {
  PIPESIM_CHECK(!results.rows.empty());
  return Builder(results, options).build();
}

}  // namespace pipesim
