// Pictures of many results: what is to be drawn, whatever draws it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sim/io/exact_decimal.hpp"
#include "sim/io/result_fields.hpp"
#include "sim/io/results_file.hpp"

namespace pipesim {

enum class PlotKind { lines, heatmap, pareto };

/// What is asked for. Fields are named as find_field() takes them.
struct PlotOptions {
  PlotKind kind = PlotKind::lines;
  std::string x{};
  std::string y{};
  std::string z{};       ///< the colour of a heat map, "" else
  std::string series{};  ///< "": all results are one
  bool is_log_x = false;
  bool is_log_y = false;
};

struct PlotAxis {
  std::string name{};   ///< of the field, as it was given
  std::string label{};  ///< "T_total", without the unit
  std::string unit{};   ///< "ms"; "" for none
  bool is_log = false;
  std::vector<ExactDecimal> tics{};  ///< of a logarithmic axis: at least one
  /// The values of an axis that is not a scale, in order; a point's number is then an index here.
  std::vector<std::string> categories{};
};

/// "T_total (ms)".
std::string title(const PlotAxis& axis);

/// A number of that axis: "4", "2.5 ms", and of bytes, in the shortest exact form, "80GiB".
std::string with_unit(const PlotAxis& axis, const std::string& value);

struct PlotPoint {
  ExactDecimal x;
  ExactDecimal y;
  bool is_on_front = false;  ///< of a Pareto scatter
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;  ///< by x
};

/// The part of a heat map between two values of its axes.
struct PlotCell {
  std::size_t x = 0;  ///< index of the category
  std::size_t y = 0;
  ExactDecimal z;
};

struct Plot {
  PlotKind kind = PlotKind::lines;
  PlotAxis x;
  PlotAxis y;
  PlotAxis z;                      ///< of a heat map
  std::string series_label;        ///< "" where there is one series without a name
  std::vector<PlotSeries> series;  ///< none of a heat map
  std::vector<PlotCell> cells;     ///< of a heat map, by y and then x; what no result has is absent
  /// Of a Pareto scatter: the corners of the line that parts what some result reaches from what
  /// none does.
  std::vector<PlotPoint> front;
  std::string front_label;         ///< "Pareto front: lower T_total, higher tokens/s"
  std::vector<std::string> notes;  ///< what is not in the picture, and why
};

/// One line: "T_total (ms) over microbatches m".
std::string heading(const Plot& plot);

/// Whether each point is on the Pareto front: no other is at least as good in both and better in
/// one. Equal points are on it together.
std::vector<bool> pareto_front(const std::vector<PlotPoint>& points, Better x, Better y);

/// Requires at least one row. Times are converted to the unit of the first row's. A field that is
/// no number stands on an axis of categories, in the order of the rows. Throws Error (bad input) if
/// a row lacks a field, has no number where one is needed or another unit, has zero or less on a
/// logarithmic axis, or if two rows differ at one place of the picture.
Plot make_plot(const Results& results, const PlotOptions& options);

/// What a kind of picture can hold, so that it is written and opened within seconds.
struct PlotLimits {
  std::size_t series = 0;
  std::size_t names = 0;  ///< on an axis of categories
  std::size_t marks = 0;  ///< points, or cells of a heat map, those without a result too
};
inline constexpr PlotLimits kSvgLimits = {.series = 200, .names = 10'000, .marks = 250'000};
inline constexpr PlotLimits kPageLimits = {.series = 500, .names = 10'000, .marks = 40'000};

/// Throws Error (bad input) at `option` if the plot holds more than the limits allow.
void require_within(const Plot& plot, const PlotLimits& limits, std::string_view option);

/// The plot as a script for gnuplot 5.4 that writes SVG to standard output, data included.
std::string gnuplot_script(const Plot& plot);

/// What gnuplot wrote, without what depends on its version, and with a title for screen readers.
std::string finished_svg(std::string svg, const Plot& plot);

/// The plot as one HTML page that needs no other file.
std::string plot_html(const Plot& plot);

}  // namespace pipesim
