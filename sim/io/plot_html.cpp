#include <fmt/format.h>

#include "sim/io/json_text.hpp"
#include "sim/io/page_text.hpp"
#include "sim/io/plot.hpp"
#include "sim/io/plot_page.hpp"
#include "sim/io/uplot.hpp"

namespace pipesim {

namespace {

template <class List, class Write>
std::string array(const List& list, Write write) {
  std::string text;
  for (const auto& value : list) text += (text.empty() ? "" : ",") + write(value);
  return "[" + text + "]";
}

std::string number(const ExactDecimal& value) { return value.text(); }

std::string axis_json(const PlotAxis& axis) {
  return fmt::format(R"({{"name":{},"label":{},"unit":{},"isLog":{},"tics":{},"categories":{}}})",
                     json_string(axis.name), json_string(axis.label), json_string(axis.unit),
                     axis.is_log, array(axis.tics, number), array(axis.categories, json_string));
}

/// Numbers as strings: the page shows them as they are and draws them as doubles.
std::string point_json(const PlotPoint& point) {
  return fmt::format(R"(["{}","{}",{}])", point.x.text(), point.y.text(),
                     point.is_on_front ? 1 : 0);
}

std::string_view name(PlotKind kind) {
  switch (kind) {
    case PlotKind::lines:
      return "lines";
    case PlotKind::heatmap:
      return "heatmap";
    case PlotKind::pareto:
      break;
  }
  return "pareto";
}

std::string plot_json(const Plot& plot) {
  const std::string series = array(plot.series, [](const PlotSeries& one) {
    return fmt::format(R"({{"name":{},"points":{}}})", json_string(one.name),
                       array(one.points, point_json));
  });
  const std::string cells = array(plot.cells, [](const PlotCell& cell) {
    return fmt::format(R"([{},{},"{}"])", cell.x, cell.y, cell.z.text());
  });
  return fmt::format(
      R"({{"kind":"{}","x":{},"y":{},"z":{},"seriesLabel":{},"series":{},"cells":{},"front":{}}})",
      name(plot.kind), axis_json(plot.x), axis_json(plot.y), axis_json(plot.z),
      json_string(plot.series_label), series, cells, array(plot.front, point_json));
}

}  // namespace

std::string plot_html(const Plot& plot) {
  std::vector<std::string> texts;
  if (!plot.front_label.empty()) texts.push_back(plot.front_label + " (dashed)");
  texts.insert(texts.end(), plot.notes.begin(), plot.notes.end());
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{0}</title>
<!-- With uPlot:
{1}-->
<style>
{2}
{3}</style>
</head>
<body>
<h1>{0}</h1>
{4}<div id="plot" aria-label="{0}"><div id="ring" hidden></div><div id="tip" role="status" hidden></div></div>
<div id="legend" role="group" aria-label="series"></div>
<details id="table"><summary>All values</summary><div id="values" class="wide" tabindex="0"></div></details>
<noscript><p>The picture needs JavaScript.</p></noscript>
<script id="data" type="application/json">{5}</script>
<script>
{6}
{7}</script>
</body>
</html>
)",
                     xml_text(heading(plot)), kUplotLicence, kUplotStyle, kPlotPageStyle,
                     paragraphs(texts), script_json(plot_json(plot)), kUplotScript,
                     kPlotPageScript);
}

}  // namespace pipesim
