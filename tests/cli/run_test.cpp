#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "tests/cli/process.hpp"
#include "tests/places.hpp"

using namespace pipesim::test;

namespace {

constexpr auto kHw52 = "-p 4 -m 8 --t-f 2 --t-b 4 --schedule 1f1b";

std::string without_newline(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("hw5_2 as a table") {
    const Outcome outcome = run_pipesim("--config configs/hw5_2.json --formula");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.err == "");
    CHECK(outcome.out == read_file(source_directory() + "/tests/golden/hw5_2_table.txt"));
  }

  TEST_CASE("every example config gives its T_total, T_ideal, bubble ratio and peak") {
    const auto row = [](const std::string& config) {
      return without_newline(shell("$PIPESIM --config configs/" + config +
                                   " --format csv --no-header --quiet | cut -d, -f2-6,7,9,15")
                                 .out);
    };
    CHECK(row("hw5_2.json") == "1f1b,4,8,ms,66,48,1.375,4");
    CHECK(row("hw5_2_gpipe.json") == "gpipe,4,8,ms,66,48,1.375,8");
    CHECK(row("memory_limit.json") == "gpipe,4,8,ms,84,48,1.75,4");
    CHECK(row("communication.json") == "1f1b,4,8,ms,49,24,2.04166666667,4");
    CHECK(row("shared_link.json") == "1f1b,4,8,ms,71,24,2.95833333333,4");
    CHECK(row("slow_stage.json") == "1f1b,4,8,ms,42,36,1.16666666667,4");
    CHECK(shell("ls configs | wc -l").out == "10\n");
  }

  TEST_CASE("m=16: T_total 114, T_ideal 96, bubble ratio 1.1875, for both schedules") {
    for (const std::string schedule : {"gpipe", "1f1b"}) {
      const Outcome outcome = run_pipesim(
          "--config configs/hw5_2.json -m 16 --format csv --no-header --schedule " + schedule);
      CHECK(outcome.out.rfind("1," + schedule + ",4,16,ms,114,96,96,1.1875,0.1875,", 0) == 0);
    }
  }

  TEST_CASE("csv has a header, or none for loops") {
    CHECK(run_pipesim(std::string(kHw52) + " --format csv").out ==
          "schema_version,schedule,p,m,time_unit,t_total,t_ideal,t_ideal_mean,bubble_ratio,"
          "bubble_overhead,bubble_fraction,span_bubble_rate,lower_bound,gap,peak_activations,"
          "time_per_microbatch\n"
          "1,1f1b,4,8,ms,66,48,48,1.375,0.375,0.272727272727,0.272727272727,66,0,4,8.25\n");
    CHECK(run_pipesim(std::string(kHw52) + " --format csv --no-header").out ==
          "1,1f1b,4,8,ms,66,48,48,1.375,0.375,0.272727272727,0.272727272727,66,0,4,8.25\n");
  }

  TEST_CASE("overrides are applied in command-line order, over the file, and need none") {
    const auto t_total = [](const std::string& arguments) {
      return without_newline(
          shell("$PIPESIM " + arguments + " --format csv --no-header --quiet | cut -d, -f6").out);
    };
    const std::string config = "--config configs/hw5_2.json ";
    CHECK(t_total(config + "-m 4 -m 16") == "114");
    CHECK(t_total(config + "--set m=16 -m 4") == "42");
    CHECK(t_total(config + "--t-f 1,1.5,1,1 --t-b 2,3,2,2") == "42");
    CHECK(t_total(config + "--t-f '[1, \"1500us\", 1, 1]' --t-b 2ms,3ms,2ms,2ms") == "42");
    CHECK(t_total(config + "--schedule gpipe --set schedule.flush_every=4") == "84");
    CHECK(t_total(config + "--set schedule.name=gpipe --set memory.limit=4") == "84");
    CHECK(t_total(config + "--schedule gpipe --set schedule.flush_every=4 --schedule gpipe") ==
          "66");
    CHECK(t_total(config + "--set time_unit=us --set 't_f=\"2ms\"'") == "22044");
    CHECK(t_total("--schedule 1f1b --t-b 4 --t-f 2 -m 8 -p 4") == "66");
    CHECK(t_total("--config - -m 16 < configs/hw5_2.json") == "114");
    CHECK(t_total(config + "-p 1 -m 1") == "6");
    CHECK(t_total(config + "-p 9 -m 2 --t-f 0") == "40");
  }

