#include "sim/io/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>

#include "sim/error.hpp"
#include "sim/io/page_text.hpp"

namespace pipesim {

namespace {

// Okabe and Ito, Color Universal Design (2008), without the yellow that white swallows.
constexpr std::array<std::string_view, 7> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                      "#e69f00", "#56b4e9", "#000000"};
// gnuplot's numbers of circle, square, triangle, rhomb, filled and then hollow. As many as colours
// and one, so that a pair of both comes again after 56 series.
constexpr std::array<int, 8> kShapes = {7, 5, 9, 13, 6, 4, 8, 12};

/// A string of the script. Between single quotes gnuplot knows no escape but the doubled quote.
std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : printable(text)) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

/// A label of a tic, which gnuplot takes for a format.
std::string tic_label(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped += c == '%' ? "%%" : std::string(1, c);
  return quoted(escaped);
}

std::string style(std::size_t series) {
  return fmt::format("lc rgb '{}' pt {}", kColours[series % kColours.size()],
                     kShapes[series % kShapes.size()]);
}

/// The format of numbers on an axis, and of cells.
std::string_view number_format(const PlotAxis& axis) {
  return axis.unit == "bytes" ? "'%.1s %cB'" : "'%.6g'";
}

std::string categories(std::string_view name, const PlotAxis& axis) {
  constexpr std::size_t kMostLetters = 90;  // side by side
  std::string tics;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < axis.categories.size(); ++i) {
    const std::string category =
        axis.unit == "bytes" ? with_unit(axis, axis.categories[i]) : axis.categories[i];
    longest = std::max(longest, category.size());
    tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", tic_label(category), i);
  }
  const bool is_crowded = name == "x" && longest * axis.categories.size() > kMostLetters;
  return fmt::format("set {0}tics {1}({2})\nset {0}range [-0.5:{3}.5]\n", name,
                     is_crowded ? "rotate by 90 right " : "", tics, axis.categories.size() - 1);
}

/// From a little below the least value to a little above the most, by gnuplot's arithmetic; never
/// below 0 for values that are not.
std::string range(std::string_view name, const PlotAxis& axis, const ExactDecimal& least,
                  const ExactDecimal& most) {
  const std::string values = fmt::format("a = 1.0*{}\nb = 1.0*{}\n", least.text(), most.text());
  const std::string_view limits = axis.is_log
                                      ? "f = b > a ? (b/a)**0.05 : 2\nlow = a/f\nhigh = b*f\n"
                                      : "f = b > a ? (b-a)*0.05 : b != 0 ? abs(b)*0.1 : 1\n"
                                        "low = a >= 0 && a < 3*f ? 0 : a-f\nhigh = b+f\n";
  return fmt::format("{}{}set {}range [low:high]\n", values, limits, name);
}

std::string scale(std::string_view name, const PlotAxis& axis,
                  const std::set<ExactDecimal>& values) {
  std::string script = fmt::format("set format {} {}\n", name, number_format(axis)) +
                       range(name, axis, *values.begin(), *values.rbegin());
  if (!axis.is_log) return script;
  std::string tics;
  for (const ExactDecimal& tic : axis.tics) tics += (tics.empty() ? "" : ", ") + tic.text();
  return script + fmt::format("set logscale {0}\nset {0}tics ({1})\n", name, tics);
}

std::string axis(std::string_view name, const PlotAxis& axis,
                 const std::set<ExactDecimal>& values) {
  return fmt::format("set {}label {}\n", name, quoted(title(axis))) +
         (axis.categories.empty() ? scale(name, axis, values) : categories(name, axis));
}

std::string data_block(std::string_view name, const std::vector<PlotPoint>& points) {
  std::string block = fmt::format("${} << END\n", name);
  for (const PlotPoint& point : points) {
    block += fmt::format("{} {} {}\n", point.x.text(), point.y.text(), point.is_on_front ? 1 : 0);
  }
  return block + "END\n";
}

/// Higher where the names of many series need it.
std::string preamble(std::size_t series) {
  return fmt::format(
      "set terminal svg size 960,{} noenhanced font 'sans-serif,15' background '#ffffff'\n"
      "set encoding utf8\n"
      "set border 3 linecolor rgb '#555555'\n"
      "set tics nomirror out\n"
      "set grid linetype 1 linecolor rgb '#e4e4e4' linewidth 1\n"
      "set key outside right top reverse Left samplen 2 spacing 1.1 font ',13'\n",
      std::max<std::size_t>(560, 170 + 23 * series));
}

