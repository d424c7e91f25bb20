// The sections model, parallel and hardware: what the reader accepts and refuses, and what costs a
// run has of them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "sim/hardware.hpp"
#include "sim/io/config.hpp"
#include "tests/configs.hpp"
#include "tests/models.hpp"

using namespace pipesim;
using test::Given;
using test::set;

namespace {

const std::string kModel =
    R"({"p": 4, "m": 8, "schedule": "1f1b",
 "model": {"layers": 8, "hidden": 1024, "heads": 16, "vocab": 51200, "seq": 2048},
 "parallel": {"tp": 2},
 "hardware": {"preset": "a100_80gb", "achievable": 0.5}})";

RunConfig config_with(const std::vector<std::string>& assignments) {
  std::vector<Override> overrides;
  overrides.reserve(assignments.size());
  for (const std::string& assignment : assignments) overrides.push_back(set(assignment));
  return test::load({.file = kModel, .overrides = overrides}).config;
}

ModelConfig model_with(const std::vector<std::string>& assignments) {
  return config_with(assignments).model.value_or(ModelConfig{});
}

/// What the reader says of the model config with one value set, or with none.
std::string fault_with(const std::string& assignment) {
  return test::faults_of({.file = kModel, .overrides = {set(assignment)}});
}

Problem problem_with(const std::vector<std::string>& assignments,
                     const Placement& placement = loop_placement(4, 1)) {
  return make_problem(config_with(assignments), placement);
}

