#include "sim/io/html_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/html_assets.hpp"
#include "sim/io/page_text.hpp"
#include "sim/io/palette.hpp"
#include "sim/io/report_facts.hpp"
#include "sim/version.hpp"

namespace pipesim {

namespace {

/// The members of the outermost object, each on a line of its own, as text of a page.
std::string with_lines(std::string_view json) {
  std::string result;
  std::size_t begin = 0;
  const auto end_line = [&](std::size_t end, std::string_view next) {
    result += xml_text(json.substr(begin, end - begin)) + std::string(next);
    begin = end;
  };
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string && c == '\\') ++i;
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c == '}' && depth == 0) end_line(i, "\n");
    if (depth == 1 && (c == ',' || i == 0)) {
      end_line(i + 1, "\n  ");
      if (json[begin] == ' ') ++begin;
    }
  }
  end_line(json.size(), "");
  return result;
}

std::string variables(Ground ground) {
  const Scenery& scene = scenery(ground);
  return fmt::format("--ground: {}; --ink: {}; --faint: {}; --rule: {}; --critical: {};",
                     css(scene.ground), css(scene.ink), css(scene.faint), css(scene.rule),
                     css(scene.critical));
}

/// Dark where the reader's screen asks for it, light in print.
std::string style() {
  return fmt::format(
      ":root {{ color-scheme: light; {} }}\n@media screen and (prefers-color-scheme: dark) {{\n"
      "  :root {{ color-scheme: dark; {} }}\n}}\n{}",
      variables(Ground::light), variables(Ground::dark), kHtmlStyle);
}

std::string facts_list(const std::vector<Fact>& facts) {
  std::string items;
  for (const auto& [name, value, meaning] : facts) {
    items += fmt::format("<div><dt>{}</dt><dd>{}</dd><dd class=\"faint\">{}</dd></div>\n",
                         xml_text(name), xml_text(value), xml_text(meaning));
  }
  return fmt::format("<dl class=\"facts\">\n{}</dl>\n", items);
}

std::string config_block(const RunConfig& config) {
  return fmt::format(
      "<div class=\"config\"><button type=\"button\" class=\"copy\" hidden>Copy</button>\n"
      "<pre tabindex=\"0\">{}</pre>\n"
      "<p class=\"faint\">As <code>run.json</code> it gives this result again: <code>pipesim "
      "--config run.json</code>. Hash {}.</p></div>\n",
      with_lines(resolved_json(config)), config_hash(config));
}

std::string page(const std::string& title, const std::string& begin, const std::string& end,
                 const std::string& data) {
  // The policy forbids every request, whatever a file holds.
  std::string text = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
      "form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{} - pipesim</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{}"
      "<section id=\"timeline\" aria-labelledby=\"timeline-title\">\n"
      "<h2 id=\"timeline-title\">Timeline</h2>\n<noscript><p>The timeline and the charts are drawn "
      "by JavaScript, which is switched off.</p></noscript>\n</section>\n"
      "<section id=\"idle\" aria-labelledby=\"idle-title\">\n"
      "<h2 id=\"idle-title\">Idle time by cause</h2>\n</section>\n{}</main>\n"
      "<footer>pipesim {}</footer>\n",
      xml_text(title), style(), begin, end, kVersion);
  text += fmt::format("<script id=\"data\" type=\"application/json\">{}</script>\n", data);
  text +=
      fmt::format("<script>\n\"use strict\";\n{}\n{}\n{}\n{}\n{}\n{}</script>\n</body>\n</html>\n",
                  kHtmlData, kHtmlPaint, kHtmlScene, kHtmlTimeline, kHtmlCharts, kHtmlPage);
  require_page_size(static_cast<std::int64_t>(text.size()), PageSize::exact);
  return text;
}

std::string title_of(const Report& report) {
  return report.config.schedule + parameters_of(report.config);
}

std::string comparison_row(const ComparedSchedule& row, bool is_on_front,
                           const std::vector<ComparisonCells::Cell>& cells, std::size_t columns) {
  std::string line = fmt::format("<tr><th scope=\"row\">{}</th>",
                                 xml_text(row.report ? title_of(*row.report) : row.schedule));
  for (const auto& [text, is_best] : cells) {
    const std::string value = xml_text(text);
    line += fmt::format("<td>{}</td>", is_best ? "<strong>" + value + "</strong>" : value);
  }
  for (std::size_t i = cells.size(); i < columns; ++i) line += "<td>-</td>";
  return line + fmt::format("<td>{}</td><td>{}</td></tr>\n", is_on_front ? "yes" : "", status(row));
}