/// The names of what is on the front; where points lie on each other their names stand together.
std::string point_labels(const Plot& plot) {
  constexpr std::size_t kMostNames = 2;
  std::map<std::pair<ExactDecimal, ExactDecimal>, std::vector<std::string>> at;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      if (!point.is_on_front) continue;
      std::vector<std::string>& names = at[{point.x, point.y}];
      if (names.empty() || names.back() != series.name) names.push_back(series.name);
    }
  }
  std::string script;
  for (const auto& [place, names] : at) {
    const std::size_t shown = std::min(kMostNames, names.size());
    std::string text = fmt::format(
        "{}", fmt::join(names.begin(), std::next(names.begin(), static_cast<std::ptrdiff_t>(shown)),
                        ", "));
    if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
    script += fmt::format(
        "set label {} at {}, {} left offset character 0.9, 0.5 font ',12' "
        "textcolor rgb '#333333'\n",
        quoted(text), place.first.text(), place.second.text());
  }
  return script;
}

std::string series_script(const Plot& plot) {
  std::set<ExactDecimal> xs;
  std::set<ExactDecimal> ys;
  std::string data;
  std::vector<std::string> drawn;
  const bool is_pareto = plot.kind == PlotKind::pareto;
  if (is_pareto) {
    data += data_block("front", plot.front);
    drawn.emplace_back(
        "$front using 1:2 with lines linecolor rgb '#555555' dashtype 2 linewidth 1.5 notitle");
  }
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const PlotSeries& series = plot.series[i];
    for (const PlotPoint& point : series.points) {
      xs.insert(point.x);
      ys.insert(point.y);
    }
    data += data_block(fmt::format("s{}", i), series.points);
    const std::string name = plot.series_label.empty() ? "notitle" : "title " + quoted(series.name);
    drawn.push_back(
        is_pareto
            ? fmt::format("$s{} using 1:2:($3 > 0 ? 1.3 : 0.8) with points {} ps variable {}", i,
                          style(i), name)
            : fmt::format("$s{} using 1:2 with {} {} ps 0.9 lw 2 {}", i,
                          plot.x.categories.empty() ? "linespoints" : "points", style(i), name));
  }
  std::string script = preamble(plot.series.size()) + axis("x", plot.x, xs) + axis("y", plot.y, ys);
  if (!plot.series_label.empty()) {
    script += fmt::format("set key title {} left\n", quoted(plot.series_label));
  }
  if (is_pareto) {
    script += fmt::format("set title {} font ',14'\n", quoted(plot.front_label));
    if (!plot.series_label.empty()) script += point_labels(plot);
  }
  return fmt::format("{}{}plot {}\n", script, data, fmt::join(drawn, ", \\\n  "));
}

std::string heatmap_script(const Plot& plot) {
  constexpr std::size_t kMostValues = 400;
  const auto [least, most] =
      std::minmax_element(plot.cells.begin(), plot.cells.end(),
                          [](const auto& left, const auto& right) { return left.z < right.z; });
  std::string data = "$cells << END\n";
  for (const PlotCell& cell : plot.cells) {
    data += fmt::format("{} {} {}\n", cell.x, cell.y, cell.z.text());
  }
  const std::string low = least->z.text();
  const std::string high = most->z.text();
  // Cividis (Nunez, Anderton, Renslow 2018): the same to all kinds of colour vision.
  std::string script =
      preamble(0) + axis("x", plot.x, {}) + axis("y", plot.y, {}) +
      fmt::format(
          "set grid noxtics noytics\nset cblabel {} offset 1.5\nset format cb {}\n"
          "set palette defined (0 '#00224e', 0.25 '#434e6c', 0.5 '#7d7c78', 0.75 '#bcaf6f', "
          "1 '#fee838')\n",
          quoted(title(plot.z)), number_format(plot.z)) +
      (low == high ? fmt::format("set cbrange [{0}-1.0:{0}+1.0]\n", low)
                   : fmt::format("set cbrange [{}:{}]\n", low, high)) +
      data + "END\n" +
      "plot $cells using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror "
      "fillstyle solid border rgb '#ffffff' linecolor palette notitle";
  if (plot.cells.size() <= kMostValues) {
    script += fmt::format(
        ", \\\n  $cells using 1:2:(gprintf({}, $3)):(2*$3 < {} + {} ? 0xffffff : 0x000000) "
        "with labels textcolor rgb variable font ',13' notitle",
        number_format(plot.z), low, high);
  }
  return script + "\n";
}

/// Replaces what stands from `begin` to `end`, both included, if it is there.
void replace(std::string& text, std::string_view begin, std::string_view end,
             const std::string& with) {
  const std::size_t first = text.find(begin);
  const std::size_t last = first == text.npos ? first : text.find(end, first);
  if (last != text.npos) text.replace(first, last + end.size() - first, with);
}

}  // namespace

std::string gnuplot_script(const Plot& plot) {
  return plot.kind == PlotKind::heatmap ? heatmap_script(plot) : series_script(plot);
}

std::string finished_svg(std::string svg, const Plot& plot) {
  replace(svg, "<title>", "</title>", fmt::format("<title>{}</title>", xml_text(heading(plot))));
  replace(svg, "<desc>", "</desc>", "<desc>drawn by pipesim plot</desc>");
  return svg;
}

}  // namespace pipesim
