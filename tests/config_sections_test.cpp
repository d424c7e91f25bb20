// What the reader accepts and refuses of the sections p2p, memory, recompute, iterations,
// variation, and of a custom order. Numbers are in ms.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/io/config.hpp"
#include "tests/configs.hpp"

using namespace pipesim;
using test::faults_of;
using test::overridden;
using test::set;

namespace {

struct Case {
  std::string key;
  std::string value;
  std::string message;
};

RunConfig config_with(const std::string& key, const std::string& value) {
  return test::load(overridden({set(key + "=" + value)})).config;
}

void check_refused(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.key);
    CAPTURE(c.value);
    CHECK(faults_of(overridden({set(c.key + "=" + c.value)})) ==
          "command line: --set " + c.key + ": /" + c.message);
  }
}

Ticks ms(std::int64_t count) { return Ticks{count * 1'000'000'000}; }

/// The config with the schedule custom and this order of one device.
std::string faults_of_order(const std::string& lane) {
  return faults_of(overridden({set(R"(schedule={"name": "custom", "order": [")" + lane + "\"]}")}));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("p2p is read") {
    const P2pConfig given =
        config_with("p2p", R"({"mode": "single_stream", "latency": 0.5, "bytes": "1KiB",
                              "bandwidth": "100Gb/s", "recv_posting": "just_in_time"})")
            .p2p;
    CHECK(given.mode == TransferMode::single_stream);
    CHECK(given.recv_posting == RecvPosting::just_in_time);
    CHECK(given.hop ==
          HopConfig{.latency = Ticks{500'000'000}, .bandwidth = Bandwidth{100'000'000'000}});
    CHECK(given.bytes == 1024);
    CHECK(!given.devices_per_node);
    CHECK(config_with("p2p", "{}").p2p == P2pConfig{});
    const P2pConfig nodes =
        config_with("p2p", R"({"devices_per_node": 2, "bytes": 7, "latency": [[0, 1], ["2ms", 0]],
                              "shared_link": {"bandwidth": "1B/s"}})")
            .p2p;
    CHECK(nodes.devices_per_node == 2);
    CHECK(nodes.shared_link == Bandwidth{8});
    CHECK(nodes.latencies == std::vector<std::vector<Ticks>>{{Ticks{0}, ms(1)}, {ms(2), Ticks{0}}});
    const P2pConfig hops = config_with("p2p", R"({"devices_per_node": 8, "intra": {"latency": 1},
                              "inter": {"latency": 2, "bandwidth": "3KB/s"}})")
                               .p2p;
    CHECK(hops.intra == HopConfig{.latency = ms(1)});
    CHECK(hops.inter == HopConfig{.latency = ms(2), .bandwidth = Bandwidth{24'000}});
  }

  TEST_CASE("p2p that cannot be") {
    const std::string bandwidths =
        "B/s, KB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s, GiB/s or TiB/s, with b for bits";
    const std::string such = "a bandwidth such as \"50GB/s\" or \"100Gb/s\"";
    check_refused({
        {"p2p.mode", "asynch",
         "p2p/mode: \"asynch\" is unknown; free, async, single_stream or rendezvous "
         "(did you mean \"async\"?)"},
        {"p2p.bandwith", "1",
         "p2p/bandwith: unknown key; known keys: mode, latency, bytes, bandwidth, "
         "devices_per_node, intra, inter, recv_posting, shared_link "
         "(did you mean \"bandwidth\"?)"},
        {"p2p.latency", "-1", "p2p/latency: -1 is negative; a time of at least 0"},
        {"p2p.latency", "[[0, 1], [1, 2]]",
         "p2p/latency/1/1: a latency from a device to itself; 0: hops inside a device are free"},
        {"p2p.latency", "[]",
         "p2p/latency: array of 0; one latency, or a matrix with a row for each sender"},
        {"p2p.latency", "[1]",
         "p2p/latency/0: 1 is a number; a row of latencies, one for each receiver"},
        {"p2p.bytes", "5",
         "p2p/bytes: bytes without a bandwidth; "
         "p2p.bandwidth, or that of intra, inter or shared_link"},
        {"p2p.bytes", "\"5\"", "p2p/bytes: \"5\" has no unit; bytes such as 1024 or \"16MiB\""},
        {"p2p.bandwidth", "0GB/s", "p2p/bandwidth: \"0GB/s\" carries nothing; a bandwidth above 0"},
        {"p2p.bandwidth", "5", "p2p/bandwidth: 5 has no unit; " + such},
        {"p2p.bandwidth", "5GB", "p2p/bandwidth: \"5GB\" has an unknown unit; " + bandwidths},
        {"p2p.bandwidth", "fast", "p2p/bandwidth: \"fast\" has no number; " + such},
        {"p2p.bandwidth", "0.3b/s",
         "p2p/bandwidth: \"0.3b/s\" is too fine; a whole number of its smallest unit"},
        {"p2p.bandwidth", "9e18TB/s",
         "p2p/bandwidth: \"9e18TB/s\" is too large; below 2^63 of its smallest unit"},
        {"p2p.devices_per_node", "0",
         "p2p/devices_per_node: 0 is too small; an integer from 1 to 2147483647"},
        {"p2p", R"({"intra": {}})",
         "p2p/intra: intra without devices_per_node; "
         "p2p.devices_per_node, which says where a node ends"},
        {"p2p", R"({"devices_per_node": 2, "latency": 1, "inter": {}})",
         "p2p/inter: inter beside p2p.latency; one of the two: p2p.latency is of every hop"},
        {"p2p", R"({"devices_per_node": 2, "bandwidth": "1B/s", "intra": {}})",
         "p2p/intra: intra beside p2p.bandwidth; one of the two: p2p.bandwidth is of every hop"},
        {"p2p", R"({"shared_link": {"bandwidth": "1B/s"}})",
         "p2p/shared_link: shared_link without devices_per_node; "
         "p2p.devices_per_node, which says where a node ends"},
        {"p2p", R"({"mode": "rendezvous", "devices_per_node": 1,
                    "shared_link": {"bandwidth": "1B/s"}})",
         "p2p/shared_link: shared_link in the mode rendezvous; "
         "free or async: the other modes fix the order of transfers"},
        {"p2p", R"({"devices_per_node": 1, "shared_link": {}})",
         "p2p/shared_link/bandwidth: missing; required: " + such},
        {"p2p", R"({"mode": "async", "recv_posting": "eager"})",
         "p2p/recv_posting: recv_posting in the mode async; "
         "single_stream or rendezvous: elsewhere nothing waits for a receive"},
    });
  }

  TEST_CASE("memory and recompute are read") {
    CHECK(config_with("memory.limit", "2.5").memory_limit ==
          MemoryLimit{.microbatches = Decimal{2'500'000'000}});
    const RunConfig config =
        config_with("memory", R"({"limit": "80GiB", "activation": "2GB", "activation_w": [1, "2KB"],
                                 "parameters": 3, "optimizer": "1.5KiB"})");
    CHECK(config.memory_limit == MemoryLimit{.bytes = 85'899'345'920});
    CHECK(config.memory.activation == BytesSpec{.values = {2'000'000'000}, .is_list = false});
    CHECK(config.memory.activation_w == BytesSpec{.values = {1, 2000}, .is_list = true});
    CHECK(config.memory.parameters == BytesSpec{.values = {3}, .is_list = false});
    CHECK(config.memory.optimizer == BytesSpec{.values = {1536}, .is_list = false});
    CHECK(config_with("recompute", "true").recompute == RecomputeConfig{.all = true, .stages = {}});
    CHECK(config_with("recompute", "false").recompute == RecomputeConfig{});
    CHECK(config_with("recompute", "[3, 0]").recompute ==
          RecomputeConfig{.all = false, .stages = {0, 3}});
  }

  TEST_CASE("memory and recompute that cannot be") {
    const std::string limit = "a number of microbatches above 0, or bytes such as \"80GiB\"";
    check_refused({
        {"memory.limit", "-1", "memory/limit: -1 is negative; " + limit},
        {"memory.limit", "null", "memory/limit: null; " + limit},
        {"memory.limit", "1e-10", "memory/limit: 1e-10 is too fine; at most 9 decimal places"},
        {"memory.limit", "1e10", "memory/limit: 1e10 is too large; below 9223372036.854775808"},
        {"memory", R"({"limit": "0B", "activation": 1})",
         "memory/limit: \"0B\" is too small; " + limit},
        {"memory.limit", "80GiB",
         "memory/limit: a limit in bytes without memory.activation; "
         "memory.activation, or a number of microbatches"},
        {"memory", R"({"limit": 4, "activation": 1})",
         "memory/limit: a limit in microbatches beside memory.activation; "
         "bytes such as \"80GiB\""},
        {"memory.parameters", "5",
         "memory/parameters: parameters without activation; "
         "memory.activation: without it memory is counted in microbatches"},
        {"memory.activation", "[1, \"2Gib\"]",
         "memory/activation/1: \"2Gib\" has an unknown unit; "
         "B, KB, MB, GB, TB, KiB, MiB, GiB or TiB"},
        {"memory.activation", "1.5",
         "memory/activation: 1.5 is not an integer; an integer from 0 to 9223372036854775807"},
        {"memory.activation", "-2GB",
         "memory/activation: \"-2GB\" is negative; bytes such as 1024 or \"16MiB\""},
        {"recompute", "1", "recompute: 1 is a number; true, false or an array of stages"},
        {"recompute", "[1, 2, 1]", "recompute: stage 1 stands twice; each stage once"},
    });
  }

  TEST_CASE("iterations and variation are read") {
    const IterationsConfig iterations =
        config_with("iterations", R"({"count": 3, "grad_sync": [1, 2, 3, 4], "optimizer": "2ms",
                                     "overlap_grad_sync": true, "barrier": true})")
            .iterations;
    CHECK(iterations.count == 3);
    CHECK(iterations.flush.value);
    CHECK(iterations.grad_sync ==
          TimeSpec{.values = {ms(1), ms(2), ms(3), ms(4)}, .is_list = true});
    CHECK(iterations.optimizer == TimeSpec{.values = {ms(2)}, .is_list = false});
    CHECK(iterations.overlap_grad_sync);
    CHECK(iterations.barrier);
    CHECK(
        !config_with("iterations", R"({"flush": false, "barrier": false})").iterations.flush.value);

    const VariationConfig variation =
        config_with("variation",
                    R"({"microbatch_scale": [1, 0.5], "launch_overhead": "1ps", "seed": 7,
                        "trials": 9, "jitter": {"cv": 0.125},
                        "stragglers": [{"device": 1, "factor": 1.5, "from": 1, "to": 2},
                                       {"device": 0, "factor": 3}]})")
            .variation;
    CHECK(variation.microbatch_scale == std::vector{Decimal{1'000'000'000}, Decimal{500'000'000}});
    CHECK(variation.launch_overhead == Ticks{1});
    CHECK(variation.seed == 7);
    CHECK(variation.trials == 9);
    CHECK(variation.jitter == JitterConfig{.kind = JitterKind::lognormal, .cv = {125'000'000}});
    CHECK(variation.jitter.value_or(JitterConfig{}).cv.value() == 0.125);
    CHECK(variation.stragglers ==
          std::vector<StragglerConfig>{
              {.device = 1, .factor = {1'500'000'000}, .from = ms(1), .to = ms(2)},
              {.device = 0, .factor = {3'000'000'000}, .from = {}, .to = {}}});
  }

  TEST_CASE("iterations and variation that cannot be") {
    check_refused({
        {"iterations.count", "0",
         "iterations/count: 0 is too small; an integer from 1 to 2147483647"},
        {"iterations.flush", "yes", "iterations/flush: \"yes\" is a string; true or false"},
        {"iterations", R"({"flush": false, "optimizer": 1})",
         "iterations/optimizer: optimizer with flush false; "
         "flush true: without a flush no step ends before the next begins"},
        {"iterations", R"({"flush": false, "barrier": true})",
         "iterations/barrier: barrier with flush false; "
         "flush true: without a flush no step ends before the next begins"},
        {"variation.microbatch_scale", "2",
         "variation/microbatch_scale: 2 is a number; an array with a number for each microbatch"},
        {"variation.microbatch_scale", "[-1]",
         "variation/microbatch_scale/0: -1 is negative; a number of at least 0 such as 1.25"},
        {"variation.jitter", R"({"kind": "gauss", "cv": 1})",
         "variation/jitter/kind: \"gauss\" is unknown; lognormal or normal"},
        {"variation.jitter", "{}",
         "variation/jitter/cv: missing; required: a coefficient of variation such as 0.1"},
        {"variation.stragglers", R"([{"factor": 2}])",
         "variation/stragglers/0/device: missing; required: a device from 0 to p - 1"},
        {"variation.stragglers", R"([{"device": 0, "factor": 0}])",
         "variation/stragglers/0/factor: 0 is too small; a number above 0 such as 1.5"},
        {"variation.stragglers", R"([{"device": 0, "factor": 2, "from": 3, "to": 3}])",
         "variation/stragglers/0/to: the window ends before it begins; a time after from"},
        {"variation.trials", "2",
         "variation/trials: trials without jitter are all the same; trials with variation.jitter"},
        {"variation.trails", "5",
         "variation/trails: unknown key; known keys: microbatch_scale, launch_overhead, "
         "stragglers, jitter, seed, trials (did you mean \"trials\"?)"},
    });
  }

  TEST_CASE("first, last and costs that cannot be") {
    check_refused({
        {"first", R"({"t_w": 1})",
         "first/t_w: first.t_w without t_w; t_w, the weight gradient's part of t_b"},
        {"last", R"({"t_r": 1})",
         "last/t_r: unknown key; known keys: t_f, t_b, t_w "
         "(did you mean \"t_f\"?)"},
    });
    CHECK(faults_of(overridden({set("costs=costs.csv")})) ==
          "run.json:1:25: /t_f: t_f beside costs; "
          "one of the two: the file holds all of a stage's costs\n"
          "run.json:1:35: /t_b: t_b beside costs; "
          "one of the two: the file holds all of a stage's costs");
  }

  TEST_CASE("an order is read") {
    const RunConfig config =
        test::load(
            overridden({set(
                R"x(schedule={"name": "custom", "order": [" 0F0 (0F1;0I0)OVERLAP_F_B\t0W0", "(1F3;2B1)"]})x")}))
            .config;
    const auto op = [](OpKind kind, int stage, int microbatch) {
      return Op{.kind = kind, .stage = Stage{stage}, .microbatch = Microbatch{microbatch}};
    };
    const StepOrders expected = {
        {Step{.op = op(OpKind::forward, 0, 0)},
         Step{.op = op(OpKind::forward, 0, 1), .overlapped = op(OpKind::backward_input, 0, 0)},
         Step{.op = op(OpKind::backward_weight, 0, 0)}},
        {Step{.op = op(OpKind::forward, 1, 3), .overlapped = op(OpKind::backward, 2, 1)}}};
    CHECK(config.parameters.at("order") == ParameterValue{expected});
    CHECK(resolved_json(config).find(R"x("order": ["0F0 (0F1;0I0) 0W0", "(1F3;2B1)"])x") !=
          std::string::npos);
  }

  TEST_CASE("an order that cannot be") {
    const std::string place = "command line: --set schedule: /schedule/order/0: ";
    const std::string tokens = "; tokens such as 0F0, 1B3, 1I3, 1W3 or (0F3;7B1)";
    CHECK(faults_of_order("0F0  0G0") ==
          place + "token 2 \"0G0\" at character 6 is no op" + tokens);
    CHECK(faults_of_order("(0F0") == place + "token 1 \"(0F0\" at character 1 is no pair" + tokens);
    CHECK(faults_of_order("(0F0;x)") ==
          place + "token 1 \"(0F0;x)\" at character 1 is no pair" + tokens);
    CHECK(faults_of_order("(;)") == place + "token 1 \"(;)\" at character 1 is no pair" + tokens);
    CHECK(faults_of_order("0SEND_F0") == place +
                                             "token 1 \"0SEND_F0\" at character 1 is a transfer; "
                                             "ops that compute: transfers follow from their order");
    CHECK(faults_of_order("(0B0;0F1)") ==
          place +
              "token 1 \"(0B0;0F1)\" at character 1 overlaps other ops than a forward and a "
              "gradient; a forward, then a full backward or an input gradient: (0F3;7B1)");
    check_refused({
        {"schedule", R"({"name": "custom", "order": "0F0"})",
         "schedule/order: \"0F0\" is a string; an array with a string of tokens for each device, "
         "such as \"0F0 0F1 0B0 0B1\""},
        {"schedule", R"({"name": "custom", "order": [5]})",
         "schedule/order/0: 5 is a number; a string of tokens such as 0F0, 1B3, 1I3, 1W3 or "
         "(0F3;7B1)"},
        {"schedule", R"({"name": "custom", "placement": "v"})",
         "schedule/placement: unknown parameter of custom; its parameters: file, v, order"},
        {"placement", "v",
         "placement: 1f1b has a placement of its own; only with the schedule custom"},
    });
    CHECK(faults_of(overridden({set("schedule=custom"), set("placement=ring")})) ==
          "command line: --set placement: /placement: \"ring\" is unknown; "
          "loop, v or bidirectional, or the device of each stage");
    CHECK(faults_of(overridden({set("schedule=custom"), set("placement=[0,-1]")})) ==
          "command line: --set placement: /placement/1: -1 is too small; "
          "an integer from 0 to 2147483647");
  }

  TEST_CASE("what has no effect is said") {
    const auto notes = [](const std::string& key, const std::string& value) {
      return without_effect(config_with(key, value));
    };
    using Notes = std::vector<std::string>;
    CHECK(notes("t_w", "1").empty());
    CHECK(notes("p2p", R"({"bandwidth": "50GB/s"})") ==
          Notes{"p2p's bandwidth has no effect: p2p.bytes is 0"});
    CHECK(notes("p2p", R"({"bandwidth": "50GB/s", "bytes": 1})").empty());
    CHECK(notes("p2p.devices_per_node", "2") ==
          Notes{"p2p.devices_per_node has no effect without intra, inter or shared_link"});
    CHECK(notes("t_r", "2") == Notes{"t_r has no effect: no stage recomputes"});
    CHECK(notes("variation.seed", "7") == Notes{"variation.seed has no effect without jitter"});
  }

  TEST_CASE("parameters with choices, and lists of integers") {
    const ParameterSpec limit{
        .name = "limit", .minimum = 1, .maximum = 9, .choices = {"1p", "2p"}, .summary = {}};
    const ParameterSpec variant{.name = "variant",
                                .type = ParameterType::text,
                                .choices = {"paper", "light"},
                                .summary = {}};
    const ParameterSpec costs{.name = "costs",
                              .type = ParameterType::integers,
                              .minimum = 1,
                              .maximum = 9,
                              .summary = {}};
    const std::vector<ScheduleSignature> known = {
        {.name = "zb", .parameters = {limit, variant, costs}}};
    const auto read = [&](const std::string& schedule) -> std::string {
      const ConfigText text{
          .name = "run.json",
          .text = R"({"p": 1, "m": 1, "t_f": 1, "t_b": 1, "schedule": )" + schedule + "}"};
      try {
        const Parameters parameters = read_config(text, {}, known).config.parameters;
        std::string found;
        for (const auto& [name, value] : parameters) {
          found += name + "=" +
                   std::visit([](const auto& shown) { return fmt::format("{}", shown); }, value) +
                   " ";
        }
        return found;
      } catch (const Error& error) {
        return error.what();
      }
    };
    CHECK(read(R"({"name": "zb", "limit": 3, "variant": "light", "costs": [1, 2]})") ==
          "costs=[1,2] limit=3 variant=light ");
    CHECK(read(R"({"name": "zb", "limit": "2p"})") == "limit=2p ");
    CHECK(read(R"({"name": "zb", "limit": "3p"})") ==
          "run.json:1:74: /schedule/limit: \"3p\" is unknown; an integer from 1 to 9, or 1p or 2p "
          "(did you mean \"1p\"?)");
    CHECK(read(R"({"name": "zb", "limit": 10})") ==
          "run.json:1:74: /schedule/limit: 10 is too large; an integer from 1 to 9");
    CHECK(read(R"({"name": "zb", "variant": "lght"})") ==
          "run.json:1:76: /schedule/variant: \"lght\" is unknown; paper or light (did you mean "
          "\"light\"?)");
    CHECK(read(R"({"name": "zb", "costs": []})") ==
          "run.json:1:74: /schedule/costs: an empty array; an array of integers");
    CHECK(read(R"({"name": "zb", "costs": [1, 0]})") ==
          "run.json:1:78: /schedule/costs/1: 0 is too small; an integer from 1 to 9");
  }
}