  TEST_CASE("the resolved config gives the same bytes again") {
    for (const std::string& arguments : std::vector<std::string>{
             "--config configs/hw5_2.json", "--config configs/slow_stage.json",
             "--config configs/memory_limit.json",
             "--config configs/hw5_2.json --t-f 0.000001 --set time_unit=us --formula"}) {
      CAPTURE(arguments);
      const TemporaryDirectory directory;
      const Outcome first = run_pipesim(arguments + " --format json");
      REQUIRE(first.exit_code == 0);
      const std::string key = "  \"config\": ";
      const std::size_t begin = first.out.find(key) + key.size();
      const std::string config = first.out.substr(begin, first.out.find('\n', begin) - begin - 1);
      const std::string formula =
          arguments.find("--formula") == std::string::npos ? "" : " --formula";
      const Outcome second = run_pipesim("--config -" + formula, config);
      CHECK(second.exit_code == 0);
      CHECK(second.out == first.out);
    }
  }

  TEST_CASE("equal simulations have equal hashes, whatever their outputs and notation") {
    const auto hash = [](const std::string& arguments) {
      return shell("$PIPESIM " + arguments + " --format json | grep config_hash").out;
    };
    const std::string config = "--config configs/hw5_2.json ";
    CHECK(hash(config) == hash(config + "--t-f 2000us --set output.timeline=/dev/null"));
    CHECK(hash(config) == hash("-p 4 -m 8 --t-f 2.0 --t-b 4 --schedule 1f1b"));
    CHECK(hash(config) != hash(config + "-m 9"));
  }