std::string comparison(const std::vector<ComparedSchedule>& compared,
                       const std::vector<bool>& front) {
  const ComparisonCells cells = comparison_cells(compared);
  std::string header = "<th scope=\"col\">schedule</th>";
  for (const std::string& column : cells.columns) {
    header += fmt::format("<th scope=\"col\">{}</th>", xml_text(column));
  }
  std::string rows;
  std::vector<std::string> said;
  for (std::size_t i = 0; i < compared.size(); ++i) {
    rows += comparison_row(compared[i], front[i], cells.rows[i], cells.columns.size());
    for (const std::string& note : notes(compared[i])) {
      said.push_back(fmt::format("{}: {}", compared[i].schedule, note));
    }
  }
  return fmt::format(
      "<section>\n<div class=\"wide\" tabindex=\"0\" role=\"group\" "
      "aria-label=\"Comparison\"><table>\n<thead><tr>{}<th scope=\"col\">Pareto</th>"
      "<th scope=\"col\">status</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n"
      "<p class=\"faint\">Bold: best of its column. Pareto: none is both as fast and as small; "
      "{}. Bubble ratio: T_total / T_ideal. Bubble fraction: idle device time / (p * T_total). "
      "Span "
      "bubble rate: (longest span of a device - T_ideal) / longest span. Gap: what T_total has "
      "above "
      "the lower bound, as a part of it.</p>\n<div class=\"notes\">{}</div>\n</section>\n"
      "<section id=\"scatter\" aria-labelledby=\"scatter-title\">\n"
      "<h2 id=\"scatter-title\">Time and memory</h2>\n</section>\n",
      header, rows, xml_text(cells.units), paragraphs(said));
}

}  // namespace

std::int64_t least_page_bytes(std::int64_t blocks) {
  constexpr std::int64_t kBytesWithoutBlocks = 60'000;
  // A pair holds two ops in six columns, of a digit and a comma each.
  constexpr std::int64_t kBytesPerOp = 6;
  constexpr std::int64_t kMostBlocks = std::int64_t{1} << 56;
  return kBytesWithoutBlocks + std::min(blocks, kMostBlocks) * kBytesPerOp;
}

void require_page_size(std::int64_t bytes, PageSize size) {
  if (bytes <= kMostPageBytes) return;
  constexpr std::int64_t kMegabyte = 1'000'000;
  const std::int64_t tenths = (bytes - 1) / (kMegabyte / 10) + 1;
  throw Error(Fault{
      .pointer = "/output/html",
      .value = fmt::format("{}", bytes),
      .what = fmt::format("a page of {}{}.{} MB is too large",
                          size == PageSize::least ? "at least " : "", tenths / 10, tenths % 10),
      .allowed = fmt::format("at most {} MB: --from and --to, or --devices, show a part",
                             kMostPageBytes / kMegabyte)});
}

std::string run_page(const Report& report, const Picture& picture, const PageState& state) {
  const std::string title = title_of(report);
  const DrawnRun run = {.report = &report, .picture = &picture};
  std::vector<Fact> facts = report_facts(report);
  facts.push_back({"peak memory", format_amount(report.memory, picture.peak_memory),
                   report.memory.limit
                       ? fmt::format("the most that a device holds; limit {}",
                                     format_amount(report.memory, *report.memory.limit))
                       : "the most that a device ever holds"});
  std::vector<std::string> said = {fmt::format("Idle over all devices: {}.", idle_text(report))};
  if (report.trials) {
    said.push_back(trials_text(report) +
                   ". All else on this page, T_total too, is of the run without jitter.");
  }
  said.insert(said.end(), report.notes.begin(), report.notes.end());
  const std::string begin = fmt::format(
      "<header><h1>{}</h1><p>{}</p><p class=\"setting\">p={} devices  m={} microbatches{}</p>"
      "</header>\n<section aria-label=\"Summary\">\n{}<div class=\"notes\">{}</div>\n</section>\n",
      xml_text(title), xml_text(report.schedule_summary), report.config.p, report.config.m,
      xml_text(costs_of(report)), facts_list(facts), paragraphs(said));
  const std::string end =
      fmt::format("<section>\n<h2>Config</h2>\n{}</section>\n", config_block(report.config));
  return page(title, begin, end, page_data({&run, 1}, state));
}

std::string comparison_page(const std::vector<ComparedSchedule>& compared, const PageState& state) {
  const std::vector<bool> front = pareto_front(compared);
  std::vector<DrawnRun> runs;
  std::string configs;
  for (std::size_t i = 0; i < compared.size(); ++i) {
    const ComparedSchedule& row = compared[i];
    if (!row.report) continue;
    PIPESIM_CHECK(row.picture.has_value());
    runs.push_back({.report = &*row.report, .picture = &*row.picture, .is_on_front = front[i]});
    configs += fmt::format("<details><summary>{}</summary>\n{}</details>\n",
                           xml_text(title_of(*row.report)), config_block(row.report->config));
  }
  PIPESIM_CHECK(!runs.empty());
  const RunConfig& config = runs.front().report->config;
  const std::string begin = fmt::format(
      "<header><h1>{} schedules</h1><p>p={} devices, m={} microbatches</p></header>\n{}",
      compared.size(), config.p, config.m, comparison(compared, front));
  const std::string end = fmt::format("<section>\n<h2>Configs</h2>\n{}</section>\n", configs);
  return page(fmt::format("{} schedules", compared.size()), begin, end, page_data(runs, state));
}

}  // namespace pipesim
