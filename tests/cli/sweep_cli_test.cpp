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
#include "tests/cli/text_lines.hpp"

using namespace pipesim::test;
using nlohmann::json;

namespace {

const std::string kSweep =
    "sweep -p 4 --t-f 2 --t-b 4 --vary schedule=gpipe,1f1b,interleaved_1f1b --vary m=2:12:2 ";

class ResultsSchema {
 public:
  ResultsSchema() {
    const json document = json::parse(read_file(PIPESIM_SOURCE_DIR "/docs/results.schema.json"));
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
          "1,1,invalid,gpipe,2,\"[2,2]\",,,,,,,,,,,,,,,,,,,,,\"/t_w: array of 2; an "
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
      const std::string one = run_pipesim(kSweep + "--jobs 1 --format " + format).out;
      CHECK(one.size() > 1000);
      for (const int jobs : {2, 7}) {
        CHECK(run_pipesim(fmt::format("{} --jobs {} --format {}", kSweep, jobs, format)).out ==
              one);
      }
    }
  }

  TEST_CASE("sweep: a file is found done, and refused for another sweep") {
    const TemporaryDirectory directory;
    const std::string out = kSweep + "--out r.jsonl ";
    const Outcome first = run_pipesim_in(directory, out);
    CHECK(first.exit_code == 0);
    CHECK(first.out.empty());
    CHECK(first.err == "pipesim: note: r.jsonl: 18 points: 18 simulated now, 0 found done\n");
    CHECK(directory.entries() == 2);  // with what it holds
    const std::string written = read_file(directory.path("r.jsonl"));
    CHECK(written == run_pipesim(kSweep).out);
    CHECK(run_pipesim_in(directory, out).err ==
          "pipesim: note: r.jsonl: 18 points: 0 simulated now, 18 found done\n");

    const Outcome changed = run_pipesim_in(directory, out + "--vary t_w=1 --set memory.limit=3");
    CHECK(changed.exit_code == 2);
    CHECK(changed.err ==
          "r.jsonl: /config/memory: nothing there, {\"limit\": 3} now\n"
          "r.jsonl: /vary/t_w: nothing there, \"1\" now\n"
          "r.jsonl: /order: [\"schedule\", \"m\"] there, [\"schedule\", \"m\", \"t_w\"] now\n"
          "command line: --out: \"r.jsonl\" holds another sweep; the same sweep, another --out, or "
          "--overwrite\n");
    CHECK(read_file(directory.path("r.jsonl")) == written);
    CHECK(directory.entries() == 2);
    CHECK(run_pipesim_in(directory, out + "--vary t_w=1 --overwrite").exit_code == 0);
    CHECK(read_file(directory.path("r.jsonl")) != written);
    CHECK(directory.entries() == 2);
  }

  TEST_CASE("sweep: wherever it was ended, it goes on to the same bytes") {
    const TemporaryDirectory directory;
    const auto path = [&](const char* name) { return directory.path(name); };
    const std::string out = kSweep + "--out r.csv ";
    REQUIRE(run_pipesim_in(directory, out).exit_code == 0);
    const std::string whole = read_file(path("r.csv"));
    const std::string description = read_file(path("r.csv.sweep"));
    const std::string partial = description.substr(0, description.find(", \"points\"")) + "}\n";
    const std::size_t header = whole.find('\n') + 1;
    const std::size_t second = whole.find('\n', header) + 1;
    // Nothing, part of the header, the header, part of a line, one line, all of them.
    for (const std::size_t size :
         {std::size_t{0}, header / 2, header, second - 1, second, whole.size() - 1, whole.size()}) {
      CAPTURE(size);
      REQUIRE(shell("cd " + path("") + " && rm -f r.csv*").exit_code == 0);
      write_file(path("r.csv.part"), whole.substr(0, size));
      write_file(path("r.csv.part.sweep"), partial);
      const Outcome again = run_pipesim_in(directory, out);
      CHECK(again.exit_code == 0);
      CHECK(read_file(path("r.csv")) == whole);
      CHECK(read_file(path("r.csv.sweep")) == description);
      CHECK(directory.entries() == 2);
      const auto kept = whole.substr(0, size);
      const auto ends = std::count(kept.begin(), kept.end(), '\n');
      const auto found = std::max<std::ptrdiff_t>(0, ends - 1);
      CHECK(again.err.find(fmt::format("18 points: {} simulated now, {} found done", 18 - found,
                                       found)) != std::string::npos);
      const bool is_repaired = size > 0 && !kept.ends_with('\n');
      CHECK((again.err.find("r.csv.part: its last line had no end and was cut off (") !=
             std::string::npos) == is_repaired);
    }
    // Ended between the two renames: the description is in its place, the results are not.
    REQUIRE(shell("cd " + path("") + " && mv r.csv r.csv.part").exit_code == 0);
    CHECK(run_pipesim_in(directory, out).exit_code == 0);
    CHECK(read_file(path("r.csv")) == whole);
    CHECK(directory.entries() == 2);
  }

