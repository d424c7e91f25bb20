// Orders from files, and programs as files for PyTorch.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

constexpr auto kSize = "-p 2 -m 2 --t-f 1 --t-b 2 ";
constexpr auto kFile = "-p 2 -m 2 --t-f 1 --t-b 2 --schedule custom --set schedule.file=x ";

/// Standard error of a call in a directory with the file x, which must fail with that exit code.
std::string fault(const std::string& arguments, const std::string& file, int exit_code = 2) {
  const TemporaryDirectory directory;
  directory.file("x", file);
  const Outcome outcome = run_pipesim_in(directory, arguments);
  CHECK(outcome.exit_code == exit_code);
  CHECK(outcome.out == "");
  CHECK(directory.entries() == 1);
  CHECK(read_file(directory.path("x")) == file);
  return outcome.err;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("a program that was printed runs as custom with the same timeline") {
    for (const std::string schedule :
         {"--config configs/hw5_2.json", "--config configs/memory_limit.json",
          "--config configs/slow_stage.json --set recompute=true",
          "--config configs/hw5_2.json -m 3 --set iterations.count=3 --set "
          "iterations.flush=false"}) {
      CAPTURE(schedule);
      const TemporaryDirectory directory;
      const std::string program = directory.path("program.txt");
      REQUIRE(run_pipesim(fmt::format("program {} --output {}", schedule, program)).exit_code == 0);
      const std::string custom =
          fmt::format("{} --schedule custom --set schedule.file={} ", schedule, program);
      CHECK(run_pipesim("program " + custom).out == read_file(program));
      const auto timeline = [&](const std::string& arguments) {
        const Outcome outcome =
            run_pipesim(fmt::format("{} --quiet --format csv --no-header --timeline {}", arguments,
                                    directory.path("t.csv")));
        CHECK(outcome.exit_code == 0);
        return read_file(directory.path("t.csv"));
      };
      CHECK(timeline(custom) == timeline(schedule));
    }
  }

  TEST_CASE("a result of an order from a file can be repeated without the file") {
    const TemporaryDirectory directory;
    const std::string program = directory.path("program.txt");
    REQUIRE(run_pipesim("program --config configs/hw5_2.json --output " + program).exit_code == 0);
    const auto repeated = [](const std::string& arguments) {
      const Outcome first = run_pipesim(arguments + " --format json");
      REQUIRE(first.exit_code == 0);
      const std::string key = "  \"config\": ";
      const std::size_t begin = first.out.find(key) + key.size();
      std::string config = first.out.substr(begin, first.out.find('\n', begin) - begin - 1);
      CHECK(run_pipesim("--config -", config).out == first.out);
      return config;
    };
    // A program stays loops, and an old file of PyTorch is as if it were a new one.
    CHECK(repeated("--config configs/hw5_2.json --schedule custom --set schedule.file=" + program)
              .find(R"("schedule": {"name": "custom", "order": "device 0\n  repeat 3\n )") !=
          std::string::npos);
    CHECK(repeated("-p 2 -m 8 --t-f 1 --t-b 2 --set t_w=1 --schedule custom --set schedule.file="
                   "tests/golden/pytorch_upstream/zb1p_2rank_2stagep_comms_OLDFORMAT_B_BW.csv "
                   "--set schedule.b_means=input_gradient")
              .find(R"("schedule": {"name": "custom", "order": ["0F0 0F1 2F0 2F1 2B0 0F2 )") !=
          std::string::npos);
  }

  TEST_CASE("PyTorch's files run as custom, each stage where the file has it") {
    const std::string directory = "tests/golden/pytorch_csv/";
    const auto t_total = [](const std::string& arguments) {
      return shell("$PIPESIM --schedule custom --quiet --format csv --no-header " + arguments +
                   " | cut -d, -f6")
          .out;
    };
    const std::string split = "--t-f 2 --t-b 4 --set t_w=2 --set schedule.file=" + directory;
    // With and without communication, a V placement among them.
    for (const std::string file : {"-p 3 -m 8 ZBVZeroBubble_3rank_2stage_8mb",
                                   "-p 2 -m 8 InterleavedZeroBubble_2rank_2stage_8mb",
                                   "-p 4 -m 11 DualPipeV_4rank_2stage_11mb"}) {
      const std::size_t name = file.rfind(' ') + 1;
      const std::string size = file.substr(0, name);
      const std::string ops = t_total(size + split + file.substr(name) + "_compute_only.csv");
      CHECK(ops != "");
      CHECK(ops == t_total(size + split + file.substr(name) + "_compute_comms.csv"));
    }
    const std::string upstream =
        "-p 2 -m 8 --t-f 2 --t-b 4 --set t_w=2 --set schedule.file=tests/golden/pytorch_upstream/";
    CHECK(t_total(upstream + "zb1p_2rank_2stagep_comms.csv") ==
          t_total(upstream + "zb1p_2rank_2stagep_comms_OLDFORMAT_B_BW.csv --set "
                             "schedule.b_means=input_gradient"));
  }

  TEST_CASE("export writes what PyTorch loads, and custom reads it again") {
    const TemporaryDirectory directory;
    const auto exported = [&](const std::string& arguments) {
      const Outcome outcome =
          run_pipesim_in(directory, "export " + arguments + " --pytorch-csv out.csv");
      CHECK(outcome.exit_code == 0);
      CHECK(outcome.out == "");
      CHECK(outcome.err == "");
      return read_file(directory.path("out.csv"));
    };
    const std::string gpipe = std::string(kSize) + "--schedule gpipe";
    CHECK(exported(gpipe) == "0F0,0F1,,,0B0,0B1\r\n,1F0,1F1,1B0,1B1\r\n");
    CHECK(exported(gpipe + " --with-comms") ==
          "0UNSHARD,0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1,0REDUCE_GRAD,0RESHARD\r\n"
          "1UNSHARD,1RECV_F0,1F0,1RECV_F1,1F1,1B0,1SEND_B0,1B1,1SEND_B1,1REDUCE_GRAD,1RESHARD\r\n");
    CHECK(run_pipesim_in(directory, "program " + gpipe).exit_code == 0);
    const auto row = [&](const std::string& schedule) {
      return run_pipesim_in(directory, std::string(kSize) + schedule + " --format csv --no-header")
          .out.substr(std::string("1,").size());
    };
    const std::string custom = row("--schedule custom --set schedule.file=out.csv");
    CHECK(custom.substr(custom.find(',')) ==
          row("--schedule gpipe").substr(std::string("gpipe").size()));
  }

  TEST_CASE("export says what it leaves out, and refuses what PyTorch's files cannot say") {
    const TemporaryDirectory directory;
    const std::string gpipe = "export " + std::string(kSize) + "--schedule gpipe --pytorch-csv ";
    const Outcome outcome = run_pipesim_in(directory, gpipe + "o.csv --set recompute=[1]");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.err ==
          "pipesim: note: 2 recomputations are not in the file: PyTorch recomputes inside the "
          "backward\n");
    CHECK(fault(gpipe + "x --set iterations.count=2 --set iterations.flush=false", "old") ==
          "command line: --set iterations.flush: /iterations/flush: steps without a flush between "
          "them; true: PyTorch flushes at the end of each step\n");
    CHECK(fault("export " + std::string(kSize) +
                    R"(--schedule custom --set placement=bidirectional --set )"
                    R"('schedule.order=["0F0 1F1 1B1 0B0", "0F1 1F0 1B0 0B1"]' --pytorch-csv x)",
                "old") ==
          "command line: --schedule: /schedule: stage 0 is on devices 0 and 1; one rank for each "
          "stage: PyTorch's files have no second copy of a stage\n");
    CHECK(fault(gpipe + "x --trace t", "old") ==
          "command line: --trace: /output/trace: an export writes no trace; a run\n");
    CHECK(fault(gpipe + "x --output o", "old") ==
          "command line: --output: /output/file: an export writes --pytorch-csv only; a run\n");
    CHECK(fault("export " + std::string(kSize) + "--schedule gpipe", "old") ==
          "command line: --pytorch-csv is required; see pipesim --help\n");
    CHECK(fault(gpipe + "-", "old") ==
          "command line: --pytorch-csv: \"-\" is no name of a file; /dev/stdout for standard "
          "output\n");
    CHECK(run_pipesim_in(directory, gpipe + "/dev/stdout").out ==
          "0F0,0F1,,,0B0,0B1\r\n,1F0,1F1,1B0,1B1\r\n");
    CHECK(fault(gpipe + "none/x", "old") ==
          "command line: --pytorch-csv: cannot write \"none/x\": No such file or directory\n");
  }

  TEST_CASE("a file of orders is not overwritten") {
    const std::string csv = "0F0,0F1,0B0,0B1\r\n1F0,1F1,1B0,1B1\r\n";
    CHECK(fault(kFile + std::string("--output ./x"), csv) ==
          "command line: --output: /output/file: \"./x\" is the file of the order too; a file of "
          "its own\n");
    CHECK(fault("export " + std::string(kFile) + "--pytorch-csv x", csv) ==
          "command line: --pytorch-csv: \"x\" is the file of the order too; a file of its own\n");
  }

  TEST_CASE("what is wrong with a file of orders") {
    const std::string csv = "0F0,0F1,0B0,0B1\r\n1F0,1F1,1B0,1B1\r\n";
    CHECK(fault(kFile, "0F0,0F1,0B0,0B1\r\n1F0,1F1,1B0 1B1\r\n") ==
          "x:2:9: rank 1, cell 3: \"1B0 1B1\" is no action; a stage, one of F, B, I, W, SEND_F, "
          "RECV_F, SEND_B, RECV_B, UNSHARD, RESHARD and REDUCE_GRAD, and a microbatch, such as "
          "0F1, or (0F7;7B3)OVERLAP_F_B, or nothing\n");
    CHECK(fault(kFile, csv + "\r\n") == "x: 3 rows, one for each rank; p = 2\n");
    CHECK(fault(kFile, "") == "x: 0 rows, one for each rank; p = 2\n");
    CHECK(fault(kFile, "device 0\n  0F0\n") == "x: 1 devices; p = 2\n");
    CHECK(fault(kFile, "device 0\n  repeat 1000000000000000000\n    0F0\n") ==
          "x:2:10: \"1000000000000000000\" is no number of repetitions here; an integer from 1 to "
          "2: each repetition is another microbatch\n");
    CHECK(fault(kFile, "0F0,0F1,0B0\r\n1F0,1F1,1B0,1B1\r\n") ==
          "x: 0B1 is missing on device 0; each op once\n");
    CHECK(fault(kFile, "0F0,0F1,0B0,0B1\r\n1F0,1F1,1B0,1B0\r\n") ==
          "x:2:13: 1B0 stands twice on device 1; each op once\n");
    CHECK(fault(kFile, "0F0,0F5,0B0,0B1\r\n1F0,1F1,1B0,1B1\r\n") ==
          "x:1:5: 0F5 on device 0 is not an op of this problem; stages 0 to 1, microbatches 0 to "
          "1\n");
    CHECK(fault(kFile, "0B0,0F0,0F1,0B1\r\n1F0,1F1,1B0,1B1\r\n", 1).find("deadlock") !=
          std::string::npos);
    CHECK(fault(kFile + std::string("--set schedule.file=none"), csv) ==
          "command line: --set schedule.file: /schedule/file: cannot read none: No such file or "
          "directory; a readable file\n");
    CHECK(fault(kFile + std::string("--set 'schedule.order=[\"\",\"\"]'"), csv) ==
          "command line: --set schedule.file: /schedule/file: a file beside an order; one of the "
          "two\n");
    CHECK(fault(std::string(kSize) +
                    "--schedule custom --set schedule.b_means=input_gradient --set "
                    "'schedule.order=[\"0F0\",\"1F0\"]'",
                csv) ==
          "command line: --set schedule.b_means: /schedule/b_means: says how to read a file; only "
          "with a file of PyTorch\n");
    CHECK(fault(kFile + std::string("--set schedule.b_means=BW"), csv) ==
          "command line: --set schedule.b_means: /schedule/b_means: \"BW\" is unknown; "
          "full_backward or input_gradient\n");
    CHECK(fault(kFile + std::string("--set schedule.b_means=full_backward"),
                "device 0\n  0F0\ndevice 1\n") ==
          "command line: --set schedule.b_means: /schedule/b_means: x is a program; only with a "
          "CSV file of PyTorch\n");
  }
}
