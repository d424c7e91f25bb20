// pipesim merge and best as a user meets them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"
#include "tests/cli/sweeps.hpp"

using namespace pipesim::test;
using nlohmann::json;

TEST_SUITE("cli") {
  TEST_CASE("merge: the shards give the bytes of the whole sweep") {
    for (const std::string& name : {std::string("r.jsonl"), std::string("r.csv")}) {
      for (const int shards : {1, 4, 25}) {  // with 25 some have no point
        CAPTURE(name);
        CAPTURE(shards);
        const TemporaryDirectory directory;
        const std::string arguments = kSweep + "--where 'm != 6' ";
        REQUIRE(run_pipesim_in(directory, fmt::format("{} --out {}", arguments, name)).exit_code ==
                0);
        std::string parts;
        for (int i = shards - 1; i >= 0; --i) {
          REQUIRE(run_pipesim_in(directory, fmt::format("{} --shard {}/{} --out {}-{}", arguments,
                                                        i, shards, i, name))
                      .exit_code == 0);
          parts += fmt::format(" {}-{}", i, name);
        }
        const Outcome merged =
            run_pipesim_in(directory, fmt::format("merge {} --out merged-{}", parts, name));
        CHECK(merged.exit_code == 0);
        CHECK(merged.err == fmt::format("pipesim: note: merged-{}: 15 points of {} shard{}\n", name,
                                        shards, shards == 1 ? "" : "s"));
        CHECK(read_file(directory.path("merged-" + name)) == read_file(directory.path(name)));
        CHECK(read_file(directory.path("merged-" + name + ".sweep")) ==
              read_file(directory.path(name + ".sweep")));
      }
    }
  }

  TEST_CASE("merge: goes on where it was interrupted") {
    const TemporaryDirectory directory;
    for (int i = 0; i < 2; ++i) {
      REQUIRE(run_pipesim_in(directory, kSweep + fmt::format("--shard {}/2 --out {}.jsonl", i, i))
                  .exit_code == 0);
    }
    REQUIRE(run_pipesim_in(directory, "merge 0.jsonl 1.jsonl --out m.jsonl").exit_code == 0);
    const std::string whole = read_file(directory.path("m.jsonl"));
    REQUIRE(interrupt(directory, "m.jsonl", 3));
    REQUIRE(run_pipesim_in(directory, "merge 0.jsonl 1.jsonl --out m.jsonl").exit_code == 0);
    CHECK(read_file(directory.path("m.jsonl")) == whole);
  }

  TEST_CASE("merge: what is missing, doubled, incomplete or of another sweep is refused") {
    const TemporaryDirectory directory;
    const auto sweep = [&](const std::string& arguments) {
      REQUIRE(run_pipesim_in(directory, kSweep + arguments).exit_code == 0);
    };
    for (int i = 0; i < 3; ++i) sweep(fmt::format("--shard {}/3 --out {}.jsonl", i, i));
    sweep("--shard 1/3 --where 'm > 2' --out other.jsonl");
    sweep("--shard 1/4 --out fourth.jsonl");
    const auto refused = [&](const std::string& parts) {
      const Outcome outcome = run_pipesim_in(directory, "merge " + parts + " --out m.jsonl");
      CHECK(outcome.exit_code == 2);
      CHECK(shell("ls " + directory.path("") + "m.*").out.empty());
      return outcome.err;
    };
    CHECK(refused("0.jsonl 2.jsonl") ==
          "command line: merge: of 3 shards one is missing: 1; every shard of the sweep\n");
    CHECK(refused("2.jsonl") ==
          "command line: merge: of 3 shards 2 are missing: 0, 1; every shard of the sweep\n");
    CHECK(refused("0.jsonl 1.jsonl 0.jsonl") ==
          "0.jsonl: shard 0/3 is there twice: also 0.jsonl; each shard once\n");
    CHECK(refused("0.jsonl other.jsonl 2.jsonl") ==
          "other.jsonl: /where: [\"m > 2\"] here, [] in 0.jsonl; shards of one sweep\n");
    CHECK(refused("0.jsonl fourth.jsonl") ==
          "fourth.jsonl: one of 4 shards, but one of 3 is 0.jsonl; shards of one sweep\n");
    REQUIRE(shell("cd " + directory.path("") +
                  " && cp 1.jsonl 1.jsonl.part && cp 1.jsonl bare && "
                  "sed 's/, .points.: [0-9]*//' 1.jsonl.sweep >1.jsonl.part.sweep")
                .exit_code == 0);
    CHECK(refused("0.jsonl 1.jsonl.part 2.jsonl bare") ==
          "1.jsonl.part: shard 1/3 is not complete; the same sweep once more, which continues it\n"
          "bare: no bare.sweep says what it holds; a file that pipesim sweep --shard wrote, and "
          "what it wrote beside it\n");
    const std::string whole = read_file(directory.path("1.jsonl"));
    const std::string as_written = "; the file as pipesim sweep --shard wrote it\n";
    write_file(directory.path("1.jsonl"), whole.substr(0, whole.size() - 1));
    CHECK(refused("0.jsonl 1.jsonl 2.jsonl") == "1.jsonl: its last line has no end" + as_written);
    write_file(directory.path("1.jsonl"), whole.substr(0, whole.find('\n') + 1));
    CHECK(refused("0.jsonl 1.jsonl 2.jsonl") == "1.jsonl: 1 of 6 points are in it" + as_written);
    for (const std::string& damaged :
         {whole.substr(0, 100) + whole.substr(110), "garbage\n" + whole,
          whole.substr(0, whole.find('\n')) + "\r" + whole.substr(whole.find('\n'))}) {
      write_file(directory.path("1.jsonl"), damaged.substr(0, damaged.rfind("\n{") + 1) + "{}\n");
      CHECK(refused("0.jsonl 1.jsonl 2.jsonl").find("stands no result of shard 1/3" + as_written) !=
            std::string::npos);
    }
    write_file(directory.path("1.jsonl"), whole + whole);
    CHECK(refused("0.jsonl 1.jsonl 2.jsonl") ==
          "1.jsonl: after 6 points stands no result of shard 1/3" + as_written);
    CHECK(run_pipesim_in(directory, "merge 0.jsonl --out m.jsonl -p 4").err ==
          "command line: -p: not an option of a merge; the options of pipesim merge --help\n");
    CHECK(run_pipesim_in(directory, "merge 0.jsonl 2.jsonl --out 0.jsonl --overwrite").err ==
          "command line: --out: \"0.jsonl\" is the file of a shard too; a file of its own\n");
    CHECK(run_pipesim_in(directory, "merge 0.jsonl 2.jsonl --out m").err ==
          "command line: --out: \"m\" says no format; a name that ends in .jsonl or .csv\n");
  }

  TEST_CASE("best: the first of a sorted sweep, and the front that nothing dominates") {
    const std::string grid =
        "-p 4 --t-f 2 --t-b 4 --vary schedule=gpipe,1f1b,interleaved_1f1b,eager_1f1b "
        "--vary m=2:12:2 ";
    std::vector<json> lines;
    for (const std::string& text : lines_of(run_pipesim("sweep " + grid).out)) {
      lines.push_back(json::parse(text));
    }
    std::stable_sort(lines.begin(), lines.end(), [](const json& left, const json& right) {
      return left["time_per_microbatch"] < right["time_per_microbatch"];
    });
    const json found = json::parse(run_pipesim("best " + grid + "--top 5 --format json").out);
    REQUIRE(found["best"].size() == 5);
    for (std::size_t i = 0; i < 5; ++i) CHECK(found["best"][i] == lines[i]);
    CHECK(found["points"] ==
          json({{"all", 24}, {"within_limits", 24}, {"over_limit", 0}, {"invalid", 0}}));
    const auto costs = [](const json& line) {
      return std::vector<double>{line["time_per_microbatch"], line["peak_memory"],
                                 line["sent"].get<double>() / line["m"].get<double>()};
    };
    const auto dominates = [&](const json& left, const json& right) {
      const auto a = costs(left);
      const auto b = costs(right);
      return a != b && a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2];
    };
    std::size_t in_front = 0;
    for (const json& line : lines) {
      const bool is_dominated = std::any_of(
          lines.begin(), lines.end(), [&](const json& other) { return dominates(other, line); });
      const auto& front = found["pareto"];
      const bool is_listed = std::find(front.begin(), front.end(), line) != front.end();
      CHECK(is_listed != is_dominated);
      in_front += is_listed ? 1 : 0;
    }
    CHECK(in_front == found["pareto"].size());
    CHECK(in_front > 1);
  }

  TEST_CASE("best: limits, objectives and the table") {
    const std::string grid = "best -p 4 --t-f 2 --t-b 4 --vary schedule=gpipe,1f1b --vary m=4,8 ";
    CHECK(run_pipesim(grid + "--limit peak_memory=4 --limit t_total=0.05s --top 1").out ==
          "best by time_per_microbatch, of 4 points: 2 within the limits\n"
          "  point  schedule  m  time_per_microbatch  peak_memory  sent_per_microbatch\n"
          "  0         gpipe  4              10.5 ms            4                    6\n"
          "\n"
          "Pareto front: none is as fast a microbatch, as small and sends as little for it\n"
          "  point  schedule  m  time_per_microbatch  peak_memory  sent_per_microbatch\n"
          "  0         gpipe  4              10.5 ms            4                    6\n"
          "  2          1f1b  4              10.5 ms            4                    6\n"
          "peak memory in microbatches, sent in messages between devices\n");
    const json higher = json::parse(
        run_pipesim("best --config configs/gpt3-175b.json --vary m=16,32,64 --objective "
                    "tokens_per_second --limit tokens_per_second=1 --format json")
            .out);
    CHECK(higher["best"][0]["m"] == 64);
    const auto refused = [&](const std::string& options) {
      const Outcome outcome = run_pipesim(grid + options);
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out.empty());
      return outcome.err;
    };
    CHECK(refused("--objective t_totl")
              .starts_with("command line: --objective: unknown field \"t_totl\"; known fields: "
                           "time_per_microbatch, "
                           "t_total, "));
    CHECK(refused("--limit t_total") ==
          "command line: --limit: \"t_total\" is not FIELD=MOST; such as peak_memory=80GiB\n");
    CHECK(refused("--limit peak_memory=2GiB") ==
          "command line: --limit peak_memory: \"2GiB\" is no limit of peak_memory; a number of "
          "microbatches: this run has no bytes\n");
    CHECK(refused("--limit t_total=x") ==
          "command line: --limit t_total: \"x\" is no limit of t_total; a time such as 4 or 4ms\n");
    CHECK(refused("--objective tokens_per_second") ==
          "command line: --objective: no point has tokens_per_second; with the config's section "
          "model\n");
    CHECK(refused("--limit trials_p95=3") ==
          "command line: --limit trials_p95: no point has trials_p95; with the config's section "
          "variation\n");
    CHECK(refused("--limit peak_memory=0 --limit gap=abc") ==
          "command line: --limit gap: \"abc\" is no limit of gap; a number\n");
    CHECK(run_pipesim(grid + "--limit gap=0.0000000000001 --top 1").exit_code == 0);
    CHECK(refused("--objective ''").find("--objective: no value") != std::string::npos);
    CHECK(refused("--top 0") ==
          "command line: --top: \"0\" is no number of points; an integer from 1 to 1000000\n");
    CHECK(refused("--format csv") ==
          "command line: --format: /output/format: best has no csv; table or json\n");
    const Outcome none = run_pipesim(grid + "--limit peak_memory=1");
    CHECK(none.exit_code == 1);
    CHECK(none.err ==
          "no point is left: 4 points: 0 within the limits; wider limits, or other "
          "values\n");
  }
}