  TEST_CASE("sweep: what another sweep left is refused, or replaced") {
    const TemporaryDirectory directory;
    const auto path = [&](const char* name) { return directory.path(name); };
    const std::string out = kSweep + "--out r.csv ";
    write_file(path("r.csv"), "1,2\n");
    CHECK(run_pipesim_in(directory, out).err ==
          "command line: --out: \"r.csv\" is there, but no \"r.csv.sweep\" says what it holds; "
          "another --out, or --overwrite\n");
    CHECK(directory.entries() == 1);
    REQUIRE(run_pipesim_in(directory, out + "--overwrite").exit_code == 0);
    const std::string whole = read_file(path("r.csv"));
    // A part of another sweep.
    write_file(path("r.csv.part"), whole);
    write_file(path("r.csv.part.sweep"),
               "{\"schema_version\": 1, \"shard\": \"0/1\", \"config\": {}}\n");
    REQUIRE(shell("cd " + path("") + " && rm r.csv r.csv.sweep").exit_code == 0);
    const Outcome other = run_pipesim_in(directory, out);
    CHECK(other.exit_code == 2);
    CHECK(other.err.find("r.csv.part: /config/p: nothing there, 4 now\n") != std::string::npos);
    CHECK(read_file(path("r.csv.part")) == whole);
    CHECK(run_pipesim_in(directory, out + "--overwrite").exit_code == 0);
    CHECK(read_file(path("r.csv")) == whole);
    // What is no description, and lines that are not this sweep's.
    write_file(path("r.csv.sweep"), "{\"shard\": 3}");
    CHECK(run_pipesim_in(directory, out).err ==
          "r.csv.sweep: describes no sweep; what pipesim sweep wrote beside its results\n");
    REQUIRE(run_pipesim_in(directory, out + "--overwrite").exit_code == 2);
  }

  TEST_CASE("sweep: two of them do not write one file") {
    const TemporaryDirectory directory;
    const Outcome outcome = shell(
        fmt::format("cd {} && touch r.jsonl.part && flock r.jsonl.part $PIPESIM {} --out r.jsonl",
                    directory.path(""), kSweep));
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.err ==
          "command line: --out: another sweep is writing \"r.jsonl.part\"; another --out, or the "
          "same command when that sweep has ended\n");
  }

  TEST_CASE("sweep: a signal ends it within a second, and the same command goes on") {
    struct Case {
      const char* signal;
      int exit_code;
    };
    // A shell has what it runs in the background ignore SIGINT. A search takes tenths of a second a
    // point, so that there is something to interrupt.
    const std::string slow =
        "sweep -p 8 --t-f 2 --t-b 2 --set t_w=2 --schedule zb_auto --vary m=200:260 --jobs 1 ";
    for (const Case& ended : {Case{"INT", 130}, Case{"TERM", 143}, Case{"KILL", 137}}) {
      CAPTURE(ended.signal);
      const TemporaryDirectory directory;
      const Outcome outcome = shell(fmt::format(
          "cd {} && exec 3>&1 && {{ env --default-signal=INT $PIPESIM {} --out r.jsonl & pid=$!; "
          "until [ -s r.jsonl.part ]; do sleep 0.01; done; kill -{} $pid; "
          "begin=$(date +%s%N); wait $pid; code=$?; "
          "echo $code $(( ($(date +%s%N) - begin) / 1000000 )) >&3; }}",
          directory.path(""), slow, ended.signal));
      int code = 0;
      int milliseconds = 0;
      REQUIRE(std::sscanf(outcome.out.c_str(), "%d %d", &code, &milliseconds) == 2);
      CHECK(code == ended.exit_code);
      CHECK(milliseconds < 5000);  // a second, on a machine that is not busy
      const std::string part = read_file(directory.path("r.jsonl.part"));
      const auto points = std::count(part.begin(), part.end(), '\n');
      CHECK(points > 0);
      CHECK(points < 61);
      if (ended.exit_code != 137) {
        CHECK(outcome.err.find(fmt::format("interrupted: {} point{} in r.jsonl.part; the same "
                                           "command continues\n",
                                           points, points == 1 ? "" : "s")) != std::string::npos);
      }
    }
  }

  TEST_CASE("sweep: a full disk loses nothing that was written") {
    const TemporaryDirectory directory;
    const std::string out = fmt::format("cd {} && ulimit -f 8 && $PIPESIM {} --out r.jsonl",
                                        directory.path(""), kSweep);
    const Outcome full = shell("trap '' XFSZ; " + out);
    CHECK(full.exit_code == 2);
    CHECK(full.err ==
          "command line: --out: cannot write \"r.jsonl.part\": File too large; the same command "
          "continues when there is room\n");
    const Outcome again = run_pipesim_in(directory, kSweep + "--out r.jsonl");
    CHECK(again.exit_code == 0);
    CHECK(read_file(directory.path("r.jsonl")) == run_pipesim(kSweep).out);
  }

  TEST_CASE("sweep: --strict ends at the first point that is invalid") {
    const std::string arguments = kSweep + "--vary t_w=1,[2,2] --strict ";
    for (const int jobs : {1, 3}) {
      const TemporaryDirectory directory;
      const Outcome outcome =
          run_pipesim_in(directory, fmt::format("{} --jobs {} --out r.jsonl", arguments, jobs));
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.err ==
            "point 1 (schedule=gpipe, m=2, t_w=[2,2]): /t_w: array of 2; an array of p = 4 values, "
            "or one value for all\n");
      CHECK(lines_of(read_file(directory.path("r.jsonl.part"))).size() == 1);
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
