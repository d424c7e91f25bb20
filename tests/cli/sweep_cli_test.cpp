// pipesim sweep as a user meets it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "tests/cli/process.hpp"
#include "tests/cli/sweeps.hpp"
#include "tests/places.hpp"

using namespace pipesim::test;
using nlohmann::json;

namespace {

class ResultsSchema {
 public:
  ResultsSchema() {
    const json document = json::parse(read_file(source_directory() + "/docs/results.schema.json"));
    valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(document),
                                            schema_);
  }

  bool accepts(const json& line) const {
    return valijson::Validator().validate(schema_, valijson::adapters::NlohmannJsonAdapter(line),
                                          nullptr);
  }

 private:
  valijson::Schema schema_;
};

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("sweep: every line is what a run of its config says") {
    const ResultsSchema schema;
    const Outcome outcome = run_pipesim(kSweep + "--set memory.limit=3");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.err.empty());
    const std::vector<std::string> lines = lines_of(outcome.out);
    REQUIRE(lines.size() == 18);
    int over_limit = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CAPTURE(lines[i]);
      const json line = json::parse(lines[i]);
      CHECK(schema.accepts(line));
      CHECK(line["point"] == i);
      CHECK(line["vary"]["m"] == line["m"]);
      json config = line["config"];
      config.erase("memory");
      const TemporaryDirectory directory;
      const json run = json::parse(run_pipesim("--format json --metrics-only --config " +
                                               directory.file("run.json", config.dump()))
                                       .out);
      for (const char* const key : {"t_total", "bubble_ratio", "gap", "time_per_microbatch"}) {
        CHECK(line[key] == run[key]);
      }
      const json& peaks = run["memory"]["peak"];
      CHECK(line["peak_memory"] == *std::max_element(peaks.begin(), peaks.end()));
      CHECK(line["sent"] == run["sent"]["amount"]);
      CHECK(line["status"] == (line["peak_memory"] > 3 ? "over_limit" : "ok"));
      over_limit += line["status"] == "over_limit" ? 1 : 0;
    }
    CHECK(over_limit > 0);
  }

  TEST_CASE("sweep: the schema tells results from others") {
    const ResultsSchema schema;
    json line = json::parse(lines_of(run_pipesim(kSweep).out).front());
    CHECK(schema.accepts(line));
    for (const char* const key : {"t_total", "point", "vary", "config_hash"}) {
      json without = line;
      without.erase(key);
      CHECK_FALSE(schema.accepts(without));
    }
    line["status"] = "invalid";
    CHECK_FALSE(schema.accepts(line));
  }

  TEST_CASE("sweep: csv has the same values, and a point that is invalid its reason") {
    const std::string arguments = kSweep + "--vary t_w=1,[2,2] ";
    const std::vector<std::string> jsonl = lines_of(run_pipesim(arguments).out);
    const std::vector<std::string> csv = lines_of(run_pipesim(arguments + "--format csv").out);
    REQUIRE(csv.size() == jsonl.size() + 1);
    CHECK(csv[0] ==
          "schema_version,point,status,vary.schedule,vary.m,vary.t_w,schedule,p,m,time_unit,"
          "t_total,t_ideal,t_ideal_mean,bubble_ratio,bubble_overhead,bubble_fraction,"
          "span_bubble_rate,lower_bound,gap,peak_activations,time_per_microbatch,peak_memory,"
          "memory_unit,sent,sent_unit,config_hash,reason");
    CHECK(
        csv[1].starts_with("1,0,ok,gpipe,2,1,gpipe,4,2,ms,30,12,12,2.5,1.5,0.6,0.6,30,0,2,15,2,"
                           "microbatches,12,messages,"));
    CHECK(csv[2] ==
          "1,1,invalid,gpipe,2,\"[2, 2]\",,,,,,,,,,,,,,,,,,,,,\"/t_w: array of 2; an "
          "array of p = 4 values, or one value for all\"");
    CHECK(json::parse(jsonl[1]) ==
          json::parse(R"({"schema_version": 1, "point": 1, "status": "invalid",
            "vary": {"schedule": "gpipe", "m": 2, "t_w": [2, 2]},
            "reason": "/t_w: array of 2; an array of p = 4 values, or one value for all",
            "pipesim_version": "0.1.0"})"));
    for (std::size_t i = 0; i < jsonl.size(); ++i) {
      const json line = json::parse(jsonl[i]);
      if (line["status"] != "ok") continue;
      CHECK(csv[i + 1].find("," + line["config_hash"].get<std::string>() + ",") !=
            std::string::npos);
      CHECK(csv[i + 1].find("," + line["t_total"].dump() + ",") != std::string::npos);
    }
    const std::string without = run_pipesim(arguments + "--format csv --no-header").out;
    CHECK(without.starts_with("1,0,ok,gpipe,2,1,"));
  }

  TEST_CASE("sweep: models and trials have fields of their own") {
    const ResultsSchema schema;
    const Outcome model =
        run_pipesim("sweep --config configs/gpt3-175b.json --vary m=16,32 --jobs 2");
    CAPTURE(model.err);
    for (const std::string& text : lines_of(model.out)) {
      const json line = json::parse(text);
      CHECK(schema.accepts(line));
      CHECK(line["tokens_per_second"] > 0);
      CHECK(line["model_flops_utilisation"] < 1);
    }
    const std::string jitter =
        "--set variation.trials=20 --set 'variation.jitter={\"kind\":\"lognormal\",\"cv\":0.2}' ";
    const json run = json::parse(
        run_pipesim("--config configs/hw5_2.json --format json --metrics-only " + jitter).out);
    const std::vector<std::string> lines =
        lines_of(run_pipesim("sweep --config configs/hw5_2.json " + jitter + "--vary t_b=4").out);
    REQUIRE(lines.size() == 1);
    const json line = json::parse(lines[0]);
    CHECK(schema.accepts(line));
    for (const char* const key : {"mean", "median", "p5", "p95", "p99", "min", "max"}) {
      CHECK(line[std::string("trials_") + key] == run["variation"][key]);
    }
  }

  TEST_CASE("sweep: the same bytes for any number of jobs") {
    for (const std::string format : {"json", "csv"}) {
      const std::string one =
          run_pipesim(fmt::format("{} --jobs 1 --format {}", kSweep, format)).out;
      CHECK(one.size() > 1000);
      for (const int jobs : {2, 7}) {
        CHECK(run_pipesim(fmt::format("{} --jobs {} --format {}", kSweep, jobs, format)).out ==
              one);
      }
    }
  }

  TEST_CASE("sweep: --strict ends at the first point that is invalid") {
    const std::string arguments = kSweep + "--vary t_w=1,[2,2] --strict ";
    for (const int jobs : {1, 3}) {
      const TemporaryDirectory directory;
      const Outcome outcome =
          run_pipesim_in(directory, fmt::format("{} --jobs {} --out r.jsonl", arguments, jobs));
      CHECK(outcome.exit_code == 2);
      CHECK(
          outcome.err ==
          "point 1 (schedule=gpipe, m=2, t_w=[2, 2]): /t_w: array of 2; an array of p = 4 values, "
          "or one value for all\n");
      CHECK(lines_of(read_file(directory.path("r.jsonl.part"))).size() == 1);
    }
  }

  TEST_CASE("sweep: a point that is invalid at once leaves nothing behind") {
    const TemporaryDirectory directory;
    for (const std::string name : {"r.jsonl", "r.csv"}) {
      CHECK(run_pipesim_in(directory,
                           "sweep -p 4 --t-f 2 --t-b 4 --schedule 1f1b --vary m=0,8 "
                           "--strict --out " +
                               name)
                .exit_code == 2);
      CHECK(directory.entries() == 0);
    }
  }

  TEST_CASE("sweep: where a condition has no answer the point is invalid") {
    const std::vector<std::string> lines =
        lines_of(run_pipesim(kSweep + "--where '12 % (m - 6) >= 0 && schedule == \"1f1b\"'").out);
    REQUIRE(lines.size() == 6 + 2);  // m=6 of the other two schedules as well
    CHECK(json::parse(lines[0])["reason"] ==
          "the condition \"12 % (m - 6) >= 0 && schedule == \"1f1b\"\" divides by 0; a divisor "
          "other than 0");
  }

  TEST_CASE("sweep: outputs are read whether or not any point is valid") {
    const std::string none = "sweep -p 4 --t-f 2 --t-b 4 --vary schedule=foo,bar --vary m=4 ";
    CHECK(run_pipesim(none + "--format csv --no-header").out.starts_with("1,0,invalid,foo,4,"));
    CHECK(run_pipesim(none + "--trace t.json").err ==
          "output:1:79: /output/trace: a sweep writes no trace; a run\n");
    const Outcome empty = run_pipesim(kSweep + "--where 'schedule == \"typo\"' --format csv");
    CHECK(lines_of(empty.out).size() == 1);
    CHECK(empty.err == "pipesim: note: no point is left of the 18 of the grid\n");
    for (const char* const option : {"--out ''", "--shard ''"}) {
      const Outcome outcome = run_pipesim(kSweep + option);
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.err.find("no value") != std::string::npos);
    }
  }

  TEST_CASE("sweep: faults that every point has are the config's") {
    const auto refused = [](const std::string& arguments) {
      const Outcome outcome = run_pipesim(arguments);
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out.empty());
      return outcome.err;
    };
    CHECK(refused("sweep -p 4 --t-f 2 --schedule 1f1b --vary m=4,8") ==
          "command line: /t_b: missing; required: a time such as 4 or \"4ms\"\n");
    CHECK(refused(kSweep + "--vary t_ww=1,2")
              .starts_with("command line: --vary t_ww: /t_ww: unknown key; known keys: "
                           "schema_version, p, m, "));
    CHECK(refused(kSweep + "--trace t.json") ==
          "command line: --trace: /output/trace: a sweep writes no trace; a run\n");
    CHECK(refused(kSweep + "--output r.jsonl") ==
          "command line: --output: /output/file: a sweep writes to --out; --out FILE\n");
    CHECK(refused(kSweep + "--format table") ==
          "command line: --format: a sweep has no table; json, a line a point, or csv\n");
    CHECK(refused(kSweep + "--out r.txt") ==
          "command line: --out: \"r.txt\" says no format; a name that ends in .jsonl or .csv\n");
    CHECK(refused(kSweep + "--out r.jsonl --format csv") ==
          "command line: --out: \"r.jsonl\" beside the format csv; a name of that format, or no "
          "format\n");
    CHECK(refused(kSweep + "--out /dev/null.jsonl/r.jsonl") ==
          "command line: --out: cannot write \"/dev/null.jsonl/r.jsonl.part\": No such file or "
          "directory\n");
    CHECK(refused(kSweep + "--no-header") ==
          "command line: --no-header: only csv on standard output can go without its header; "
          "--format csv without --out\n");
    CHECK(refused(kSweep + "--overwrite") ==
          "command line: --overwrite: there is no file to overwrite; with --out FILE\n");
    for (const char* const shard : {"3/3", "-1/3", "1", "1/", "/3", "1/3x", "0/0", "0/1000001"}) {
      CHECK(refused(kSweep + "--shard " + shard) ==
            fmt::format("command line: --shard: \"{}\" is no shard; I/N with I from 0 to N-1, such "
                        "as 0/8, and N up to 1000000\n",
                        shard));
    }
    CHECK(refused(kSweep + "--where 'm % (p - 4) == 0'") ==
          "command line: --where: the condition \"m % (p - 4) == 0\" divides by 0; a divisor other "
          "than 0\n");
  }

  TEST_CASE("a single run says that it does not vary anything") {
    const TemporaryDirectory directory;
    const std::string file = directory.file(
        "run.json",
        R"({"p":4,"m":8,"t_f":2,"t_b":4,"schedule":"1f1b","sweep":{"vary":{"m":[4]}}})");
    CHECK(run_pipesim("--config " + file).err ==
          "pipesim: note: sweep has no effect: only pipesim sweep and pipesim best vary "
          "anything\n");
    CHECK(lines_of(run_pipesim("sweep --config " + file).out).size() == 1);
  }
}
