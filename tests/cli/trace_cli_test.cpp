// Traces as files: compressed, one a rank, and what can go wrong with them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/process.hpp"
#include "tests/places.hpp"

using namespace pipesim::test;

namespace {

constexpr auto kRun = "-p 4 -m 8 --t-f 2 --t-b 4 --schedule 1f1b";

std::string ranks(const std::string& more) {
  return fmt::format("{} --trace-per-rank {}", kRun, more);
}

/// Standard error of a command that is refused and writes nothing.
std::string fault(const TemporaryDirectory& directory, const std::string& arguments) {
  const std::size_t before = directory.entries();
  const Outcome outcome = run_pipesim_in(directory, arguments);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out == "");
  CHECK(directory.entries() == before);
  return outcome.err;
}

std::string gunzipped(const std::string& path) { return shell("gzip -dc " + path).out; }

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("outputs named .gz are what gzip reads, the same bytes every time") {
    const TemporaryDirectory directory;
    const std::string plain =
        fmt::format("{} --output r.json --trace t.json --timeline t.csv --format json", kRun);
    const std::string gzip = fmt::format(
        "{} --output r.json.gz --trace t.json.gz --timeline t.csv.gz --format json", kRun);
    REQUIRE(run_pipesim_in(directory, plain).exit_code == 0);
    REQUIRE(run_pipesim_in(directory, gzip).exit_code == 0);
    for (const std::string name : {"r.json", "t.json", "t.csv"}) {
      CAPTURE(name);
      CHECK(gunzipped(directory.path(name + ".gz")) == read_file(directory.path(name)));
    }
    const std::string first = read_file(directory.path("t.json.gz"));
    REQUIRE(run_pipesim_in(directory, gzip).exit_code == 0);
    CHECK(read_file(directory.path("t.json.gz")) == first);
    CHECK(run_pipesim_in(directory, std::string("verify --timeline t.csv.gz ") + kRun).out ==
          "t.csv.gz: valid: 64 ops, T_total 66 ms\n");
  }

  TEST_CASE("inputs may be compressed, whatever their names") {
    const TemporaryDirectory directory;
    const std::string config = read_file(source_directory() + "/configs/hw5_2.json");
    directory.file("run.json", config);
    directory.file("costs.csv", "stage,kind,time\n0,F,2\n0,B,4\n");
    REQUIRE(shell("gzip -k " + directory.path("run.json") + " " + directory.path("costs.csv"))
                .exit_code == 0);
    CHECK(run_pipesim_in(directory, "--config run.json.gz --format csv").out ==
          run_pipesim("--config configs/hw5_2.json --format csv").out);
    const std::string with_costs =
        "-p 1 -m 2 --schedule 1f1b --format csv --no-header --set costs=";
    CHECK(run_pipesim_in(directory, with_costs + "costs.csv.gz").out ==
          run_pipesim_in(directory, with_costs + "costs.csv").out);
    const Outcome piped = shell("gzip -c configs/hw5_2.json | $PIPESIM check --config -");
    CHECK(piped.exit_code == 0);
    const std::string import = "import --kineto tests/data/kineto_rank0.json ";
    CHECK(shell("gzip -c tests/data/kineto_rank1.json > " + directory.path("rank1.json.gz") +
                "; $PIPESIM " + import + directory.path("rank1.json.gz"))
              .out == run_pipesim(import + "tests/data/kineto_rank1.json").out);
  }

  TEST_CASE("compressed inputs that are not whole are refused") {
    const TemporaryDirectory directory;
    const std::string trace =
        directory.file("t.json", read_file(source_directory() + "/tests/data/kineto_rank0.json"));
    REQUIRE(shell("gzip " + trace).exit_code == 0);
    const std::string whole = read_file(trace + ".gz");
    directory.file("cut.gz", whole.substr(0, whole.size() / 2));
    std::string damaged = whole;
    damaged[whole.size() / 2] = static_cast<char>(~damaged[whole.size() / 2]);
    directory.file("damaged.gz", damaged);
    CHECK(fault(directory, "import --kineto cut.gz") ==
          "cut.gz: cannot be read: gzip data end too early; the whole file\n");
    CHECK(fault(directory, "import --kineto damaged.gz") ==
          "damaged.gz: cannot be read: gzip data are damaged; the whole file\n");
    CHECK(fault(directory, "check --config cut.gz") ==
          "cut.gz: cannot be read: gzip data end too early; the whole file\n");
    CHECK(fault(directory, "-p 1 -m 1 --schedule 1f1b --set costs=cut.gz") ==
          "command line: --set costs: /costs: cannot read cut.gz: gzip data end too early; "
          "the whole file\n");
  }

  TEST_CASE("--trace-per-rank writes a file a device into a directory of its own") {
    const TemporaryDirectory directory;
    const Outcome outcome = run_pipesim_in(directory, ranks("traces"));
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.err == "");
    CHECK(directory.entries() == 1);
    for (int rank = 0; rank < 4; ++rank) {
      const nlohmann::json trace =
          nlohmann::json::parse(read_file(directory.path(fmt::format("traces/rank{}.json", rank))));
      CHECK(trace.at("distributedInfo").at("rank") == rank);
    }
    CHECK(shell("ls -A " + directory.path("traces")).out ==
          "rank0.json\nrank1.json\nrank2.json\nrank3.json\n");
    // Again into what is there, also by another spelling.
    CHECK(run_pipesim_in(directory, ranks("traces/ -m 9")).exit_code == 0);
    CHECK(read_file(directory.path("traces/rank3.json")).find("\"F8\"") != std::string::npos);
  }

  TEST_CASE("traces a rank may be compressed") {
    const TemporaryDirectory directory;
    const std::string gzip = " --set output.trace_per_rank_gzip=true";
    CHECK(run_pipesim_in(directory, ranks("plain")).exit_code == 0);
    CHECK(run_pipesim_in(directory, ranks("packed") + gzip).exit_code == 0);
    CHECK(shell("ls -A " + directory.path("packed")).out ==
          "rank0.json.gz\nrank1.json.gz\nrank2.json.gz\nrank3.json.gz\n");
    CHECK(gunzipped(directory.path("packed/rank2.json.gz")) ==
          read_file(directory.path("plain/rank2.json")));
    CHECK(run_pipesim(kRun + gzip).err ==
          "pipesim: note: output.trace_per_rank_gzip has no effect without "
          "output.trace_per_rank\n");
  }

  TEST_CASE("a directory of traces a rank holds nothing else that is read as one") {
    const TemporaryDirectory directory;
    REQUIRE(run_pipesim_in(directory, ranks("traces")).exit_code == 0);
    const std::string start = "command line: --trace-per-rank: /output/trace_per_rank: ";
    const std::string end = "; a directory without other .json and .gz files\n";
    CHECK(fault(directory, ranks("traces -p 3")) ==
          start + "\"traces\" has \"rank3.json\", which is no trace of this run" + end);
    CHECK(fault(directory, ranks("traces --set output.trace_per_rank_gzip=true")) ==
          start + "\"traces\" has \"rank0.json\", which is no trace of this run" + end);
    CHECK(fault(directory, ranks("traces --trace traces/rank0.json")) ==
          start + "the file of output.trace is in \"traces\" too" + end);
    CHECK(fault(directory, ranks("traces --trace traces")) ==
          start + "\"traces\" is the file of output.trace too; a directory of its own\n");
    CHECK(fault(directory, ranks("new --format json --output new/../new/result.json")) ==
          start + "the file of output.file is in \"new\" too" + end);
    directory.file("run.json", read_file(source_directory() + "/configs/hw5_2.json"));
    CHECK(fault(directory, "--config run.json --trace-per-rank .") ==
          start + "the file of the config is in \".\" too" + end);
    CHECK(run_pipesim_in(directory, ranks("traces --timeline traces/t.csv")).exit_code == 0);
    REQUIRE(
        shell("cd " + directory.path("traces") + " && ln -sf ../precious rank1.json").exit_code ==
        0);
    CHECK(fault(directory, ranks("traces")) ==
          start +
              "\"traces\" has \"rank1.json\", which is a link; a directory without links, whose "
              "files are written elsewhere\n");
  }

  TEST_CASE("a directory that cannot be written is refused, and none is left behind") {
    const TemporaryDirectory directory;
    directory.file("file", "");
    const std::string start = "command line: --trace-per-rank: /output/trace_per_rank: ";
    CHECK(fault(directory, ranks("file")) ==
          start + "\"file\" is no directory; a directory, which is made if there is none\n");
    CHECK(fault(directory, ranks("no/traces")) ==
          start + "cannot make \"no/traces\": No such file or directory\n");
    CHECK(fault(directory, ranks("/proc/traces")) ==
          start + "cannot make \"/proc/traces\": No such file or directory\n");
    CHECK(fault(directory, ranks("/proc/self")) ==
          start + "cannot write \"/proc/self/rank0.json\": No such file or directory\n");
    CHECK(fault(directory, ranks("''")) == start + "an empty string; the name of a directory\n");
    CHECK(
        fault(directory, ranks("traces --timeline /dev/full")) ==
        "command line: --timeline: /output/timeline: cannot write \"/dev/full\": No space left on "
        "device\n");
    CHECK(fault(directory, ranks("traces --output no/result")) ==
          "command line: --output: /output/file: cannot write \"no/result\": No such file or "
          "directory\n");
  }

  TEST_CASE("only a run writes traces a rank") {
    const TemporaryDirectory directory;
    const std::string start = "command line: --trace-per-rank: /output/trace_per_rank: ";
    CHECK(fault(directory, "compare " + ranks("traces")) ==
          start + "a comparison writes no trace; a single run\n");
    CHECK(fault(directory, "explain " + ranks("traces")) ==
          start + "an explanation writes no trace; a run\n");
    CHECK(fault(directory, "show " + ranks("traces")) ==
          start + "a picture in the terminal writes no trace; a run\n");
  }

  TEST_CASE("--trace-window writes a part of a trace, and of the traces a rank") {
    const TemporaryDirectory directory;
    const std::string window = " --trace-window from=10,to=0.022s,devices=0,2-3";
    REQUIRE(run_pipesim_in(directory, kRun + std::string(" --trace whole.json")).exit_code == 0);
    const Outcome outcome = run_pipesim_in(directory, ranks("traces --trace t.json") + window);
    CHECK(outcome.err == "");
    CHECK(outcome.exit_code == 0);
    CHECK(shell("ls -A " + directory.path("traces")).out == "rank0.json\nrank2.json\nrank3.json\n");
    std::string seen;
    const nlohmann::json trace = nlohmann::json::parse(read_file(directory.path("t.json")));
    for (const nlohmann::json& event : trace.at("traceEvents")) {
      if (event.at("ph") != "X" || event.at("pid") == 3) continue;
      seen += event.at("pid").dump() + event.at("name").get<std::string>() + "@" +
              event.at("ts").dump() + " ";
    }
    // At 22 ms 2B1 ends and 2F3 begins.
    CHECK(seen == "0B0@20000 2B0@12000 2F2@16000 2B1@18000 ");
    const nlohmann::json rank =
        nlohmann::json::parse(read_file(directory.path("traces/rank2.json")));
    CHECK(rank.at("distributedInfo") == nlohmann::json{{"rank", 2}, {"world_size", 4}});
    // The ranks of another window are no part of this one.
    CHECK(fault(directory, ranks("traces --trace-window devices=0-1")) ==
          "command line: --trace-per-rank: /output/trace_per_rank: \"traces\" has \"rank2.json\", "
          "which is no trace of this run; a directory without other .json and .gz files\n");
  }

  TEST_CASE("a window is for a trace, and lies in the run") {
    const TemporaryDirectory directory;
    const std::string start = "command line: --trace-window: /output/trace_window: ";
    const auto refused = [&](const std::string& arguments) {
      return fault(directory, kRun + (" " + arguments));
    };
    CHECK(refused("--trace-window to=3 --svg t.svg") ==
          start + "no trace is asked for; --trace FILE or --trace-per-rank DIR\n");
    const std::string trace = "--trace t.json --trace-window ";
    CHECK(refused(trace + "device=0") ==
          start +
              "\"device\" is no part of a window; from=TIME, to=TIME, microbatches=LIST and "
              "devices=LIST, such as from=1ms,devices=0,2-5 (did you mean \"devices\"?)\n");
    CHECK(refused(trace + "devices=0-4,microbatches=8") ==
          start + "there is no microbatch 8; 0 to 7\n" + start + "there is no device 4; 0 to 3\n");
    CHECK(refused(trace + "from=66") ==
          start + "at 66 ms the run has ended; 0 to less than T_total, 66 ms\n");
    CHECK(refused(trace + "to=70ms") ==
          start + "70 ms lies behind the end of the run; at most T_total, 66 ms\n");
    CHECK(refused(trace + "''") ==
          start + "an empty string; a window such as \"from=1ms,devices=0,2-5\"\n");
    CHECK(run_pipesim(std::string("check ") + kRun +
                      " --set output.trace=t.json --set "
                      "output.trace_window=devices=4")
              .err ==
          "command line: --set output.trace_window: /output/trace_window: there is no device 4; 0 "
          "to 3\n");
  }

  TEST_CASE("a trace of more than 2 GB is refused before the run") {
    const TemporaryDirectory directory;
    const std::string run = "--t-f 2 --t-b 4 --schedule gpipe ";
    const std::string what =
        "a trace of at least 2.1 GB is too large for viewers; at most 2.0 GB: --trace-window "
        "from=TIME,to=TIME writes a part\n";
    CHECK(fault(directory, run + "-p 4 -m 2150000 --trace t.json") ==
          "command line: --trace: /output/trace: " + what);
    CHECK(fault(directory, run + "-p 1 -m 8600000 --trace-per-rank traces") ==
          "command line: --trace-per-rank: /output/trace_per_rank: " + what);
  }

  TEST_CASE("a trace that viewers load slowly is said to be") {
    const std::string large = "-p 4 --t-f 2 --t-b 4 --schedule 1f1b --trace /dev/null ";
    CHECK(run_pipesim(large + "-m 25001").err ==
          "pipesim: note: output.trace: 200008 slices; viewers take minutes to load more than "
          "200000\n");
    CHECK(run_pipesim(large + "-m 25000").err == "");
    CHECK(run_pipesim(large + "-m 25001 --quiet").err == "");
  }
}
