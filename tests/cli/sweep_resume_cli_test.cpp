// What a sweep finds of sweeps before it, and what it leaves for those after it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/cli/process.hpp"
#include "tests/cli/sweeps.hpp"

using namespace pipesim::test;

TEST_SUITE("cli") {
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
    // Ended while the files were put in their places: before the results were there, and after.
    for (const char* const moved : {"mv r.csv r.csv.part; mv r.csv.sweep r.csv.part.sweep",
                                    "mv r.csv r.csv.part; mv r.csv.sweep r.csv.part.sweep; "
                                    "echo old >r.csv",
                                    "mv r.csv.sweep r.csv.part.sweep"}) {
      CAPTURE(moved);
      REQUIRE(shell("cd " + path("") + " && " + moved).exit_code == 0);
      CHECK(run_pipesim_in(directory, out).err ==
            "pipesim: note: r.csv: 18 points: 0 simulated now, 18 found done\n");
      CHECK(read_file(path("r.csv")) == whole);
      CHECK(read_file(path("r.csv.sweep")) == description);
      CHECK(directory.entries() == 2);
    }
  }

  TEST_CASE("sweep: a shard goes on with its own points") {
    const TemporaryDirectory directory;
    const std::string out = kSweep + "--shard 1/3 --out r.jsonl ";
    REQUIRE(run_pipesim_in(directory, out).exit_code == 0);
    const std::string whole = read_file(directory.path("r.jsonl"));
    REQUIRE(interrupt(directory, "r.jsonl", 2));
    CHECK(run_pipesim_in(directory, out).err ==
          "pipesim: note: r.jsonl: 6 points: 4 simulated now, 2 found done\n");
    CHECK(read_file(directory.path("r.jsonl")) == whole);
  }

  TEST_CASE("sweep: a complete file that is damaged is not found done") {
    for (const std::string& name : {std::string("r.jsonl"), std::string("r.csv")}) {
      const TemporaryDirectory directory;
      const std::string path = directory.path(name);
      const std::string out = fmt::format("{} --where 'm != 6' --out {} ", kSweep, name);
      REQUIRE(run_pipesim_in(directory, out).exit_code == 0);
      const std::string whole = read_file(path);
      const std::size_t first = name == "r.csv" ? whole.find('\n') + 1 : 0;
      const std::size_t second = whole.find('\n', first) + 1;
      const std::size_t third = whole.find('\n', second) + 1;
      const auto missing = [&](int points) {
        return fmt::format(
            "command line: --out: {} of 15 points are in \"{}\"; another --out, or "
            "--overwrite\n",
            points, name);
      };
      const auto damaged = [&](std::size_t bytes) {
        return fmt::format(
            "command line: --out: \"{}\" is damaged: after {} bytes stands no result "
            "of this sweep; another --out, or --overwrite\n",
            name, bytes);
      };
      std::string turned = whole;
      turned[whole.find("1f1b")] = 'q';
      const std::size_t at = whole.rfind('\n', whole.find("1f1b")) + 1;
      struct Case {
        std::string text;
        std::string message;
      };
      for (const Case& each :
           {Case{"", missing(0)}, Case{whole.substr(0, second), missing(1)},
            Case{whole.substr(0, third - 8), missing(1)},
            Case{whole.substr(0, whole.size() - 1), missing(14)},
            Case{whole.substr(0, second) + whole.substr(third), missing(14)},
            Case{whole + whole.substr(second, third - second), damaged(whole.size())},
            Case{whole + "{", damaged(whole.size())}, Case{turned, damaged(at)},
            Case{whole.substr(1), damaged(0)}}) {
        CAPTURE(each.text);
        write_file(path, each.text);
        const Outcome outcome = run_pipesim_in(directory, out);
        CHECK(outcome.exit_code == 2);
        CHECK(outcome.err == each.message);
        CHECK(read_file(path) == each.text);
        CHECK(directory.entries() == 2);
      }
      REQUIRE(shell("sed -i 's/, .points.: [0-9]*//' " + path + ".sweep").exit_code == 0);
      CHECK(run_pipesim_in(directory, out).err ==
            name +
                ".sweep: describes no whole sweep; what pipesim sweep wrote beside its "
                "results, or --overwrite\n");
      CHECK(run_pipesim_in(directory, out + "--overwrite").exit_code == 0);
      CHECK(read_file(path) == whole);
    }
    // Without any point it is its header.
    const TemporaryDirectory directory;
    const std::string none = kSweep + "--where 'm > 99' --out r.csv";
    REQUIRE(run_pipesim_in(directory, none).exit_code == 0);
    CHECK(run_pipesim_in(directory, none).exit_code == 0);
    write_file(directory.path("r.csv"), "");
    CHECK(run_pipesim_in(directory, none).exit_code == 2);
  }

  TEST_CASE("sweep: a line of CSV that is damaged is not continued") {
    const TemporaryDirectory directory;
    const std::string out = kSweep + "--out r.csv ";
    REQUIRE(run_pipesim_in(directory, out).exit_code == 0);
    const std::string whole = read_file(directory.path("r.csv"));
    const auto second = whole.find('\n', whole.find('\n') + 1) + 1;
    REQUIRE(interrupt(directory, "r.csv", 4));
    const std::string kept = read_file(directory.path("r.csv.part"));
    // A line end, a varied value, a comma, what is not UTF-8.
    for (const char* const damage :
         {"3s/$/\\r/", "3s/gpipe/gpipf/", "3s/ms,/ms-/", "3s/ms/m\\xf3/"}) {
      CAPTURE(damage);
      write_file(directory.path("r.csv.part"), kept);
      REQUIRE(shell(fmt::format("LC_ALL=C sed -i '{}' {}", damage, directory.path("r.csv.part")))
                  .exit_code == 0);
      REQUIRE(read_file(directory.path("r.csv.part")) != kept);
      CHECK(run_pipesim_in(directory, out).err ==
            fmt::format("command line: --out: \"r.csv.part\" is damaged: after {} bytes stands no "
                        "result of this sweep; another --out, or --overwrite\n",
                        second));
    }
    CHECK(run_pipesim_in(directory, out + "--overwrite").err ==
          fmt::format("pipesim: note: r.csv.part: it was damaged, and what follows was cut off ({} "
                      "bytes)\npipesim: note: r.csv: 18 points: 17 simulated now, 1 found done\n",
                      kept.size() - second));
    CHECK(read_file(directory.path("r.csv")) == whole);
  }

  TEST_CASE("sweep: a part that is damaged is not continued") {
    const TemporaryDirectory directory;
    const std::string out = kSweep + "--out r.jsonl ";
    REQUIRE(run_pipesim_in(directory, out).exit_code == 0);
    const std::string whole = read_file(directory.path("r.jsonl"));
    const std::size_t second = whole.find('\n') + 1;
    const std::size_t third = whole.find('\n', second) + 1;
    REQUIRE(interrupt(directory, "r.jsonl", 18));
    std::string beyond = whole.substr(second, third - second);
    beyond.replace(beyond.find("\"point\": 1"), 10, "\"point\": 50");
    const auto turned = [&](const std::string& there, char now) {
      std::string text = whole.substr(0, third);
      text[text.find(there, second)] = now;
      return text;
    };
    for (const std::string& damaged :
         {whole.substr(0, third - 8) + "\n", whole.substr(0, third - 1) + "\r\n",
          whole.substr(0, second) + std::string(9, '\0') + "\n", whole.substr(second),
          whole.substr(0, second) + whole.substr(third), whole.substr(0, second) + beyond,
          turned("4, \"schedule\"", '5'), turned("t_total", 'u'), turned("\"t_total", '('),
          turned("4, \"time_unit\"", '\xb4'), turned("4, \"time_unit\": \"ms\", \"t_f", '6'),
          turned("gpipe", 'o')}) {
      CAPTURE(damaged);
      write_file(directory.path("r.jsonl.part"), damaged);
      const Outcome outcome = run_pipesim_in(directory, out);
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.err.starts_with("command line: --out: \"r.jsonl.part\" is damaged: after "));
      CHECK(read_file(directory.path("r.jsonl.part")) == damaged);
    }
    write_file(directory.path("r.jsonl.part.sweep"), "");
    CHECK(run_pipesim_in(directory, out).err ==
          "r.jsonl.part.sweep: describes no sweep; what pipesim sweep wrote beside its results, or "
          "--overwrite\n");
    CHECK(run_pipesim_in(directory, out + "--overwrite").exit_code == 0);
    CHECK(read_file(directory.path("r.jsonl")) == whole);
  }

  TEST_CASE("sweep: results of another sweep stay until they are overwritten") {
    const TemporaryDirectory directory;
    const auto sweep = [&](const std::string& arguments) {
      return run_pipesim_in(directory, "sweep -p 4 --t-f 2 --t-b 4 --schedule 1f1b " + arguments);
    };
    REQUIRE(sweep("--vary m=4,8 --out r.jsonl").exit_code == 0);
    const std::string before = read_file(directory.path("r.jsonl"));
    // What an interrupted --overwrite leaves.
    REQUIRE(sweep("--vary m=4,16 --out other.jsonl").exit_code == 0);
    REQUIRE(interrupt(directory, "other.jsonl", 1, "r.jsonl"));
    CHECK(sweep("--vary m=4,16 --out r.jsonl").exit_code == 2);
    CHECK(read_file(directory.path("r.jsonl")) == before);
    CHECK(sweep("--vary m=4,16 --out r.jsonl --overwrite").err ==
          "pipesim: note: r.jsonl: 2 points: 1 simulated now, 1 found done\n");
    CHECK(read_file(directory.path("r.jsonl")) == read_file(directory.path("other.jsonl")));
    // The order of keys says nothing.
    REQUIRE(sweep("--set t_w=1 --set memory.limit=9 --vary m=4 --out o.jsonl").exit_code == 0);
    CHECK(sweep("--set memory.limit=9 --set t_w=1 --vary m=4 --out o.jsonl").err ==
          "pipesim: note: o.jsonl: 1 point: 0 simulated now, 1 found done\n");
  }

  TEST_CASE("sweep: files that it reads are part of what it is, and are never written") {
    const TemporaryDirectory directory;
    directory.file("costs.csv", "stage,kind,time\n0,F,1\n0,B,2\n1,F,1\n1,B,2\n");
    directory.file("c.jsonl", R"({"p": 2, "m": 4, "costs": "costs.csv", "schedule": "1f1b"})");
    const std::string sweep = "sweep --config c.jsonl --vary m=4,8 --out ";
    REQUIRE(run_pipesim_in(directory, sweep + "r.jsonl").exit_code == 0);
    CHECK(run_pipesim_in(directory, sweep + "r.jsonl").exit_code == 0);
    directory.file("costs.csv", "stage,kind,time\n0,F,1\n0,B,2\n1,F,1\n1,B,3\n");
    CHECK(run_pipesim_in(directory, sweep + "r.jsonl")
              .err.starts_with("r.jsonl: /files/costs.csv: \""));
    CHECK(run_pipesim_in(directory, sweep + "c.jsonl --overwrite").err ==
          "command line: --out: \"c.jsonl\" is the file of the config too; a file of its own\n");
    directory.file("d.jsonl.part", R"({"p": 2, "m": 4, "t_f": 1, "t_b": 1, "schedule": "1f1b"})");
    CHECK(run_pipesim_in(directory,
                         "sweep --config d.jsonl.part --vary m=4 --out d.jsonl --overwrite")
              .err ==
          "command line: --out: \"d.jsonl.part\" is the file of the config too; a file "
          "of its own\n");
  }

  TEST_CASE("sweep: strange files are refused, and nothing is left of that") {
    const TemporaryDirectory directory;
    const auto refused = [&](const std::string& prepare, const std::string& clean) {
      REQUIRE(shell("cd " + directory.path("") + " && " + prepare).exit_code == 0);
      const std::size_t entries = directory.entries();
      const Outcome outcome = run_pipesim_in(directory, kSweep + "--out r.jsonl");
      CHECK(outcome.exit_code == 2);
      CHECK(directory.entries() == entries);
      REQUIRE(shell("cd " + directory.path("") + " && " + clean).exit_code == 0);
      return outcome.err;
    };
    CHECK(refused("ln -s nowhere.jsonl r.jsonl", "rm r.jsonl") ==
          "command line: --out: \"r.jsonl\" is a symbolic link that leads to no file; a file, or a "
          "link to one\n");
    CHECK(refused("mkfifo r.jsonl.sweep", "rm r.jsonl.sweep") ==
          "r.jsonl.sweep: describes no sweep; what pipesim sweep wrote beside its results, or "
          "--overwrite\n");
    CHECK(refused("mkdir r.jsonl", "rmdir r.jsonl") ==
          "command line: --out: \"r.jsonl\" is no file that a sweep can continue; a file; without "
          "--out the results go to standard output\n");
    CHECK(refused("mkdir r.jsonl.part", "rmdir r.jsonl.part") ==
          "command line: --out: cannot write \"r.jsonl.part\": Is a directory\n");
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
          "r.csv.sweep: describes no sweep; what pipesim sweep wrote beside its results, or "
          "--overwrite\n");
    CHECK(run_pipesim_in(directory, out + "--overwrite").exit_code == 0);
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

  TEST_CASE("sweep: a signal that is ignored stays ignored") {
    const TemporaryDirectory directory;
    const Outcome outcome = shell(fmt::format(
        "trap '' INT; cd {} && {{ $PIPESIM sweep -p 8 --t-f 2 --t-b 2 --set t_w=2 --schedule "
        "zb_auto --vary m=200:203 --jobs 1 --out r.jsonl & pid=$!; "
        "until [ -s r.jsonl.part ] || [ -e r.jsonl ]; do sleep 0.01; done; kill -INT $pid; "
        "wait $pid; }}",
        directory.path("")));
    CHECK(outcome.exit_code == 0);
    CHECK(lines_of(read_file(directory.path("r.jsonl"))).size() == 4);
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
}