std::string problem_fault(const std::vector<std::string>& assignments,
                          const Placement& placement = loop_placement(4, 1)) {
  const RunConfig config = config_with(assignments);
  try {
    make_problem(config, placement);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<std::int32_t> layers_with(const std::vector<std::string>& assignments,
                                      const Placement& placement = loop_placement(4, 1)) {
  return layers_by_stage(config_with(assignments), placement);
}

struct Refused {
  std::string assignment;
  std::string message;
};

void check_refused(const std::vector<Refused>& cases) {
  for (const auto& [assignment, message] : cases) {
    CAPTURE(assignment);
    const std::string path = assignment.substr(0, assignment.find('='));
    CHECK(fault_with(assignment) == fmt::format("command line: --set {}: /{}", path, message));
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a model is read, with its defaults") {
    const ModelConfig given = model_with({});
    Transformer expected = test::gpt(1024, 16);
    CHECK(given.transformer == expected);
    CHECK(given.layers ==
          LayersConfig{.kind = LayersKind::even, .count = 8, .by_stage = {}, .layout = ""});
    CHECK(given.parallel == ModelParallel{.tp = 2});
    CHECK(given.hardware.peak == FlopRate{312'000'000'000'000});
    CHECK(given.hardware.achievable == Decimal{Decimal::kOne / 2});
    CHECK(given.hardware.devices_per_node == 8);
    const ModelConfig all = model_with(
        {R"(model={"layers": "balance", "layer_count": 9, "hidden": 64, "heads": 8, "kv_heads": 4,
             "ffn": 100, "vocab": 128, "seq": 32, "microbatch": 3, "experts": 4,
             "top_k": 2, "activation": "swiglu", "normalization": "rmsnorm",
             "positions": "rotary", "bias": false, "tied_embeddings": false, "dtype": "fp8",
             "recompute": "selective"})",
         R"(parallel={"tp": 4, "sp": true, "ep": 2, "dp": 6, "tp_overlap": 0.25})",
         R"(hardware={"peak_flops": "1.5PFLOP/s", "achievable": 1, "memory_bandwidth": "1TB/s",
             "intra": {"latency": "1us", "bandwidth": "2GB/s"}, "inter": {"bandwidth": "8Gb/s"},
             "devices_per_node": 4})"});
    CHECK(all.transformer == Transformer{.hidden = 64,
                                         .heads = 8,
                                         .kv_heads = 4,
                                         .ffn = 100,
                                         .vocab = 128,
                                         .seq = 32,
                                         .microbatch = 3,
                                         .experts = 4,
                                         .top_k = 2,
                                         .activation = Activation::swiglu,
                                         .normalization = Normalization::rmsnorm,
                                         .positions = Positions::rotary,
                                         .bias = LinearBias::none,
                                         .embeddings = Embeddings::untied,
                                         .dtype = Dtype::fp8,
                                         .recompute = LayerRecompute::selective});
    CHECK(all.layers.kind == LayersKind::balance);
    CHECK(all.layers.count == 9);
    CHECK(all.parallel ==
          ModelParallel{
              .tp = 4, .sp = true, .ep = 2, .dp = 6, .tp_overlap = Decimal{Decimal::kOne / 4}});
    CHECK(all.hardware ==
          Hardware{.peak = {1'500'000'000'000'000},
                   .achievable = Decimal{Decimal::kOne},
                   .memory = {8'000'000'000'000},
                   .intra = {.latency = Ticks{1'000'000}, .bandwidth = {16'000'000'000}},
                   .inter = {.latency = {}, .bandwidth = {8'000'000'000}},
                   .devices_per_node = 4});
  }

  TEST_CASE("presets have their data sheet's numbers, and what is given replaces them") {
    const auto hardware = [](const std::vector<std::string>& assignments) {
      return model_with(assignments).hardware;
    };
    const Hardware h100 = hardware({"hardware.preset=h100_sxm"});
    CHECK(h100.peak == FlopRate{989'400'000'000'000});            // 1,979 teraFLOP/s with sparsity
    CHECK(h100.memory == Bandwidth{26'800'000'000'000});          // 3.35 TB/s
    CHECK(h100.intra.bandwidth == Bandwidth{3'600'000'000'000});  // 900 GB/s both directions
    CHECK(h100.inter.bandwidth == Bandwidth{400'000'000'000});
    CHECK(hardware({"hardware.preset=h100_sxm", "model.dtype=fp8"}).peak ==
          FlopRate{1'978'900'000'000'000});
    CHECK(hardware({"model.dtype=fp32"}).peak == FlopRate{19'500'000'000'000});
    CHECK(hardware({"hardware.preset=b200"}).peak == FlopRate{2'250'000'000'000'000});
    CHECK(hardware({"hardware.preset=h200"}).memory == Bandwidth{38'400'000'000'000});
    const Hardware changed = hardware({"hardware.intra.latency=1us", "hardware.peak_flops=2FLOP/s",
                                       "hardware.devices_per_node=4"});
    CHECK(changed.intra ==
          Connection{.latency = Ticks{1'000'000}, .bandwidth = Bandwidth{2'400'000'000'000}});
    CHECK(changed.peak == FlopRate{2});
    CHECK(changed.devices_per_node == 4);
    for (const HardwarePreset& preset : hardware_presets()) CHECK(!preset.source.empty());
  }

  TEST_CASE("values of a model that cannot be") {
    check_refused({
        {"model.layers=0", "model/layers: 0 is too small; an integer from 1 to 10000"},
        {"model.layers=true",
         "model/layers: true is a boolean; a number of layers, an array with one for each stage, "
         "a layout such as \"Et*12|t*12L\", or \"balance\""},
        {"model.layers=[]",
         "model/layers: no layers; a number of layers, an array with one for each stage, "
         "a layout such as \"Et*12|t*12L\", or \"balance\""},
        {"model.layers=Et*3|x",
         "model/layers: character 6: 'x' is no part of a layout; "
         "E, t, L, |, groups in parentheses, and *n behind one of them"},
        {"model.layers=E|L", "model/layers: 0 layers; 1 to 10000 layers"},
        {"model.layer_count=8",
         "model/layer_count: layer_count beside a number of layers; "
         "only with a list, a layout or \"balance\""},
        {"model.head=8",
         "model/head: unknown key; known keys: layers, layer_count, hidden, heads, kv_heads, ffn, "
         "vocab, seq, microbatch, experts, top_k, activation, normalization, positions, bias, "
         "tied_embeddings, dtype, recompute "
         "(did you mean \"heads\"?)"},
        {"model.dtype=bf8", "model/dtype: \"bf8\" is unknown; fp32, bf16, fp16 or fp8"},
        {"model.activation=geglu",
         "model/activation: \"geglu\" is unknown; gelu or swiglu (did you mean \"gelu\"?)"},
        {"model.normalization=rms",
         "model/normalization: \"rms\" is unknown; layernorm or rmsnorm (did you mean "
         "\"rmsnorm\"?)"},
        {"hardware.preset=H100",
         "hardware/preset: \"H100\" is unknown; a100_80gb, h100_sxm, h200 or "
         "b200 (did you mean \"h100_sxm\"?)"},
        {"model.layers=Et*10000000000L",
         "model/layers: character 3: a count of 10000000000; an integer from 1 to 1048576"},
        {"model.positions=rope", "model/positions: \"rope\" is unknown; learned or rotary"},
        {"model.bias=0", "model/bias: 0 is a number; true or false"},
        {"model.tied_embeddings=no", "model/tied_embeddings: \"no\" is a string; true or false"},
        {"model.experts=4",
         "model/experts: experts with tp = 2 without sp: every rank would send the same tokens; "
         "parallel.sp true, so that each sends its own positions; or tp 1"},
        {"model.recompute=true", "model/recompute: true is a boolean; none, selective or full"},
        {"model.top_k=2", "model/top_k: 2 is too large; an integer from 1 to 1"},
        {"parallel.sp=1", "parallel/sp: 1 is a number; true or false"},
        {"parallel={\"sp\": true}",
         "parallel/sp: sp with tp = 1; a tp above 1, whose ranks share a sequence"},
        {"parallel.tp_overlap=1.5",
         "parallel/tp_overlap: 1.5 is too large; a fraction from 0 to 1"},
        {"hardware.preset=h100_sxmm",
         "hardware/preset: \"h100_sxmm\" is unknown; a100_80gb, h100_sxm, h200 or b200 "
         "(did you mean \"h100_sxm\"?)"},
        {"hardware.achievable=0",
         "hardware/achievable: 0 is too small; a fraction above 0, at most 1"},
        {"hardware.memory_bandwidth=0GB/s",
         "hardware/memory_bandwidth: \"0GB/s\" carries nothing; a bandwidth above 0"},
        {"hardware.intra.bandwidth=0GB/s",
         "hardware/intra/bandwidth: \"0GB/s\" carries nothing; a bandwidth above 0"},
        {"hardware.peak_flops=0TFLOP/s",
         "hardware/peak_flops: \"0TFLOP/s\" computes nothing; a rate above 0"},
        {"hardware.peak_flops=312",
         "hardware/peak_flops: 312 has no unit; a rate such as \"312TFLOP/s\""},
        {"hardware.peak_flops=312TFLOPS",
         "hardware/peak_flops: \"312TFLOPS\" has an unknown unit; "
         "FLOP/s, KFLOP/s, MFLOP/s, GFLOP/s, TFLOP/s or PFLOP/s"},
    });
  }

  TEST_CASE("splits that leave a rest") {
    const auto faults = [](const std::vector<std::string>& assignments) {
      Given given{.file = kModel};
      for (const std::string& assignment : assignments) {
        given.overrides.push_back(set(assignment));
      }
      return test::faults_of(given);
    };
    CHECK(faults({"parallel.tp=7"}) ==
          "run.json:2:35: /model/hidden: hidden = 1024 is not divisible by tp = 7: 1024 % 7 = 2; "
          "a part for each rank\n"
          "run.json:2:50: /model/heads: heads = 16 is not divisible by tp = 7: 16 % 7 = 2; "
          "whole heads on each rank\n"
          "run.json:2:63: /model/vocab: vocab = 51200 is not divisible by tp = 7: 51200 % 7 = 2; "
          "a part for each rank: pad it to 51205");
    CHECK(faults({"model.heads=12"}) ==
          "run.json:2:35: /model/hidden: hidden = 1024 is not divisible by heads = 12: "
          "1024 % 12 = 4; heads of equal width");
    CHECK(faults({"model.kv_heads=3"}) ==
          "run.json:2:50: /model/heads: heads = 16 is not divisible by kv_heads = 3: 16 % 3 = 1; "
          "as many heads for each of keys and values\n"
          "command line: --set model.kv_heads: /model/kv_heads: kv_heads = 3 is not divisible by "
          "tp = 2: 3 % 2 = 1; whole heads on each rank");
    CHECK(faults({"model.ffn=99"}) ==
          "command line: --set model.ffn: /model/ffn: ffn = 99 is not divisible by tp = 2: "
          "99 % 2 = 1; a part for each rank");
    CHECK(faults({"model.seq=2047", "parallel.sp=true"}) ==
          "command line: --set model.seq: /model/seq: seq = 2047 is not divisible by tp = 2: "
          "2047 % 2 = 1; with sp, a part for each rank");
    CHECK(faults({"model.seq=2047"}) == "");
    CHECK(faults({"model.experts=6", "parallel.ep=4", "parallel.dp=6", "parallel.sp=true"}) ==
          "command line: --set model.experts: /model/experts: experts = 6 is not divisible by "
          "ep = 4: 6 % 4 = 2; as many experts on each rank\n"
          "command line: --set parallel.dp: /parallel/dp: dp = 6 is not divisible by ep = 4: "
          "6 % 4 = 2; replicas in groups that share the experts");
  }

  TEST_CASE("a layout with another number of layers says where") {
    const auto fault = [](const std::string& layout, int count) {
      return test::faults_of({.file = kModel,
                              .overrides = {set("model.layers=\"" + layout + "\""),
                                            set("model.layer_count=" + std::to_string(count))}});
    };
    const std::string at = "command line: --set model.layers: /model/layers: ";
    CHECK(fault("Et*2|t*2|t*2|t*2L", 8) == "");
    CHECK(fault("Et*2|t*2|t*2|t*2L", 9) ==
          at + "character 18: the end after 8 layers; layer_count = 9");
    CHECK(fault("Et*2|t*2|t*2|t*2L", 5) == at + "character 10: layer 6 of 8; layer_count = 5");
    CHECK(fault("Et*2|t*2|ttxL", 8) ==
          at + "character 12: 'x' is no part of a layout; "
               "E, t, L, |, groups in parentheses, and *n behind one of them");
    CHECK(test::faults_of(
              {.file = kModel,
               .overrides = {set("model.layers=[2, 2, 2, 1]"), set("model.layer_count=8")}}) ==
          at + "7 layers on all stages; layer_count = 8");
    CHECK(fault_with("model.layers=balance") ==
          "run.json:2:11: /model/layer_count: missing; required: the number of layers to balance");
  }

  TEST_CASE("a model beside what it stands in place of") {
    for (const std::string key : {"t_f", "t_b", "t_w", "t_r"}) {
      CHECK(fault_with(key + "=1") ==
            fmt::format("command line: --set {0}: /{0}: {0} beside model; one of the two: all of a "
                        "stage's costs follow from the model",
                        key));
    }
    CHECK(fault_with("costs=a.csv") ==
          "command line: --set costs: /costs: costs beside model; "
          "one of the two: all of a stage's costs follow from the model");
    CHECK(fault_with("last={}") ==
          "command line: --set last: /last: last beside model; "
          "one of the two: all of a stage's costs follow from the model");
    CHECK(fault_with("t_fb=1") == "");
    CHECK(test::faults_of({.file = kModel,
                           .overrides = {set("model.recompute=full"), set("recompute=true")}}) ==
          "command line: --set recompute: /recompute: recompute beside model.recompute full; "
          "one of the two: every layer is computed again already");
    CHECK(fault_with("recompute=true") == "");
    CHECK(fault_with("memory.limit=4") ==
          "command line: --set memory.limit: /memory/limit: a limit in microbatches beside model; "
          "bytes such as \"80GiB\"");
    CHECK(fault_with("memory.limit=80GiB") == "");
    CHECK(test::faults_of(test::overridden({set("parallel={}"), set("hardware={}")})) ==
          "command line: --set parallel: /parallel: parallel without model; "
          "model, whose costs it decides\n"
          "command line: --set hardware: /hardware: hardware without model; "
          "model, whose costs it decides");
  }

  TEST_CASE("what a model needs") {
    CHECK(test::faults_of(R"({"p": 1, "m": 1, "schedule": "1f1b", "model": {}})") ==
          "run.json:1:1: /hardware: missing; required: an object with a preset, or with the rates "
          "of a machine\n"
          "run.json:1:47: /model/layers: missing; required: a number of layers, an array with one "
          "for each stage, a layout such as \"Et*12|t*12L\", or \"balance\"\n"
          "run.json:1:47: /model/hidden: missing; required: an integer from 1 to 4194304\n"
          "run.json:1:47: /model/heads: missing; required: an integer from 1 to 65536\n"
          "run.json:1:47: /model/vocab: missing; required: an integer from 1 to 16777216\n"
          "run.json:1:47: /model/seq: missing; required: an integer from 1 to 16777216");
    CHECK(fault_with("hardware={\"intra\": {}, \"inter\": {}}") ==
          "command line: --set hardware: /hardware/peak_flops: missing; "
          "required: a rate such as \"312TFLOP/s\"\n"
          "command line: --set hardware: /hardware/memory_bandwidth: missing; "
          "required: a bandwidth such as \"50GB/s\" or \"100Gb/s\"\n"
          "command line: --set hardware: /hardware/achievable: missing; "
          "required: a fraction above 0, at most 1\n"
          "command line: --set hardware: /hardware/intra/bandwidth: missing; "
          "required: a bandwidth such as \"50GB/s\" or \"100Gb/s\"\n"
          "command line: --set hardware: /hardware/inter/bandwidth: missing; "
          "required: a bandwidth such as \"50GB/s\" or \"100Gb/s\"");
    CHECK(fault_with("model.dtype=fp8") ==
          "run.json:4:25: /hardware/preset: a100_80gb does not compute in fp8; "
          "another dtype, or hardware.peak_flops");
  }

  TEST_CASE("layers over stages") {
    CHECK(layers_with({}) == std::vector<std::int32_t>{2, 2, 2, 2});
    CHECK(layers_with({}, loop_placement(4, 2)) == std::vector<std::int32_t>(8, 1));
    CHECK(layers_with({"model.layers=[3, 2, 2, 1]"}) == std::vector<std::int32_t>{3, 2, 2, 1});
    CHECK(layers_with({"model.layers=\"Et*3|t*2|t*2|tL\""}) ==
          std::vector<std::int32_t>{3, 2, 2, 1});
    // The head of vocab 51200 takes about as long as 3 layers of hidden 1024 and seq 2048.
    CHECK(layers_with({"model.layers=balance", "model.layer_count=24"}) ==
          std::vector<std::int32_t>{6, 7, 7, 4});
    CHECK(problem_fault({"model.layers=10"}) ==
          "/model/layers: 10 layers do not split evenly over p = 4 stages: 10 % 4 = 2; "
          "a multiple, an array with a number for each stage, a layout, or \"balance\"");
    CHECK(problem_fault({"model.layers=12"}, loop_placement(4, 2)) ==
          "/model/layers: 12 layers do not split evenly over 8 stages on p = 4 devices: "
          "12 % 8 = 4; "
          "a multiple, an array with a number for each stage, a layout, or \"balance\"");
    CHECK(problem_fault({"model.layers=[3, 2]"}) ==
          "/model/layers: array of 2; a number of layers for each of the p = 4 stages");
    CHECK(problem_fault({"model.layers=\"Et|t*7L\""}) ==
          "/model/layers: character 8: the end after 2 stages; a layout of p = 4 stages");
    CHECK(problem_fault({"model.layers=\"Et|t|t|t|tL\""}) ==
          "/model/layers: character 9: stage 4 of 5 begins; a layout of p = 4 stages");
    CHECK(problem_fault({"model.layers=balance", "model.layer_count=3"}) ==
          "/model/layer_count: 3 layers for p = 4 stages; "
          "at least a layer for each stage to choose from");
  }

  TEST_CASE("costs of a stage are those of its parts") {
    const ModelConfig model = model_with({});
    const auto times = [&](ModelPart part) {
      return pass_times(model.transformer, model.parallel, model.hardware, part);
    };
    const PassTimes layer = times(ModelPart::layer);
    const PassTimes embedding = times(ModelPart::embedding);
    const PassTimes head = times(ModelPart::head);
    const Problem problem = problem_with({"model.layers=[3, 2, 2, 1]"});
    CHECK(problem.costs[0].forward == embedding.forward + layer.forward * 3);
    CHECK(problem.costs[1].forward == layer.forward * 2);
    CHECK(problem.costs[1].backward == (layer.input + layer.weight) * 2);
    CHECK(problem.costs[1].weight == layer.weight * 2);
    CHECK(problem.costs[3].forward == layer.forward + head.forward);
    CHECK(problem.costs[3].backward == layer.input + layer.weight + head.input + head.weight);
    CHECK(problem.costs[3].weight == layer.weight + head.weight);
    // With full recomputation the weight gradient cannot wait.
    CHECK(!problem_with({"model.recompute=full"}).costs[1].weight);
  }

  TEST_CASE("memory of a stage, and what is given in its place") {
    const ModelConfig model = model_with({});
    const auto memory = [&](ModelPart part) {
      return rank_memory(model.transformer, model.parallel, part);
    };
    const RankMemory layer = memory(ModelPart::layer);
    const RankMemory embedding = memory(ModelPart::embedding);
    const RankMemory head = memory(ModelPart::head);
    const Problem problem = problem_with({});
    CHECK(problem.memory.in_bytes);
    const auto& stages = problem.memory.stages;
    CHECK((stages[0].activation == layer.activation.count * 2 + embedding.activation.count));
    CHECK((stages[1].kept_for_weight == layer.kept_for_weight.count * 2));
    CHECK((stages[1].parameters == layer.weights.count * 2));
    CHECK((stages[3].resident == (layer.weights.count + layer.optimizer.count) * 2 +
                                     head.weights.count + head.optimizer.count));
    // Where first and last stage are on one device, it has one embedding, and the last norm.
    const auto last_parameters = [](const std::vector<std::string>& assignments) {
      return problem_with(assignments, v_placement(4)).memory.stages[7].parameters;
    };
    CHECK((last_parameters({}) == layer.weights.count + 2 * 2 * 1024));
    CHECK((last_parameters({"model.tied_embeddings=false"}) ==
           layer.weights.count + head.weights.count));
    const Problem given = problem_with({"memory.parameters=5", "memory.activation=100"});
    CHECK(given.memory.stages[2].parameters == 5);
    CHECK(given.memory.stages[2].activation == 100);
    CHECK(given.memory.stages[2].kept_for_weight == 50);
    CHECK((given.memory.stages[2].resident == 5 + layer.optimizer.count * 2));
  }

  TEST_CASE("links are the hardware's unless they are given") {
    const std::int64_t bytes = 2048 * 1024 * 2;
    CHECK(message_bytes(config_with({})) == bytes);
    CHECK(message_bytes(config_with({"parallel.sp=true"})) == bytes / 2);
    CHECK(message_bytes(config_with({"p2p.bytes=7"})) == 7);
    const Hardware a100 = model_with({}).hardware;
    const Link intra{.latency = a100.intra.latency,
                     .occupancy = transfer_time(Bytes(bytes), a100.intra.bandwidth)};
    const Link inter{.latency = a100.inter.latency,
                     .occupancy = transfer_time(Bytes(bytes), a100.inter.bandwidth)};
    // Four stages of two ranks in a node of eight.
    const Problem problem = problem_with({});
    CHECK(problem.communication.devices_per_node == 4);
    CHECK(problem.link(Device{0}, Device{1}) == intra);
    CHECK(problem.communication.inter == inter);
    CHECK(problem_with({"parallel.tp=8"}).link(Device{0}, Device{1}) == inter);
    // Replicas of a stage stand between it and the next.
    CHECK(problem_with({"parallel.dp=4"}).link(Device{0}, Device{1}) == inter);
    CHECK(problem_with({"parallel.dp=2"}).communication.devices_per_node == 2);
    const Problem given = problem_with({"p2p.latency=3ps"});
    CHECK(given.communication.intra == Link{.latency = Ticks{3}, .occupancy = {}});
    CHECK(problem_with({"p2p.devices_per_node=1"}).link(Device{0}, Device{1}) == inter);
  }

  TEST_CASE("replicas reduce their gradients at the end of a step") {
    CHECK(problem_with({}).iterations.grad_sync.empty());
    const ModelConfig model = model_with({"parallel.dp=2"});
    const Ticks layer =
        gradient_sync(model.transformer, model.parallel, model.hardware, ModelPart::layer);
    CHECK(problem_with({"parallel.dp=2"}).iterations.grad_sync[1] == layer * 2);
    CHECK(problem_with({"parallel.dp=2", "iterations.grad_sync=4ps"}).iterations.grad_sync[1] ==
          Ticks{4});
    CHECK(problem_with({"parallel.dp=2", "iterations.overlap_grad_sync=true"})
              .iterations.overlap_grad_sync);
    CHECK(problem_with({"parallel.dp=2", "iterations.flush=false"}).iterations.grad_sync.empty());
  }

  TEST_CASE("the resolved config gives the same run again, without the preset's name") {
    for (const std::vector<std::string>& changes : std::vector<std::vector<std::string>>{
             {},
             {"model.layers=[3, 2, 2, 1]", "model.layer_count=8"},
             {"model.layers=\"Et*3|t*2|t*2|tL\""},
             {"model.layers=balance", "model.layer_count=9"},
             {"model.experts=4", "model.top_k=2", "parallel.dp=4", "parallel.ep=2",
              "parallel.sp=true", "parallel.tp_overlap=0.123456789", "model.dtype=fp16"},
             {"model.activation=swiglu", "model.normalization=rmsnorm", "model.positions=rotary",
              "model.bias=false", "model.tied_embeddings=false"}}) {
      const RunConfig config = config_with(changes);
      const std::string resolved = resolved_json(config);
      CAPTURE(resolved);
      CHECK(test::config_of(resolved) == config);
      CHECK(config_hash(test::config_of(resolved)) == config_hash(config));
      CHECK(resolved.find("a100") == std::string::npos);
    }
    CHECK(config_hash(config_with({"parallel.dp=2"})) != config_hash(config_with({})));
  }
}
