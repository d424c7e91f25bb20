// pipesim shapes as a user calls it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/process.hpp"
#include "tests/places.hpp"

using namespace pipesim::test;

namespace {

constexpr auto kExercise = "shapes --batch 8 --seq 128 --hidden 1024 --tp 4 ";

std::string shapes(const std::string& arguments) {
  const Outcome outcome = run_pipesim(kExercise + arguments);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err == "");
  return outcome.out;
}

std::string fault(const std::string& arguments, const std::string& config = "") {
  const TemporaryDirectory directory;
  directory.file("layer.json", config);
  const Outcome outcome = run_pipesim_in(directory, arguments);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out == "");
  return outcome.err;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("hw5_1 as a table") {
    CHECK(shapes("") == read_file(source_directory() + "/tests/golden/hw5_1_table.txt"));
  }

  TEST_CASE("the same from a file, from both, and through --set") {
    const TemporaryDirectory directory;
    directory.file("layer.json",
                   R"({"batch": 8, "seq": 128, "hidden": 1024, "tp": 2, "dtype": "fp32"})");
    const std::string expected = shapes("");
    CHECK(run_pipesim_in(directory, "shapes --config layer.json --tp 4").out == expected);
    CHECK(run_pipesim_in(directory, "shapes --set tp=4 --config layer.json").out == expected);
    CHECK(run_pipesim("shapes --config -", R"({"batch": 8, "seq": 128, "hidden": 1024, "tp": 4})")
              .out == expected);
    CHECK(run_pipesim_in(directory, "shapes --config layer.json").out != expected);
  }

  TEST_CASE("all pairings end with what each costs beside column/row") {
    const std::string text = shapes("--pairing all");
    CHECK(contains(text,
                   "  FFN            forward                         backward                   "
                   "             wire per rank  times the first\n"
                   "  column/row     all-reduce Z                    all-reduce dL/dX           "
                   "                    12 MiB                1\n"
                   "  row/row        reduce-scatter Y, all-reduce Z  all-gather dL/dY, "
                   "all-gather dL/dX             33 MiB             2.75\n"
                   "  column/column  all-gather A, all-gather Z      all-reduce dL/dX, "
                   "reduce-scatter dL/dA         33 MiB             2.75\n"
                   "  row/column     all-reduce Y, all-gather Z      all-gather dL/dX, "
                   "all-reduce dL/dA             54 MiB              4.5\n"));
  }

  TEST_CASE("JSON gives exact numbers") {
    const nlohmann::json document = nlohmann::json::parse(shapes("--format json"));
    CHECK(document.at("sizes").dump() ==
          R"({"batch":8,"dtype":"fp32","ffn":4096,"hidden":1024,"seq":128,)"
          R"("sequence_parallel":false,"tp":4})");
    const nlohmann::json& block = document.at("blocks").at(0);
    CHECK(block.at("name") == "FFN column/row");
    CHECK(block.at("tensors").at(1).dump() ==
          R"({"along":"f","bytes_on_rank":4194304,"copies":1,"dimensions":["d","f"],"name":"W1",)"
          R"("parts":4,"placement":"split","role":"weight of Linear1","shape":[1024,4096],)"
          R"("shape_on_rank":[1024,1024]})");
    CHECK(block.at("communication").at(0).at("collective").is_null());
    CHECK(block.at("communication").at(1).dump() ==
          R"({"bytes":4194304,"collective":"all-reduce","direction":"backward",)"
          R"("elements":1048576,"once_per_step":false,"operation":"Linear1","ranks":4,)"
          R"("reason":"sum over f, a rank has its slice of the terms","tensor":"dL/dX",)"
          R"("wire_bytes":6291456,"wire_factor":"3/2"})");
    CHECK(block.at("wire_bytes").dump() == R"({"backward":6291456,"forward":6291456})");
  }

  TEST_CASE("a whole layer of Llama 3 8B over 8 ranks, in bf16 with sequence parallelism") {
    const std::string text =
        run_pipesim(
            "shapes --batch 1 --seq 8192 --hidden 4096 --tp 8 --dtype bf16 --heads 32 --kv-heads 8 "
            "--ffn 14336 --vocab 128256 --sequence-parallel")
            .out;
    CHECK(contains(text, "a=32  g=8  h=128  V=128256  bf16\n"));
    CHECK(contains(text, "1x1024x4096        8 MiB  split along S\n"));
    CHECK(contains(text, "\nall blocks, wire per rank and microbatch: forward "));
  }

  TEST_CASE("bad input: place, numbers and the nearest name") {
    const std::string keys =
        "batch, seq, hidden, tp, dtype, pairing, ffn, heads, kv_heads, vocab, experts, top_k, ep, "
        "sequence_parallel, output";
    CHECK(fault("shapes") ==
          "command line: /batch: missing; required: an integer\n"
          "command line: /seq: missing; required: an integer\n"
          "command line: /hidden: missing; required: an integer\n"
          "command line: /tp: missing; required: an integer\n");
    CHECK(
        fault("shapes --sq 4") ==
        "command line: unknown argument \"--sq\"; see pipesim --help (did you mean \"--seq\"?)\n");
    CHECK(
        fault(std::string(kExercise) + "--dtype fp12 --pairing rowrow --format csv") ==
        "command line: --dtype: /dtype: \"fp12\" is unknown; fp32, bf16, fp16 or fp8 (did you mean "
        "\"fp32\"?)\n"
        "command line: --pairing: /pairing: \"rowrow\" is unknown; column/row, row/row, "
        "column/column, row/column or all (did you mean \"row/row\"?)\n"
        "command line: --format: /output/format: \"csv\" is unknown; table or json\n");
    CHECK(fault(std::string(kExercise) + "--experts 8 --pairing all --seq 0") ==
          "command line: --pairing: /pairing: experts are split column/row over tp; no pairing "
          "beside "
          "experts\n"
          "command line: --seq: /seq: 0 is too small; an integer from 1 to 16777216\n");
    CHECK(fault(std::string(kExercise) + "-p 4") ==
          "command line: -p: /p: unknown key; known keys: " + keys + "\n");
    CHECK(fault(std::string(kExercise) + "--no-header") ==
          "command line: --no-header: shapes has neither header nor formula; a run\n");
    CHECK(fault("shapes --config layer.json",
                "{\"batch\": 8, \"seq\": 128,\n \"hidden\": 1024, "
                "\"tp\": 4, \"dtyp\": \"fp32\"}") ==
          "layer.json:2:27: /dtyp: unknown key; known keys: " + keys +
              " (did you mean \"dtype\"?)\n");
    CHECK(fault("shapes --config layer.json",
                "{\"batch\": 8, \"seq\": 128, \"hidden\": 1024,\n"
                " \"tp\": 4, \"heads\": 30}") ==
          "layer.json:1:36: /hidden: needs hidden divisible by heads: 1024 % 30 = 4; a head has "
          "hidden / heads columns, such as 1020 or 1050\n"
          "layer.json:2:20: /heads: needs heads divisible by tp: 30 % 4 = 2; a head is on one "
          "rank, such as 28 or 32\n");
  }
}
