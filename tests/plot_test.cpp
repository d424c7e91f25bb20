#include "sim/io/plot.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/exact_decimal.hpp"
#include "sim/io/page_text.hpp"
#include "sim/io/result_fields.hpp"
#include "sim/io/results_file.hpp"
#include "tests/cli/process.hpp"
#include "tests/places.hpp"

using namespace pipesim;

namespace {

ExactDecimal number(const std::string& text) { return ExactDecimal::parse(text).value(); }

Results read(const std::string& text) { return read_results({{.name = "r.jsonl", .text = text}}); }

Plot plotted(const std::string& text, const PlotOptions& options) {
  return make_plot(read(text), options);
}

template <class Body>
std::string fault_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

std::string plot_fault(const std::string& text, const PlotOptions& options) {
  return fault_of([&] { plotted(text, options); });
}

const PlotOptions kTimeOverM = {.x = "m", .y = "t_total"};

/// One result a line: m, t_total in ms.
std::string row(int m, const std::string& t_total, const std::string& more = "") {
  return fmt::format("{{\"m\": {}, \"time_unit\": \"ms\", \"t_total\": {}{}}}\n", m, t_total, more);
}

bool is_at_least_as_good(const ExactDecimal& left, const ExactDecimal& right, Better side) {
  return side == Better::lower ? left <= right : left >= right;
}

/// By the definition, point against point.
std::vector<bool> front_by_pairs(const std::vector<PlotPoint>& points, Better x, Better y) {
  std::vector<bool> front;
  for (const PlotPoint& point : points) {
    bool is_dominated = false;
    for (const PlotPoint& other : points) {
      const bool is_equal = other.x == point.x && other.y == point.y;
      is_dominated |= !is_equal && is_at_least_as_good(other.x, point.x, x) &&
                      is_at_least_as_good(other.y, point.y, y);
    }
    front.push_back(!is_dominated);
  }
  return front;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("exact decimals keep and order what a double would round") {
    for (const char* const same : {"0", "1", "-1", "0.25", "1000", "-0.001", "12345678901234567890",
                                   "0.1234567890123456789", "1e30", "1.5e-20", "100000.5"}) {
      CHECK(number(same).text() == same);
    }
    CHECK(number("1.500").text() == "1.5");
    CHECK(number("-0.0").text() == "0");
    CHECK(number("25e-1").text() == "2.5");
    CHECK(number("0.001E+5").text() == "100");
    for (const char* const none : {"", " 1", "1 ", "01", "1.", ".5", "+1", "1e", "0x1", "nan",
                                   "1e301", "1e-301", "1e99999999999", "true", "[1]"}) {
      CHECK_FALSE(ExactDecimal::parse(none).has_value());
    }
    CHECK(number("9007199254740993") > number("9007199254740992"));
    const std::vector<std::string> ascending = {"-10", "-9.5", "-0.2", "-0.1999", "0",  "1e-30",
                                                "0.5", "0.51", "9",    "10",      "1e2"};
    for (std::size_t i = 0; i < ascending.size(); ++i) {
      for (std::size_t j = 0; j < ascending.size(); ++j) {
        CHECK((number(ascending[i]) <=> number(ascending[j])) == (i <=> j));
      }
    }
    CHECK(number("2.5").scaled(3)->text() == "2500");
    CHECK_FALSE(number("2.5").scaled(300).has_value());
  }

  TEST_CASE("results are documents one after another, with or without line ends") {
    const std::string two = "{\"m\": 1}{\"m\":\n 2}\n\n  {\"s\": \"} {\", \"m\": 3}";
    const Results results = read(two);
    REQUIRE(results.rows.size() == 3);
    CHECK(results.rows[0].line == 1);
    CHECK(results.rows[1].line == 1);
    CHECK(results.rows[1].find("m")->line == 2);
    CHECK(results.rows[2].line == 4);
    CHECK(results.rows[2].find("s")->text == "} {");
    const Results csv = read("schema_version,m,x\n1,4,\n\nschema_version,m\r\n1,8\r\n");
    REQUIRE(csv.rows.size() == 2);
    CHECK(csv.rows[0].find("x")->kind == ResultKind::nothing);
    CHECK(csv.rows[1].find("m")->text == "8");
    CHECK(csv.rows[1].line == 5);
    CHECK(csv.rows[1].find("x") == nullptr);
  }

  TEST_CASE("a list of numbers stands as its largest, other lists not at all") {
    const Results results = read(R"({"a": [1, 10, 9], "b": [], "c": [1, "x"], "d": {"e": [2]}})");
    CHECK(results.rows[0].find("a")->text == "10");
    CHECK(results.rows[0].find("b") == nullptr);
    CHECK(results.rows[0].find("c") == nullptr);
    CHECK(results.rows[0].find("d.e")->is_largest);
  }

  TEST_CASE("what is no result is a fault that names the line") {
    CHECK(fault_of([] { read("{\"m\": 1}\n{\"m\": }\n"); }) ==
          "r.jsonl:2:7: /m: not valid JSON: unexpected '}'; expected a value");
    CHECK(fault_of([] { read("{\"m\": 1}\n{\"m\": 1, \"m\": 2}\n"); }) ==
          "r.jsonl:2:10: /m: duplicate key; the first one is at r.jsonl:2:2");
    CHECK(fault_of([] { read("{\"m\": 1}\n\n[1]\n"); }) ==
          "r.jsonl:3:1: an array is no result; one JSON object a result");
    CHECK(fault_of([] { read("1,1f1b,4\n"); }) ==
          "r.jsonl:1: neither JSON nor the header line of pipesim's CSV; results with --format "
          "json, or csv without --no-header");
    CHECK(fault_of([] { read("schema_version,m\n1,2,3\n"); }) ==
          "r.jsonl:2: 3 fields under a header of 2; 2 fields");
    CHECK(fault_of([] { read("schema_version,m,gap,m\n1,2,3,4\n"); }) ==
          "r.jsonl:1: the header names m twice; every field once");
    for (const char* const text :
         {"schema_version,m,s\n1,2,\"a\n", "schema_version,m,s\n1,2,\"a\"b\n",
          "schema_version,m,s\n1,2,a\"b\"\n"}) {
      CAPTURE(text);
      CHECK(fault_of([&] { read(text); }) ==
            "r.jsonl:2: quotes that do not enclose a field; fields with a quote on both ends and "
            "doubled quotes between, on one line");
    }
    for (const char* const text : {"{\"m\": 1}\n{\"m\": 1, \"time_unit\": \"parsec\"}\n",
                                   "schema_version,time_unit\n1,parsec\n"}) {
      CHECK(fault_of([&] { read(text); }) == "r.jsonl:2: time_unit is parsec; s, ms, us, ns or ps");
    }
    CHECK(fault_of([] { read(" \n"); }) ==
          "r.jsonl: no result in it; what pipesim prints with --format json or csv");
  }

  TEST_CASE("fields of CSV may stand in quotes") {
    const Results results = read("\"schema_version\",m,s\n1,\"2\",\"a,\"\"b\"\"\"\n1,3,\"\"\n");
    REQUIRE(results.rows.size() == 2);
    CHECK(results.rows[0].find("m")->kind == ResultKind::number);
    CHECK(results.rows[0].find("s")->text == "a,\"b\"");
    CHECK(results.rows[1].find("s")->kind == ResultKind::nothing);
  }

  TEST_CASE("results that are not ok are left out, with a note that says why") {
    const std::string bad = R"({"status": "over_limit", "reason": "device 0 holds 8", "m": 2})";
    const std::string text = row(1, "3") + bad + "\n" + bad + "\n" + R"({"status": "failed"})";
    const Results results = read(text);
    CHECK(results.rows.size() == 1);
    CHECK(results.notes == std::vector<std::string>{
                               "left out 2 results with the status over_limit, the first at "
                               "r.jsonl:2: device 0 holds 8",
                               "left out 1 result with the status failed, the first at r.jsonl:4"});
    CHECK(plotted(text, kTimeOverM).notes == results.notes);
    CHECK(fault_of([&] { read(bad); }) ==
          "r.jsonl: no result in it that is ok: left out 1 result with the status over_limit, the "
          "first at r.jsonl:1: device 0 holds 8; what pipesim prints with --format json or csv");
  }

  TEST_CASE("fields are found by path, by key and by the end of one path") {
    const std::vector<ResultRow> rows =
        read(R"({"m": 1, "memory": {"peak": [2]}, "config": {"m": 1, "first": {"t_f": 1},
                 "last": {"t_f": 2}, "schedule": {"name": "1f1b", "v": 2}}})")
            .rows;
    const auto found = [&](const char* given) { return find_field(rows, given, "--x"); };
    CHECK(found("m") == "m");
    CHECK(found("config.m") == "config.m");
    CHECK(found("peak") == "memory.peak");
    CHECK(found("schedule.name") == "config.schedule.name");
    CHECK(found("v") == "config.schedule.v");
    CHECK(fault_of([&] { found("t_f"); }) ==
          "command line: --x: \"t_f\" is the end of more than one field; config.first.t_f or "
          "config.last.t_f");
    CHECK(fault_of([&] { found("memory.paek"); }) ==
          "command line: --x: no result has a field \"memory.paek\"; a key of the results or of "
          "their config (did you mean \"memory.peak\"?)");
  }

  TEST_CASE("every time of a result has the unit of the times") {
    const auto schema = nlohmann::json::parse(
        test::read_file(test::source_directory() + "/docs/output.schema.json"));
    const nlohmann::json& definitions = schema["definitions"];
    const Results units = read(R"({"time_unit": "us"})");
    int times = 0;
    const auto check = [&](const auto& self, const nlohmann::json& object,
                           const std::string& prefix) -> void {
      for (const auto& [key, value] : object["properties"].items()) {
        const nlohmann::json& type = value.contains("anyOf") ? value["anyOf"][0] : value;
        const std::string target = type.value("$ref", "");
        const std::string definition = target.substr(target.rfind('/') + 1);
        if (definition == "time") {
          CAPTURE(prefix + key);
          CHECK(field_unit(units.rows[0], {.path = prefix + key}) == "us");
          ++times;
        } else if (!definition.empty() && definitions[definition].contains("properties")) {
          self(self, definitions[definition], prefix + key + ".");
        } else if (value.contains("properties")) {
          self(self, value, prefix + key + ".");
        }
      }
    };
    check(check, definitions["result"], "");
    CHECK(times > 15);
    for (const char* const ratio : {"bubble_fraction", "gap", "m", "variation.trials"}) {
      CHECK(field_unit(units.rows[0], {.path = ratio}) == "");
    }
  }

  TEST_CASE("times in other units are converted exactly") {
    const Plot plot =
        plotted(row(1, "1.5") + R"({"m": 2, "time_unit": "s", "t_total": 0.002000000001})" +
                    R"({"m": 3, "time_unit": "ps", "t_total": 1})",
                kTimeOverM);
    CHECK(title(plot.y) == "T_total (ms)");
    REQUIRE(plot.series.size() == 1);
    CHECK(plot.series[0].points[1].y.text() == "2.000000001");
    CHECK(plot.series[0].points[2].y.text() == "0.000000001");
  }

  TEST_CASE("bytes and microbatches do not share an axis") {
    const PlotOptions options = {.x = "m", .y = "memory.peak"};
    const std::string text = R"({"m": 1, "memory": {"unit": "bytes", "peak": [5]}})"
                             "\n"
                             R"({"m": 2, "memory": {"unit": "microbatches", "peak": [5]}})";
    CHECK(plot_fault(text, options) ==
          "r.jsonl:2: memory.peak is in microbatches, in the results before it in bytes; one unit "
          "in all results");
    const PlotOptions limit = {.x = "limit", .y = "m"};
    const Plot plot = plotted(R"({"m": 1, "memory": {"unit": "bytes"},
                                  "config": {"memory": {"limit": "2KiB"}}})",
                              limit);
    CHECK(title(plot.x) == "memory limit of a device (bytes)");
    CHECK(plot.series[0].points[0].x.text() == "2048");
    const auto limited = [](const std::string& size) {
      return R"({"m": 1, "p": )" + std::to_string(size.size()) +
             R"(, "memory": {"unit": "bytes"}, "config": {"memory": {"limit": ")" + size +
             "\"}}}\n";
    };
    const std::string limits = limited("80GiB") + limited("85899345921B");
    const Plot by_limit = plotted(limits, {.x = "p", .y = "m", .series = "memory.limit"});
    REQUIRE(by_limit.series.size() == 2);
    CHECK(by_limit.series[0].name == "memory.limit=80GiB");
    CHECK(by_limit.series[1].name == "memory.limit=85899345921B");
    const Plot cells =
        plotted(limits, {.kind = PlotKind::heatmap, .x = "memory.limit", .y = "p", .z = "m"});
    CHECK(gnuplot_script(cells).find("set xtics ('80GiB' 0, '85899345921B' 1)") !=
          std::string::npos);
  }

  TEST_CASE("a time without a unit and one with do not share an axis") {
    const std::string without = "{\"m\": 2, \"t_total\": 3}\n";
    CHECK(plot_fault(row(1, "2") + without, kTimeOverM) ==
          "r.jsonl:2: t_total is without a unit, in the results before it in ms; one unit in all "
          "results");
    CHECK(plot_fault(without + row(1, "2"), kTimeOverM) ==
          "r.jsonl:2: t_total is in ms, in the results before it without a unit; one unit in all "
          "results");
  }

  TEST_CASE("a plot is refused from the first mark, series and name on that is too many") {
    const auto fault = [](const Plot& plot, const PlotLimits& limits) {
      return fault_of([&] { require_within(plot, limits, "--svg"); });
    };
    const std::string rows = row(1, "1", ", \"s\": \"a\"") + row(2, "2", ", \"s\": \"b\"") +
                             row(3, "1", ", \"s\": \"b\"");
    const Plot lines = plotted(rows, {.x = "m", .y = "t_total", .series = "s"});
    CHECK(fault(lines, {.series = 2, .names = 0, .marks = 3}) == "none");
    CHECK(fault(lines, {.series = 1, .names = 0, .marks = 3}) ==
          "command line: --svg: 2 series; at most 1: fewer results, or --series with a field of "
          "fewer values");
    CHECK(fault(lines, {.series = 2, .names = 0, .marks = 2}) ==
          "command line: --svg: 3 points; at most 2: fewer results");
    const Plot named = plotted(rows, {.x = "s", .y = "m", .series = "m"});
    CHECK(fault(named, {.series = 3, .names = 2, .marks = 3}) == "none");
    CHECK(
        fault(named, {.series = 3, .names = 1, .marks = 3}) ==
        "command line: --svg: an axis of 2 values of s; at most 1: fewer results, or a field with "
        "fewer values");
    const Plot map = plotted(rows, {.kind = PlotKind::heatmap, .x = "m", .y = "s", .z = "t_total"});
    CHECK(fault(map, {.series = 0, .names = 3, .marks = 6}) == "none");
    CHECK(fault(map, {.series = 0, .names = 3, .marks = 5}) ==
          "command line: --svg: a heat map of 3 x 2 = 6 cells; at most 5: fewer results, or fields "
          "with fewer values");
    CHECK(
        fault(map, {.series = 0, .names = 2, .marks = 6}) ==
        "command line: --svg: an axis of 3 values of m; at most 2: fewer results, or a field with "
        "fewer values");
  }

  TEST_CASE("lines are sorted by x and by the value of their series") {
    const Plot plot = plotted(row(8, "2", ", \"p\": 16") + row(4, "3", ", \"p\": 2") +
                                  row(16, "1", ", \"p\": 2") + row(8, "5", ", \"p\": 2"),
                              {.x = "m", .y = "t_total", .series = "p"});
    REQUIRE(plot.series.size() == 2);
    CHECK(plot.series[0].name == "p=2");
    CHECK(plot.series[1].name == "p=16");
    CHECK(plot.series_label == "devices p");
    std::string xs;
    for (const PlotPoint& point : plot.series[0].points) xs += point.x.text() + " ";
    CHECK(xs == "4 8 16 ");
  }

  TEST_CASE("two values at one place are a fault, the same value twice is a note") {
    CHECK(plot_fault(row(8, "2") + row(4, "1") + row(8, "3"), kTimeOverM) ==
          "r.jsonl:3: t_total is 3 at m=8, and 2 in line 1 of r.jsonl; one result for each x of a "
          "series: --series with a field that tells them apart");
    const Plot plot = plotted(row(8, "2") + row(8, "2.0"), kTimeOverM);
    CHECK(plot.notes ==
          std::vector<std::string>{"1 result at the place and with the value of another"});
    CHECK(plot.series[0].points.size() == 1);
  }

  TEST_CASE("a value that cannot be drawn is a fault that names line and value") {
    PlotOptions options = kTimeOverM;
    options.is_log_y = true;
    CHECK(plot_fault(row(1, "2") + row(2, "0"), options) ==
          "r.jsonl:2: t_total is 0 on a logarithmic axis; more than 0");
    CHECK(plot_fault(row(1, "2") + row(2, "-1.5"), options) ==
          "r.jsonl:2: t_total is -1.5 on a logarithmic axis; more than 0");
    CHECK(plot_fault(row(1, "2") + row(2, "\"soon\""), kTimeOverM) ==
          "r.jsonl:2: t_total is no number: soon; a number in every result");
    CHECK(plot_fault(row(1, "2") + row(2, "null"), kTimeOverM) ==
          "r.jsonl:2: t_total is null; a value in every result");
    CHECK(plot_fault(row(1, "2") + "{\"m\": 3}", kTimeOverM) ==
          "r.jsonl:2: t_total is not in this result; a value in every result");
    CHECK(plot_fault(row(1, "1e400"), kTimeOverM) ==
          "r.jsonl:1: t_total is out of range; 1e-300 to 1e300");
    options = {.x = "name", .y = "m", .is_log_x = true};
    CHECK(plot_fault("{\"m\": 1, \"name\": \"gpipe\"}", options) ==
          "r.jsonl:1: name is no number: gpipe; a number in every result");
  }

  TEST_CASE("a logarithmic axis has round tics among its values") {
    const auto tics = [](const std::string& least, const std::string& most) {
      PlotOptions options = kTimeOverM;
      options.is_log_y = true;
      std::string text;
      for (const ExactDecimal& tic : plotted(row(1, least) + row(2, most), options).y.tics) {
        text += tic.text() + " ";
      }
      return text;
    };
    CHECK(tics("1", "1000") == "1 10 100 1000 ");
    CHECK(tics("0.9", "5e9") ==
          "1 10 100 1000 10000 100000 1000000 10000000 100000000 1000000000 ");
    CHECK(tics("0.015", "0.79") == "0.02 0.05 0.1 0.2 0.5 ");
    CHECK(tics("25", "61") == "30 40 50 60 ");
    CHECK(tics("61", "78") == "61 78 ");
    CHECK(tics("7.5", "7.5") == "7.5 ");
    CHECK(tics("1e-40", "1").size() < 80);
  }

  TEST_CASE("texts stand in the order of the rows, numbers of a heat map in theirs") {
    const Plot lines =
        plotted("{\"s\": \"b\", \"m\": 1} {\"s\": \"a\", \"m\": 2}", {.x = "s", .y = "m"});
    CHECK(lines.x.categories == std::vector<std::string>{"b", "a"});
    CHECK(lines.series[0].points[1].x.text() == "1");
    const PlotOptions options = {.kind = PlotKind::heatmap, .x = "m", .y = "s", .z = "t_total"};
    const Plot map =
        plotted(row(16, "1", ", \"s\": 1") + row(2, "2", ", \"s\": 1") + row(16, "3", ", \"s\": 0"),
                options);
    CHECK(map.x.categories == std::vector<std::string>{"2", "16"});
    CHECK(map.y.categories == std::vector<std::string>{"0", "1"});
    REQUIRE(map.cells.size() == 3);
    CHECK(map.cells[0].x == 1);
    CHECK(map.cells[0].y == 0);
    CHECK(map.cells[0].z.text() == "3");
    CHECK(map.notes == std::vector<std::string>{"no result for 1 of 4 cells"});
    CHECK(plot_fault(row(16, "1", ", \"s\": 1") + row(16, "2", ", \"s\": 1"), options) ==
          "r.jsonl:2: t_total is 2 at m=16, s=1, and 1 in line 1 of r.jsonl; one result for each "
          "cell");
  }

  TEST_CASE("the Pareto front is that of the definition") {
    std::mt19937 random(20240711);
    for (int trial = 0; trial < 400; ++trial) {
      const auto size = static_cast<std::size_t>(random() % 12);
      std::vector<PlotPoint> points;
      for (std::size_t i = 0; i < size; ++i) {
        points.push_back({.x = ExactDecimal(static_cast<int>(random() % 6)),
                          .y = ExactDecimal(static_cast<int>(random() % 6))});
      }
      for (const Better x : {Better::lower, Better::higher}) {
        for (const Better y : {Better::lower, Better::higher}) {
          CHECK(pareto_front(points, x, y) == front_by_pairs(points, x, y));
        }
      }
    }
    // The 17th digit decides.
    const std::vector<PlotPoint> close = {{.x = number("9007199254740993"), .y = number("1")},
                                          {.x = number("9007199254740992"), .y = number("1")}};
    CHECK(pareto_front(close, Better::lower, Better::lower) == std::vector<bool>{false, true});
  }

  TEST_CASE("the line of the front parts what is reached from what is not") {
    const PlotOptions options = {
        .kind = PlotKind::pareto, .x = "m", .y = "tokens_per_second", .series = "s"};
    const auto point = [](int m, int rate, const char* series) {
      return fmt::format(R"({{"m": {}, "s": "{}", "model": {{"tokens_per_second": {}}}}})", m,
                         series, rate);
    };
    const Plot plot = plotted(point(1, 10, "a") + point(3, 30, "b") + point(2, 5, "c"), options);
    std::string corners;
    for (const PlotPoint& corner : plot.front) {
      corners += fmt::format("({}, {})", corner.x.text(), corner.y.text());
    }
    // More tokens are better: from m=1 on 10 are reached, from m=3 on 30.
    CHECK(corners == "(1, 10)(3, 10)(3, 30)");
    CHECK(plot.front_label == "Pareto front: lower microbatches m, higher tokens/s");
    // Times of seconds in ms are no powers of ten.
    CHECK(gnuplot_script(plot).find("set format y '%.6g'") != std::string::npos);
    CHECK(plot.series[1].points[0].is_on_front);
    CHECK_FALSE(plot.series[2].points[0].is_on_front);
  }

  TEST_CASE("texts of results cannot leave their place in a script or a page") {
    const Plot plot = plotted(R"({"m": 1, "s": "it's </script> 100% & \n`rm` \\ \"q\"", "t": 1})",
                              {.x = "s", .y = "m", .series = "s"});
    const std::string script = gnuplot_script(plot);
    CHECK(script.find(R"('it''s </script> 100%% & \x0a`rm` \ "q"')") != std::string::npos);
    CHECK(script.find(R"(title 'it''s </script> 100% & \x0a`rm` \ "q"')") != std::string::npos);
    const std::string page = plot_html(plot);
    CHECK(page.find("it's </script>") == std::string::npos);
    CHECK(page.find("it's \\u003c/script>") != std::string::npos);
    CHECK(xml_text("a<b & \"c\"\x01") == "a&lt;b &amp; &quot;c&quot;\\x01");
  }
}