  TEST_CASE("--output, --trace and --timeline write whole files") {
    const TemporaryDirectory directory;
    const Outcome outcome = run_pipesim_in(
        directory, std::string(kHw52) +
                       " --format json --output result.json --trace trace.json --timeline t.csv");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out == "");
    CHECK(directory.entries() == 3);
    CHECK(read_file(directory.path("result.json")) ==
          run_pipesim(std::string(kHw52) + " --format json").out);
    CHECK(read_file(directory.path("trace.json")).find("\"traceEvents\"") != std::string::npos);
    CHECK(
        read_file(directory.path("t.csv"))
            .rfind("device,lane,op,stage,microbatch,start,end,released_by\n0,compute,F,0,0,0,2,\n",
                   0) == 0);
    // The config's keys do the same.
    directory.file("run.json", R"({"p": 4, "m": 8, "t_f": 2, "t_b": 4, "schedule": "1f1b",
      "output": {"trace": "trace2.json", "timeline": "t2.csv", "file": "r2.csv", "format": "csv"}})");
    CHECK(run_pipesim_in(directory, "--config run.json").exit_code == 0);
    CHECK(read_file(directory.path("trace2.json")) == read_file(directory.path("trace.json")));
    CHECK(read_file(directory.path("t2.csv")) == read_file(directory.path("t.csv")));
    CHECK(read_file(directory.path("r2.csv")) ==
          run_pipesim(std::string(kHw52) + " --format csv").out);
  }

  TEST_CASE("trials are counted in words that agree") {
    const std::string jitter = std::string(kHw52) +
                               " --set variation.jitter.cv=0.1 --set "
                               "variation.trials=";
    CHECK(run_pipesim(jitter + "1").out.find("\n1 trial with jitter, seed 0: mean ") !=
          std::string::npos);
    CHECK(run_pipesim(jitter + "3").out.find("\n3 trials with jitter, seed 0: mean ") !=
          std::string::npos);
  }

  TEST_CASE("what is wrong leaves no file and does not touch an old one") {
    const TemporaryDirectory directory;
    directory.file("old.json", "old");
    const auto run = [&](const std::string& arguments) {
      return run_pipesim_in(directory,
                            "--trace old.json --timeline new.csv --output result.txt " + arguments);
    };
    CHECK(run("-p 0 -m 8 --t-f 2 --t-b 4 --schedule 1f1b").exit_code == 2);
    CHECK(run(std::string(kHw52) + " --set memory.limit=1").exit_code == 1);
    CHECK(run(std::string(kHw52) + " --timeline /dev/full").exit_code == 2);
    CHECK(run(std::string(kHw52) + " --output .").exit_code == 2);
    CHECK(directory.entries() == 1);
    CHECK(read_file(directory.path("old.json")) == "old");
  }

  TEST_CASE("a run that is stopped leaves nothing behind") {
    const TemporaryDirectory directory;
    const Outcome outcome =
        shell("cd '" + directory.path("") + "' && timeout -s INT 0.5 $PIPESIM " + kHw52 +
              " -m 200000 --trace big.json --timeline big.csv");
    CHECK(outcome.exit_code != 0);
    CHECK(directory.entries() == 0);
  }

  TEST_CASE("a reader that stops reading ends it quietly, a full disk does not") {
    const Outcome closed = shell(
        "{ $PIPESIM --config configs/hw5_2.json -p 40 -m 4000 --events; echo $? >&2; } | head -1");
    CHECK(closed.out == "time,class,sequence,device,op\n");
    CHECK(closed.err == "0\n");
    const Outcome full = shell("$PIPESIM --config configs/hw5_2.json > /dev/full");
    CHECK(full.exit_code == 2);
    CHECK(full.err == "cannot write \"/dev/stdout\": No space left on device\n");
  }

  TEST_CASE("compare settles that 1f1b has fewer bubbles: only under an equal memory limit") {
    const Outcome free = run_pipesim("compare --config configs/hw5_2.json gpipe 1f1b");
    CHECK(free.exit_code == 0);
    CHECK(free.out ==
          "schedule  T_total    bubble ratio    bubble fraction    span bubble rate    gap    peak "
          "memory    sent    Pareto  status\n"
          "gpipe       66 ms *         1.375 *         0.272727 *          0.272727 *    0 *       "
          "     8      48 *              ok\n"
          "1f1b        66 ms *         1.375 *         0.272727 *          0.272727 *    0 *       "
          "     4 *    48 *     yes      ok\n"
          "* best of its column; Pareto: none is both as fast and as small; peak memory in "
          "microbatches, sent in messages of a microbatch between devices\n");
    const Outcome limited = run_pipesim(
        "compare --config configs/hw5_2.json --set memory.limit=4 --format csv gpipe 1f1b");
    CHECK(limited.out ==
          "schema_version,schedule,p,m,time_unit,t_total,t_ideal,t_ideal_mean,bubble_ratio,bubble_"
          "overhead,bubble_fraction,span_bubble_rate,lower_bound,gap,peak_activations,time_per_"
          "microbatch,status,peak_memory,memory_unit,sent,sent_unit,pareto\n"
          "1,gpipe,4,8,ms,84,48,48,1.75,0.75,0.428571428571,0.428571428571,66,0.272727272727,4,10."
          "5,ok,4,microbatches,48,messages,false\n"
          "1,1f1b,4,8,ms,66,48,48,1.375,0.375,0.272727272727,0.272727272727,66,0,4,8.25,ok,4,"
          "microbatches,48,messages,true\n");
    const Outcome tight =
        run_pipesim("compare --config configs/hw5_2.json --set memory.limit=2 gpipe 1f1b");
    CHECK(
        tight.out.find(
            "1f1b: device 0 holds 3 microbatches when F2 starts at 4 ms, over the limit of 2\n") !=
        std::string::npos);
    CHECK(tight.out.find("gpipe: flush_every=2 filled in from memory.limit") != std::string::npos);
    CHECK(tight.out.find("over_limit") != std::string::npos);
    CHECK(tight.exit_code == 0);
    CHECK(run_pipesim("compare --config configs/hw5_2.json --set memory.limit=2 1f1b").exit_code ==
          1);
  }

  TEST_CASE("an asynchronous schedule takes no flush") {
    const Outcome outcome = run_pipesim(
        "-p 3 -m 6 --t-f 1 --t-b 2 --schedule pipedream --set "
        "iterations.count=2 --set iterations.flush=true");
    CHECK(outcome.exit_code == 2);
    CHECK(
        outcome.err ==
        "command line: --set iterations.flush: /iterations/flush: pipedream never flushes; false, "
        "or no flush key\n");
  }

  TEST_CASE("compare without names: every schedule that is valid, fastest first") {
    const Outcome split =
        run_pipesim("compare --config configs/hw5_2.json --set t_w=2 --format csv --no-header");
    const auto column = [&](int number) {
      return shell(
                 "$PIPESIM compare --config configs/hw5_2.json --set t_w=2 --format csv "
                 "--no-header | cut -d, -f" +
                 std::to_string(number))
          .out;
    };
    CHECK(split.exit_code == 0);
    CHECK(split.err == "");
    // Every schedule but custom, which needs an order.
    CHECK(std::count(split.out.begin(), split.out.end(), '\n') ==
          static_cast<std::ptrdiff_t>(pipesim::builtin_schedules().size() - 1));
    CHECK(column(2).find("zb_v\n") < column(2).find("1f1b\n"));
    CHECK(shell("$PIPESIM compare --config configs/hw5_2.json --set t_w=2 --format csv --no-header "
                "| cut -d, -f6 | sort -gc")
              .exit_code == 0);
    CHECK(column(22).find("true\n") == 0);
    // Without t_w, what splits the backward is left out, and said.
    const Outcome full = run_pipesim("compare --config configs/hw5_2.json --format csv");
    CHECK(full.out.find("zb_h1") == std::string::npos);
    CHECK(full.err.find("pipesim: note: left out zb_h1: /t_w: missing: 0I0 splits the backward; "
                        "required: a time of at most t_b\n") != std::string::npos);
  }

  TEST_CASE("list, version, program") {
    CHECK(run_pipesim("list").out.find("flush_every (integer, 1 to 2147483647)") !=
          std::string::npos);
    CHECK(run_pipesim("--version").out == "pipesim 0.1.0\n");
    CHECK(run_pipesim("--help").exit_code == 0);
    const auto lines = [](const std::string& m) {
      return shell("$PIPESIM program --config configs/hw5_2.json -m " + m + " | wc -l").out;
    };
    CHECK(lines("100") == lines("10000"));
  }

  TEST_CASE("the event log replays: totally ordered, and it makes the timeline") {
    const Outcome outcome = shell(
        "$PIPESIM --config configs/slow_stage.json --events | tail -n +2 > /tmp/pipesim-events-$$ "
        "&& "
        // In pop order (time, class, sequence), with finish < arrival < start.
        "sed 's/,finish,/,0,/; s/,arrival,/,1,/; s/,start,/,2,/' /tmp/pipesim-events-$$ | "
        "LC_ALL=C sort -c -t, -k1,1g -k2,2n -k3,3n && "
        "$PIPESIM --config configs/slow_stage.json --timeline /tmp/pipesim-timeline-$$ --quiet "
        ">/dev/null && "
        // start and end of every op, from the log and from the timeline
        "awk -F, '$2==\"start\"{s[$5]=$1} $2==\"finish\"{print $4\",\"$5\",\"s[$5]\",\"$1}' "
        "/tmp/pipesim-events-$$ | sort > /tmp/pipesim-a-$$; "
        "awk -F, 'NR>1{print $1\",\"$4$3$5\",\"$6\",\"$7}' /tmp/pipesim-timeline-$$ | sort | diff "
        "- /tmp/pipesim-a-$$; "
        "wc -l < /tmp/pipesim-a-$$; rm /tmp/pipesim-*-$$");
    CHECK(outcome.err == "");
    CHECK(outcome.out == "64\n");
  }
}
