#include "sim/io/sweep.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/sweep_record.hpp"
#include "tools/sweep_points.hpp"

using namespace pipesim;

namespace {

const std::string kConfig = R"({
  "p": 4, "m": 8, "t_f": 2, "t_b": 4, "schedule": "1f1b",
  "sweep": {"vary": {"m": "4:8:x2", "p": [2, 4]}, "where": "m >= p"}
})";
const std::string kPlain = R"({"p": 4, "m": 8, "t_f": 2, "t_b": 4, "schedule": "1f1b"})";

Sweep sweep_of(const std::string& config, const SweepOptions& options,
               const std::vector<Override>& overrides = {}) {
  return Sweep(ConfigText{.name = "run.json", .text = config}, overrides, options);
}

/// "m=4 p=2" of every point that the sweep has.
std::vector<std::string> points(const Sweep& sweep) {
  std::vector<std::string> result;
  for (std::int64_t point = 0; point < sweep.size(); ++point) {
    const std::vector<SweepValue> values = sweep.values(point);
    if (!sweep.has(values)) continue;
    std::string text;
    for (const SweepValue& value : values) {
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", value.axis->path, value.plain());
    }
    result.push_back(text);
  }
  return result;
}

std::string refused(const std::string& config, const SweepOptions& options,
                    const std::vector<Override>& overrides = {}) {
  try {
    sweep_of(config, options, overrides);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

SweepOptions vary(const std::vector<std::string>& axes, const std::string& where = "") {
  SweepOptions options;
  for (const std::string& axis : axes) options.axes.push_back({.text = axis});
  if (!where.empty()) options.conditions.push_back(where);
  return options;
}

/// The line with a bit of it turned, for every bit of which the writer takes it for the point's.
std::vector<std::string> taken_though_damaged(const SweepWriter& writer, const PointResult& result,
                                              const std::string& line) {
  std::vector<std::string> taken;
  for (std::size_t bit = 0; bit < 8 * line.size(); ++bit) {
    std::string damaged = line;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const bool is_next = SweepWriter::point_of(damaged) == result.point;
    if (is_next && writer.may_be_of(result.point, result.values, damaged)) taken.push_back(damaged);
  }
  return taken;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a sweep counts like the digits of a number, the last axis fastest") {
    CHECK(points(sweep_of(kPlain, vary({"m=4,8", "schedule=gpipe,1f1b"}))) ==
          Texts{"m=4 schedule=gpipe", "m=4 schedule=1f1b", "m=8 schedule=gpipe",
                "m=8 schedule=1f1b"});
  }

  TEST_CASE("axes that are zipped advance together, at the place of the first") {
    SweepOptions options = vary({"t_b=1,2"});
    options.axes.insert(options.axes.begin(), {.text = "m=4,8", .is_zipped = true});
    options.axes.push_back({.text = "p=2,4", .is_zipped = true});
    CHECK(points(sweep_of(kPlain, options)) ==
          Texts{"m=4 t_b=1 p=2", "m=4 t_b=2 p=2", "m=8 t_b=1 p=4", "m=8 t_b=2 p=4"});
  }

  TEST_CASE("the config's section, alone and with options") {
    CHECK(points(sweep_of(kConfig, {})) == Texts{"m=4 p=2", "m=4 p=4", "m=8 p=2", "m=8 p=4"});
    CHECK(points(sweep_of(kConfig, vary({"m=2:4:x2"}))) == Texts{"m=2 p=2", "m=4 p=2", "m=4 p=4"});
    CHECK(points(sweep_of(kConfig, vary({"t_f=1"}, "p == 2"))) ==
          Texts{"m=4 p=2 t_f=1", "m=8 p=2 t_f=1"});
  }

  TEST_CASE("a condition sees what varies and what the config says") {
    CHECK(points(sweep_of(kPlain, vary({"m=2,4,6"}, "m % p == 0 && schedule == \"1f1b\""))) ==
          Texts{"m=4"});
    CHECK(points(sweep_of(kPlain, vary({"schedule=\"gpipe\",1f1b"}, "schedule != \"gpipe\""))) ==
          Texts{"schedule=1f1b"});
  }

  TEST_CASE("a point is the config with its values, whatever point was read before") {
    const std::vector<ScheduleSignature> schedules = signatures(builtin_schedules());
    const Sweep sweep = sweep_of(kPlain, vary({"schedule.v=2,3", "schedule=interleaved_1f1b",
                                               "p2p.latency=0,\"1us\"", "t_f=[1,2,3,4],2"}));
    SweepPointReader reader(sweep, schedules);
    for (int round = 0; round < 100; ++round) {
      for (std::int64_t point = 0; point < sweep.size(); ++point) {
        const std::vector<SweepValue> values = sweep.values(point);
        const std::vector<Override> overrides = {
            {.option = "", .path = "schedule", .value = values[1].text},
            {.option = "", .path = "schedule.v", .value = values[0].text},
            {.option = "", .path = "p2p.latency", .value = values[2].text},
            {.option = "", .path = "t_f", .value = values[3].text}};
        const ConfigText text = {.name = "run.json", .text = kPlain};
        CHECK(reader.read(values).config == read_config(text, overrides, schedules).config);
      }
    }
  }

  TEST_CASE("a value within another is set anew when that changes") {
    const std::vector<ScheduleSignature> schedules = signatures(builtin_schedules());
    const Sweep sweep =
        sweep_of(kPlain, vary({"schedule.v=3", "schedule=interleaved_1f1b,looped_bfs"}));
    SweepPointReader reader(sweep, schedules);
    for (std::int64_t point = 0; point < sweep.size(); ++point) {
      CHECK(std::get<std::int64_t>(reader.read(sweep.values(point)).config.parameters.at("v")) ==
            3);
    }
  }

  TEST_CASE("a value that cannot be put into the config is a fault of every point that has it") {
    const std::vector<ScheduleSignature> schedules = signatures(builtin_schedules());
    const Sweep sweep = sweep_of(R"({"p": 2, "m": 8, "t_f": [1, 2], "t_b": 4, "schedule": "1f1b"})",
                                 vary({"t_f.2=5", "m=4,8"}));
    SweepPointReader reader(sweep, schedules);
    for (std::int64_t point = 0; point < sweep.size(); ++point) {
      CHECK_THROWS_WITH_AS(reader.read(sweep.values(point)),
                           "command line: --vary t_f.2: /t_f/2: no such element; 0 to 1", Error);
    }
  }

  TEST_CASE("equal sweeps have equal definitions, different ones different ones") {
    const std::string definition = sweep_of(kConfig, {}).definition();
    const std::string spaced = R"({ "p":4,"m":8,"t_f":2,"t_b":4,"schedule":{"name":"1f1b"},)"
                               R"("sweep":{"vary":{"m":"4:8:x2","p":[2,4]},"where":"m >= p"}})";
    CHECK(sweep_of(spaced, {}).definition() == definition);
    CHECK(sweep_of(kPlain, vary({"m=4:8:x2", "p=[2, 4]"}, "m >= p")).definition() != definition);
    for (const SweepOptions& options : {vary({"m=4"}), vary({"t_b=3"}), vary({}, "m > 1")}) {
      CHECK(sweep_of(kConfig, options).definition() != definition);
    }
    CHECK(sweep_of(kPlain, vary({"m=4", "p=2"})).definition() !=
          sweep_of(kPlain, vary({"p=2", "m=4"})).definition());
  }

  TEST_CASE("what is refused, and why") {
    CHECK(refused(kPlain, {}) ==
          "command line: nothing varies; --vary PATH=VALUES, such as --vary m=4:256:x2, or a "
          "section \"sweep\" in the config");
    CHECK(refused(kPlain, vary({"m", "=4", "p=4:2"})) ==
          "command line: --vary: \"m\" is not PATH=VALUES; PATH=VALUES, such as m=4:256:x2\n"
          "command line: --vary: \"=4\" is not PATH=VALUES; PATH=VALUES, such as m=4:256:x2\n"
          "command line: --vary p: the range \"4:2\" is empty: its step leads away from 2; a step "
          "that leads from the first number to the last");
    CHECK(refused(kPlain, vary({"m=4", "m=8"})) ==
          "command line: --vary m: m varies twice; each path once");
    CHECK(refused(kPlain, vary({"output.format=csv"})) ==
          "command line: --vary output.format: the path \"output.format\" is not simulated; a key "
          "of the run, such as m or memory.limit");
    CHECK(
        refused(kPlain, vary({"p2p..latency=1"})) ==
        "command line: --vary p2p..latency: the path \"p2p..latency\" has an empty name; a key of "
        "the run, such as m or memory.limit");
    CHECK(refused(kPlain, vary({"m=4"}), {{.option = "-m", .path = "m", .value = "8"}}) ==
          "command line: -m: m varies, so that no point has this value; one of the two");
    SweepOptions zipped;
    zipped.axes = {{.text = "m=4,8", .is_zipped = true}, {.text = "p=2", .is_zipped = true}};
    CHECK(refused(kPlain, zipped) ==
          "command line: --zip p: p has 1 values beside 2 of m; as many values for each path that "
          "is zipped");
    CHECK(refused(kPlain, vary({"m=0:999999999999999999", "p=0:9"})) ==
          "command line: the grid has 2^63 points or more; fewer points");
    CHECK(refused(kPlain, vary({"m=4"}, "n > 2")) ==
          "command line: --where: n has no value: it does not vary and the config has none; a path "
          "that varies, or a number or text of the config");
    CHECK(refused(kPlain, vary({"memory.limit=4"}, "memory.limt > 2"))
              .ends_with("(did you mean \"memory.limit\"?)"));
  }

  TEST_CASE("a condition has no value of what varies with another path, or within it") {
    CHECK(refused(kPlain, vary({"schedule=gpipe,1f1b"}, "schedule.name == \"gpipe\"")) ==
          "command line: --where: schedule.name has no value of its own: schedule varies; the path "
          "that varies");
    CHECK(
        refused(kPlain, vary({"memory.limit=4"}, "memory > 3")) ==
        "command line: --where: memory has no value of its own: memory.limit varies; the path that "
        "varies");
    CHECK(points(sweep_of(kPlain, vary({R"(schedule={"name":"kfkb","k":2},gpipe)", "m=4"},
                                       "schedule == \"kfkb\""))) ==
          Texts{R"(schedule={"name": "kfkb", "k": 2} m=4)"});
  }

  TEST_CASE("what an option sets and what varies around it contradict each other") {
    CHECK(
        refused(kPlain, vary({"schedule=gpipe,1f1b"}),
                {{.option = "--set schedule.k", .path = "schedule.k", .value = "2"}}) ==
        "command line: --set schedule.k: schedule varies, so that no point has this value; one of "
        "the two");
  }

  TEST_CASE("the files that points read") {
    CHECK(sweep_of(R"({"costs": "a.csv", "schedule": {"name": "custom", "file": "b.csv"}})",
                   vary({"m=4"}))
              .input_files() == Texts{"a.csv", "b.csv"});
    CHECK(
        sweep_of(kPlain, vary({"costs=b.csv,a.csv,b.csv", "schedule.file=c.csv"})).input_files() ==
        Texts{"a.csv", "b.csv", "c.csv"});
    CHECK(sweep_of(kPlain, vary({R"(schedule={"name":"custom","file":"d.csv"},1f1b)"}))
              .input_files() == Texts{"d.csv"});
    CHECK(sweep_of(kPlain, vary({"m=4"})).input_files().empty());
  }

  TEST_CASE("faults of the section have their places, all at once") {
    CHECK(refused(R"({
  "sweep": {"vary": {"m": 4, "p": "4:2", "output.file": "a"}, "zp": 1, "where": 3}
})",
                  {}) ==
          "run.json:2:27: /sweep/vary/m: 4 is a number; an array of values, or a text such as "
          "\"4:256:x2\" or \"gpipe,1f1b\"\n"
          "run.json:2:35: /sweep/vary/p: the range \"4:2\" is empty: its step leads away from 2; a "
          "step that leads from the first number to the last\n"
          "run.json:2:57: /sweep/vary/output.file: the path \"output.file\" is not simulated; a "
          "key of the run, such as m or memory.limit\n"
          "run.json:2:63: /sweep/zp: unknown key; known keys: vary, zip, where (did you mean "
          "\"zip\"?)\n"
          "run.json:2:81: /sweep/where: 3 is a number; a condition such as \"m >= p\"");
    CHECK(refused(R"({"sweep": {"where": "m >", "vary": {"m": [1]}}})", {}) ==
          "run.json:1:21: /sweep/where: the condition \"m >\" ends where a value should stand; "
          "such as m >= p && "
          "m % p == 0, or schedule != \"gpipe\"");
    CHECK(refused(R"({"sweep": 4})", {}) ==
          "run.json:1:11: /sweep: 4 is a number; an object with the keys: vary, zip, where");
    CHECK(refused(R"({"sweep": {"vary": {"m": [1]}, "zip": {"m": [1]}}})", {}) ==
          "run.json:1:45: /sweep/zip/m: m varies twice; one of the two");
    CHECK(refused(R"({"sweep": {"vary": {"m": []}}})", {}) ==
          "run.json:1:26: /sweep/vary/m: no values; at least one");
  }

  TEST_CASE("sweep: of a damaged line nothing but a value of the results is taken") {
    using nlohmann::json;
    // One that runs, one over its limit and one that is invalid.
    const Sweep sweep =
        sweep_of(kPlain, vary({"memory.limit=8,1", "schedule=1f1b,a\tb", "t_w=\"1,5\",1"}));
    for (const SweepFormat format : {SweepFormat::jsonl, SweepFormat::csv}) {
      const SweepWriter writer(sweep, format);
      for (std::int64_t point = 0; point < sweep.size(); ++point) {
        const PointResult result =
            run_one_point(sweep, builtin_schedules(), point, std::int64_t{1} << 20);
        std::string line = writer.line(result.record());
        line.pop_back();
        CAPTURE(line);
        CHECK(SweepWriter::point_of(line) == point);
        CHECK(writer.may_be_of(point, result.values, line));
        CHECK_FALSE(writer.may_be_of(point, sweep.values((point + 1) % sweep.size()), line));
        for (const std::string& taken : taken_though_damaged(writer, result, line)) {
          CAPTURE(taken);
          if (format == SweepFormat::jsonl) {
            const json before = json::parse(line);
            const json after = json::parse(taken);
            CHECK(before.size() == after.size());
            for (const auto& [key, value] : before.items()) {
              const bool may_differ = key != "point" && key != "status" && key != "vary" &&
                                      key != "config" && key != "config_hash";
              CHECK((may_differ ? after.contains(key) : after.value(key, json()) == value));
            }
          } else {
            const auto before = quoted_csv_fields(line);
            const auto after = quoted_csv_fields(taken);
            REQUIRE(after);
            CHECK(before->size() == after->size());
            CHECK(std::equal(before->begin(), before->begin() + 6, after->begin()));
          }
        }
      }
    }
  }
}
