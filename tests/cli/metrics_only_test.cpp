// Runs without a timeline, as a user sees them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

/// The document with its critical path, or that of every run in it, taken out.
nlohmann::ordered_json without_critical_path(const std::string& text) {
  auto json = nlohmann::ordered_json::parse(text);
  if (json.contains("results")) {
    for (auto& row : json["results"]) row["result"].erase("critical_path");
  }
  json.erase("critical_path");
  return json;
}

void check_same_json(const std::string& arguments) {
  CAPTURE(arguments);
  const Outcome whole = run_pipesim(arguments + " --format json");
  const Outcome metrics = run_pipesim(arguments + " --format json --metrics-only");
  CHECK(whole.exit_code == metrics.exit_code);
  CHECK(whole.err == metrics.err);
  if (whole.exit_code == 2) return;
  CHECK(whole.out != metrics.out);
  CHECK(without_critical_path(whole.out).dump() == without_critical_path(metrics.out).dump());
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("metrics only: every key but the critical path is that of the whole run") {
    for (const std::string config :
         {"hw5_2", "slow_stage", "communication", "shared_link", "pytorch_188833", "gpt3-175b"}) {
      check_same_json("--config configs/" + config + ".json");
    }
    const std::string unequal = "-p 4 -m 24 --t-f 2,3,2,4 --t-b 4,3ms,5,5 --set t_w=1 ";
    check_same_json("compare " + unequal);
    check_same_json("compare " + unequal +
                    "--set p2p.latency=0.7 gpipe 1f1b zb_h1 interleaved_1f1b");
    check_same_json(unequal + "--schedule 1f1b --set iterations.count=3");
    check_same_json(unequal + "--schedule gpipe --set recompute=true");
    check_same_json(unequal + "--schedule 1f1b --set memory.limit=4");
  }

  TEST_CASE("metrics only: a row of CSV and a table of schedules are those of the whole run") {
    const std::string run = "--config configs/slow_stage.json ";
    CHECK(run_pipesim(run + "--format csv --metrics-only").out ==
          run_pipesim(run + "--format csv --timeline /dev/null").out);
    CHECK(run_pipesim("compare --metrics-only " + run + "gpipe 1f1b").out ==
          run_pipesim("compare " + run + "gpipe 1f1b --svg /dev/null").out);
    const std::string table = run_pipesim(run + "--metrics-only").out;
    CHECK(table.find("\ncritical path: not looked for (metrics only)\n") != std::string::npos);
  }

  TEST_CASE("metrics only: a thousand million microbatches") {
    const Outcome outcome = run_pipesim(
        "-p 64 -m 1000000000 --t-f 2us --t-b 4us --schedule 1f1b --format csv --no-header");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out.find("1,1f1b,64,1000000000,ms,6000000.378,6000000,") == 0);
  }

  TEST_CASE("metrics only: what needs memory for every op is refused before it is taken") {
    const std::string run = "-p 4 -m 1000000000 --t-f 1us --t-b 2us --set t_w=0.001 --format csv ";
    for (const std::string schedule :
         {"bpipe", "dualpipe_v", "seq1f1b", "looped_bfs", "zb_auto", "v_zb",
          "zb_h1 --set schedule.variant=light", "1f1b --set p2p.mode=async"}) {
      CAPTURE(schedule);
      const Outcome outcome = run_pipesim(fmt::format("{}--schedule {}", run, schedule));
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out.empty());
      CHECK(outcome.err.find(" tasks need some ") != std::string::npos);
    }
    const Outcome compared = run_pipesim("compare " + run + "--schedule 1f1b 1f1b bpipe");
    CHECK(compared.exit_code == 0);
    CHECK(compared.out.find("\n1,1f1b,4,1000000000,ms,3000000.009,") != std::string::npos);
    CHECK(compared.out.find("bpipe,,") != std::string::npos);
  }

  TEST_CASE("metrics only: rhythms of thousands of ops are found, and short last groups too") {
    const std::string run = "-m 1000000001 --t-f 1us --t-b 2us --format csv --no-header ";
    CHECK(run_pipesim(run + "-p 3 --schedule kfkb --set schedule.k=1000")
              .out.find("1,kfkb,3,1000000001,ms,") == 0);
    CHECK(run_pipesim(run + "-p 4 --schedule interleaved_1f1b")
              .out.find("1,interleaved_1f1b,4,1000000001,ms,3000000.013,3000000.003,") == 0);
  }

  TEST_CASE("metrics only: options hold in the order of the command line") {
    const std::string run = "--config configs/hw5_2.json ";
    const std::string off = "--set output.metrics_only=false ";
    CHECK(run_pipesim(run + "--metrics-only " + off).out == run_pipesim(run).out);
    CHECK(run_pipesim(run + off + "--metrics-only").out != run_pipesim(run).out);
  }

  TEST_CASE("metrics only: a deadlock is told as in any run") {
    const std::string run =
        "-p 2 -m 1 --t-f 1 --t-b 1 --schedule custom --set 'schedule.order=[\"0B0 0F0\", "
        "\"1F0 1B0\"]' --format ";
    const Outcome metrics = run_pipesim(run + "csv");
    CHECK(metrics.exit_code == 1);
    CHECK(metrics.err == run_pipesim(run + "json").err);
    CHECK(metrics.err.find("deadlock: these ops wait for each other") != std::string::npos);
  }

  TEST_CASE("metrics only: what needs a timeline is refused") {
    const TemporaryDirectory directory;
    const std::string run = "-p 2 -m 2 --t-f 1 --t-b 1 --schedule 1f1b --metrics-only ";
    for (const std::string option : {"--trace", "--timeline", "--svg", "--html"}) {
      CAPTURE(option);
      const Outcome outcome = run_pipesim_in(directory, run + option + " out");
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out.empty());
      CHECK(outcome.err ==
            "command line: --metrics-only: /output/metrics_only: traces, timelines and pictures "
            "show more than metrics; "
            "none of them, or all results\n");
      CHECK(directory.entries() == 0);
    }
    CHECK(run_pipesim("explain " + run).err ==
          "command line: --metrics-only: /output/metrics_only: an explanation is more than "
          "metrics; a run\n");
    CHECK(
        run_pipesim("compare --show " + run).err ==
        "command line: --metrics-only: /output/metrics_only: --show draws timelines; a comparison "
        "without --show\n");
    CHECK(run_pipesim("show " + run).err ==
          "command line: --metrics-only: /output/metrics_only: a picture in the terminal has no "
          "metrics; a run\n");
    CHECK(run_pipesim("-p 2 -m 2 --t-f 1 --t-b 1 --schedule 1f1b --set output.metrics_only=maybe")
              .err.find("\"maybe\"") != std::string::npos);
  }
}
