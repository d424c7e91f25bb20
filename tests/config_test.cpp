#include "sim/io/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "tests/configs.hpp"
#include "tests/problems.hpp"

using namespace pipesim;
using test::config_of;
using test::draw;
using test::kGoodConfig;
using test::overridden;
using test::set;

namespace {

RunConfig config_with(std::vector<Override> overrides) {
  return test::load(overridden(std::move(overrides))).config;
}

Ticks ms(std::int64_t count) { return Ticks{count * 1'000'000'000}; }

MemoryLimit microbatches(std::int64_t count) {
  return {.microbatches = Decimal{count * Decimal::kOne}};
}

TimeSpec random_times(std::mt19937_64& random, std::int32_t p) {
  TimeSpec times;
  times.is_list = random() % 2 == 0;
  const std::int32_t values = times.is_list ? p : 1;
  for (std::int32_t i = 0; i < values; ++i) {
    times.values.emplace_back(static_cast<std::int64_t>(random() >> (1 + random() % 63)));
  }
  return times;
}

bool coin(std::mt19937_64& random) { return random() % 2 == 0; }

Ticks random_time(std::mt19937_64& random) {
  return Ticks{static_cast<std::int64_t>(random() >> (1 + random() % 63))};
}

BytesSpec random_bytes(std::mt19937_64& random, std::int32_t p) {
  BytesSpec bytes;
  bytes.is_list = coin(random);
  const std::int32_t values = bytes.is_list ? p : 1;
  for (std::int32_t i = 0; i < values; ++i) {
    bytes.values.push_back(random_time(random).count);
  }
  return bytes;
}

P2pConfig random_p2p(std::mt19937_64& random, std::int32_t p) {
  P2pConfig p2p;
  p2p.mode = static_cast<TransferMode>(draw(random, 0, 3));
  const bool is_blocking =
      p2p.mode == TransferMode::single_stream || p2p.mode == TransferMode::rendezvous;
  if (is_blocking && coin(random)) p2p.recv_posting = RecvPosting::just_in_time;
  const Bandwidth bandwidth{1 + random_time(random).count / 2};
  if (coin(random)) p2p.devices_per_node = static_cast<std::int32_t>(draw(random, 1, 9));
  if (p2p.devices_per_node && coin(random)) {
    p2p.intra = HopConfig{.latency = random_time(random), .bandwidth = bandwidth};
    if (coin(random)) p2p.inter = HopConfig{.latency = random_time(random)};
  } else {
    p2p.hop = {.latency = random_time(random), .bandwidth = bandwidth};
    if (coin(random)) {
      p2p.hop.latency = {};
      p2p.latencies.assign(static_cast<std::size_t>(p),
                           random_bytes(random, p).is_list
                               ? std::vector<Ticks>{Ticks{3}, random_time(random)}
                               : std::vector<Ticks>{});
      for (std::size_t i = 0; i < p2p.latencies.size(); ++i) {
        if (i < p2p.latencies[i].size()) p2p.latencies[i][i] = Ticks{};
      }
    }
  }
  if (p2p.devices_per_node && !is_blocking && coin(random)) p2p.shared_link = bandwidth;
  p2p.bytes = random_time(random).count;
  return p2p;
}

VariationConfig random_variation(std::mt19937_64& random) {
  VariationConfig variation;
  for (auto n = draw(random, 0, 3); n > 0; --n) {
    variation.microbatch_scale.push_back(Decimal{random_time(random).count});
  }
  variation.launch_overhead = random_time(random);
  for (auto n = draw(random, 0, 2); n > 0; --n) {
    StragglerConfig straggler{.device = static_cast<std::int32_t>(draw(random, 0, 9)),
                              .factor = Decimal{1 + random_time(random).count / 2},
                              .from = Ticks{random_time(random).count / 2}};
    if (coin(random)) straggler.to = straggler.from + Ticks{draw(random, 1, 1000)};
    variation.stragglers.push_back(straggler);
  }
  if (coin(random)) {
    variation.jitter = {.kind = coin(random) ? JitterKind::lognormal : JitterKind::normal,
                        .cv = Decimal{random_time(random).count % (100 * Decimal::kOne)}};
  }
  variation.seed = random_time(random).count;
  if (variation.jitter) variation.trials = static_cast<std::int32_t>(draw(random, 1, 1000));
  return variation;
}

IterationsConfig random_iterations(std::mt19937_64& random, std::int32_t p) {
  IterationsConfig iterations;
  iterations.count = static_cast<std::int32_t>(draw(random, 1, 1000));
  iterations.flush.value = coin(random);
  if (!iterations.flush.value) return iterations;
  iterations.barrier = coin(random);
  if (coin(random)) iterations.grad_sync = random_times(random, p);
  if (iterations.grad_sync) iterations.overlap_grad_sync = coin(random);
  if (coin(random)) iterations.optimizer = random_times(random, p);
  return iterations;
}

/// Sections that the reader accepts, each with a probability of one half.
void add_random_sections(std::mt19937_64& random, RunConfig& config) {
  if (coin(random)) config.t_w = random_times(random, config.p);
  if (coin(random)) config.t_r = random_times(random, config.p);
  if (coin(random)) config.first.forward = random_time(random);
  if (coin(random)) config.last.backward = random_time(random);
  if (config.t_w && coin(random)) config.last.weight = random_time(random);
  if (coin(random)) config.p2p = random_p2p(random, config.p);
  if (coin(random)) {
    config.memory.activation = random_bytes(random, config.p);
    config.memory_limit.reset();
    if (coin(random)) config.memory_limit = {.bytes = draw(random, 1, 1000) << draw(random, 0, 40)};
    if (coin(random)) config.memory.activation_w = random_bytes(random, config.p);
    if (coin(random)) config.memory.parameters = random_bytes(random, config.p);
    if (coin(random)) config.memory.optimizer = random_bytes(random, config.p);
  }
  config.recompute.all = coin(random);
  if (!config.recompute.all && coin(random)) config.recompute.stages = {0, 2, 5};
  if (coin(random)) config.iterations = random_iterations(random, config.p);
  if (coin(random)) config.variation = random_variation(random);
  if (config.variation.microbatch_scale.empty() && coin(random)) {
    config.t_fb = random_times(random, config.p);
  }
  if (config.schedule != "custom") return;
  if (coin(random)) config.parameters["placement"] = std::string("bidirectional");
  if (coin(random)) config.parameters["placement"] = StageDevices{Device{0}, Device{3}};
  const Op forward{.kind = OpKind::forward, .stage = Stage{3}, .microbatch = Microbatch{2}};
  const Op input{.kind = OpKind::backward_input, .stage = Stage{0}, .microbatch = Microbatch{1}};
  if (coin(random)) {
    config.parameters["order"] = StepOrders{
        {}, {Step{.op = input}, Step{.op = forward, .overlapped = input}, Step{.op = forward}}};
  }
  if (coin(random)) {
    const Item step{.what = Step{.op = forward, .overlapped = input}};
    config.parameters["order"] =
        Program{.lanes = {{}, {repeat(1, {step, with_stride(step, -7)}), step}}};
  }
}

RunConfig random_config(std::mt19937_64& random) {
  RunConfig config;
  config.p = static_cast<std::int32_t>(draw(random, 1, 9));
  config.m = static_cast<std::int32_t>(draw(random, 1, std::numeric_limits<std::int32_t>::max()));
  config.time_unit = static_cast<TimeUnit>(draw(random, 0, 4));
  config.schedule = random() % 2 == 0 ? "gpipe" : "custom";
  if (config.schedule == "gpipe" && random() % 2 == 0) {
    config.parameters["flush_every"] = draw(random, 1, 100);
  }
  if (config.schedule == "custom") {
    config.parameters["file"] =
        std::string("a \"b\" \\ \n \u00fc") + std::string(letters(OpKind::forward));
    config.parameters["v"] = draw(random, 1, 8);
  }
  config.t_f = random_times(random, config.p);
  config.t_b = random_times(random, config.p);
  if (random() % 2 == 0) config.memory_limit = microbatches(draw(random, 1, 1000));
  config.output.format = static_cast<OutputFormat>(draw(random, 0, 2));
  add_random_sections(random, config);
  return config;
}

std::string message_of_problem(const RunConfig& config, const Placement& placement) {
  try {
    make_problem(config, placement);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Virtual stages 0..S-1 on p devices, stage s on device s mod p.
Placement looped(int p, int stages) {
  Placement placement = {.device_of = {{}}};
  for (int stage = 0; stage < stages; ++stage) placement.device_of[0].emplace_back(stage % p);
  return placement;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a config says what is asked, and defaults hold for the rest") {
    const RunConfig config = config_of(kGoodConfig);
    CHECK(config.p == 4);
    CHECK(config.m == 8);
    CHECK(config.time_unit == TimeUnit::ms);
    CHECK(config.schedule == "1f1b");
    CHECK(config.parameters.empty());
    CHECK(config.t_f == TimeSpec{.values = {ms(2)}, .is_list = false});
    CHECK(config.t_b == TimeSpec{.values = {ms(4)}, .is_list = false});
    CHECK(!config.memory_limit);
    CHECK(config.output == OutputConfig{});
  }

  TEST_CASE("every key is read") {
    const RunConfig config = config_of(
        "\xef\xbb\xbf{\"schema_version\": 1, \"p\": 2, \"m\": 1, \"time_unit\": \"us\",\r\n"
        R"("t_f": [1.5, "2\u006ds"], "t_b": "1e3 ns", "schedule": {"name": "gpipe", "flush_every": 3},
           "memory": {"limit": 5},
           "output": {"format": "csv", "file": "a", "trace": "b", "timeline": "c"}})");
    CHECK(config.p == 2);
    CHECK(config.time_unit == TimeUnit::us);
    CHECK(config.t_f == TimeSpec{.values = {Ticks{1'500'000}, ms(2)}, .is_list = true});
    CHECK(config.t_b == TimeSpec{.values = {Ticks{1'000'000}}, .is_list = false});
    CHECK(config.schedule == "gpipe");
    CHECK(integer(config.parameters, "flush_every") == 3);
    CHECK(config.memory_limit == microbatches(5));
    CHECK(config.output.format == OutputFormat::csv);
    CHECK(config.output.file == "a");
    CHECK(config.output.trace == "b");
    CHECK(config.output.timeline == "c");
  }

  TEST_CASE("times are exact") {
    CHECK(config_with({set("t_f=2000us")}) == config_of(kGoodConfig));
    CHECK(config_with({set("t_f=0.1")}).t_f.values[0] == Ticks{100'000'000});
    CHECK(config_with({set("t_f=0.000000001")}).t_f.values[0] == Ticks{1});
    CHECK(config_with({set("t_f=9223372036.854775807")}).t_f.values[0] ==
          Ticks{std::numeric_limits<std::int64_t>::max()});
    CHECK(config_with({set("t_f=123456789.123456789")}).t_f.values[0] ==
          Ticks{123'456'789'123'456'789});
    CHECK(config_with({set("t_f=-0.0e999")}).t_f.values[0] == Ticks{0});
  }

  TEST_CASE("overrides are applied in order and go through the same reader") {
    CHECK(config_with({set("p=2"), set("p=3")}).p == 3);
    CHECK(config_with({set("t_f=2.5ms")}).t_f.values[0] == Ticks{2'500'000'000});
    CHECK(config_with({set("memory.limit=4")}).memory_limit == microbatches(4));
    CHECK(config_with({set(R"(memory={"limit": 3})"), set("memory.limit=4")}).memory_limit ==
          microbatches(4));
    CHECK(config_with({set("t_f=[1,2,3,4]"), set("t_f.2=9")}).t_f.values ==
          std::vector{ms(1), ms(2), ms(9), ms(4)});
    CHECK(config_with({set("p=\"x\""), set("p=4")}) == config_of(kGoodConfig));
    CHECK(config_with({set("output.file=a=b")}).output.file == "a=b");
    const Override five = {
        .option = "--output", .path = "output.file", .value = "5", .kind = OverrideKind::text};
    CHECK(config_with({five}).output.file == "5");
    const std::vector<Override> all = {set("schedule=1f1b"), set("t_b=4"), set("t_f=2"), set("m=8"),
                                       set("p=4")};
    CHECK(test::load({.file = {}, .overrides = all}).config == config_of(kGoodConfig));
  }

  TEST_CASE("a schedule's parameters can be set on its name, and a new schedule forgets them") {
    const RunConfig config =
        config_with({set("schedule.name=gpipe"), set("schedule.flush_every=3")});
    CHECK(config.schedule == "gpipe");
    CHECK(integer(config.parameters, "flush_every") == 3);
    CHECK(config_with({set("schedule=gpipe"), set("schedule.flush_every=3"),
                       set("schedule=1f1b")}) == config_of(kGoodConfig));
    CHECK(config_with({set(R"(schedule={"name": "gpipe", "flush_every": 3})")}) == config);
  }

  TEST_CASE("comma lists become JSON") {
    CHECK(list_to_json("4") == "4");
    CHECK(list_to_json("2.5ms") == "2.5ms");
    CHECK(list_to_json("1,2.5,3ms") == R"([1, 2.5, "3ms"])");
    CHECK(list_to_json("[1, 2]") == "[1, 2]");
    CHECK(list_to_json("1,,\"") == R"([1, "", "\""])");
  }

  TEST_CASE("the resolved config is complete, exact and ordered") {
    CHECK(resolved_json(config_of(kGoodConfig)) ==
          R"({"schema_version": 1, "p": 4, "m": 8, "time_unit": "ms", "t_f": 2, "t_b": 4, )"
          R"("schedule": {"name": "1f1b"}, "output": {"format": "table"}})");
    CHECK(resolved_json(config_with({set("schedule=gpipe"), set("schedule.flush_every=2"),
                                     set("memory.limit=3"), set("output.format=csv"),
                                     set("output.trace=t.json"), set("t_f=[1,\"1ps\",0,1e-9]")})) ==
          R"({"schema_version": 1, "p": 4, "m": 8, "time_unit": "ms", )"
          R"("t_f": [1, 0.000000001, 0, 0.000000001], "t_b": 4, )"
          R"("schedule": {"name": "gpipe", "flush_every": 2}, "memory": {"limit": 3}, )"
          R"("output": {"format": "csv"}})");
  }

  TEST_CASE("the resolved config reads back as the same config and the same bytes") {
    constexpr unsigned kSeed = 20;
    CAPTURE(kSeed);
    std::mt19937_64 random(kSeed);
    for (int round = 0; round < 500; ++round) {
      const RunConfig config = random_config(random);
      const std::string text = resolved_json(config);
      CAPTURE(text);
      const RunConfig again = config_of(text);
      CHECK(again == config);
      CHECK(resolved_json(again) == text);
      CHECK(config_hash(again) == config_hash(config));
    }
  }

  TEST_CASE("the hash changes if and only if another run is asked for") {
    const std::string hash = config_hash(config_of(kGoodConfig));
    CHECK(hash.size() == 32);
    CHECK(hash == "e953749b109a332cc79a84140edc7265");
    const std::vector<std::string> same = {
        "t_f=2000us", "t_b=4.00",           "t_b=0.4e1",      "schedule={\"name\": \"1f1b\"}",
        "p=4",        "output.format=json", "output.trace=x", "schema_version=1"};
    for (const std::string& assignment : same) {
      CAPTURE(assignment);
      CHECK(config_hash(config_with({set(assignment)})) == hash);
    }
    std::vector<std::string> hashes = {hash};
    const std::vector<std::string> different = {
        "p=5",
        "m=9",
        "t_f=3",
        "t_b=3",
        "t_f=2.000000001",
        "schedule=gpipe",
        "memory.limit=8",
        "time_unit=us",
        "schedule={\"name\": \"gpipe\", \"flush_every\": 1}"};
    for (const std::string& assignment : different) {
      hashes.push_back(config_hash(config_with({set(assignment)})));
    }
    std::sort(hashes.begin(), hashes.end());
    CHECK(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());
  }

  TEST_CASE("a device's time is split over its stages, the remainder to the first") {
    RunConfig config = config_of(kGoodConfig);
    config.p = 2;
    config.t_f = {.values = {Ticks{5}}, .is_list = false};
    config.t_b = {.values = {Ticks{7}, Ticks{2}}, .is_list = true};
    config.memory_limit = microbatches(3);
    const Problem problem = make_problem(config, looped(2, 6));
    CHECK(problem.devices == 2);
    CHECK(problem.microbatches == 8);
    CHECK(problem.memory_limit == 3);
    const std::vector<StageCosts> costs = {
        stage_costs(Ticks{2}, Ticks{3}), stage_costs(Ticks{2}, Ticks{1}),
        stage_costs(Ticks{2}, Ticks{2}), stage_costs(Ticks{2}, Ticks{1}),
        stage_costs(Ticks{1}, Ticks{2}), stage_costs(Ticks{1}, Ticks{0})};
    CHECK(problem.costs == costs);
  }

  TEST_CASE("one time for each stage is taken as it is") {
    RunConfig config = config_of(kGoodConfig);
    config.p = 2;
    config.t_f = {.values = {Ticks{1}, Ticks{2}, Ticks{3}, Ticks{4}}, .is_list = true};
    config.t_b = {.values = {Ticks{0}}, .is_list = false};
    const Problem problem = make_problem(config, looped(2, 4));
    for (std::int64_t stage = 0; stage < 4; ++stage) {
      CHECK(problem.costs[static_cast<std::size_t>(stage)].forward == Ticks{stage + 1});
    }
    config.t_b = {.values = {Ticks{1}, Ticks{2}, Ticks{3}}, .is_list = true};
    CHECK(message_of_problem(config, looped(2, 4)) ==
          "/t_b: array of 3; an array of p = 2 or of 4 values, one for each stage, "
          "or one value for all");
  }

  TEST_CASE("a problem without work is refused") {
    const RunConfig config = config_with({set("t_f=0"), set("t_b=[0,0,0,0]")});
    CHECK(message_of_problem(config, loop_placement(4, 1)) ==
          "/t_f: T_ideal is 0: no op takes any time; at least one time above 0");
  }

  TEST_CASE("a fault that is found later gets the place of its value") {
    const LoadedConfig loaded = test::load(
        {.file =
             "{\"p\": 4, \"m\": 8,\n \"t_f\": [1, 2, 3, 4], \"t_b\": 4, \"schedule\": \"1f1b\"}",
         .overrides = {set("output.trace=x.json")}});
    const auto located = [&](const std::string& pointer) {
      return loaded.places.located(Fault{.pointer = pointer, .what = "wrong"});
    };
    CHECK(message(located("/m")) == "run.json:1:15: /m: wrong");
    CHECK(located("/m").value == "8");
    CHECK(located("/t_f/7").value.empty());
    CHECK(located("/m").line == 1);
    CHECK(located("/m").column == 15);
    CHECK(message(located("/t_f/3")) == "run.json:2:19: /t_f/3: wrong");
    CHECK(message(located("/t_f/7")) == "run.json:2:9: /t_f/7: wrong");
    CHECK(message(located("/schedule/v")) == "run.json:2:45: /schedule/v: wrong");
    CHECK(message(located("/memory/limit")) == "run.json:1:1: /memory/limit: wrong");
    CHECK(message(located("")) == "wrong");
    CHECK(message(located("/output/trace")) ==
          "command line: --set output.trace: /output/trace: wrong");
    CHECK(loaded.places.located(Fault{.place = "here", .pointer = "/m"}).place == "here");

    const Error error = loaded.places.located(
        Error(Fault{.pointer = "/m", .what = "wrong"}, ErrorKind::run_failed));
    CHECK(error.what() == std::string("run.json:1:15: /m: wrong"));
    CHECK(error.kind() == ErrorKind::run_failed);
    CHECK(ConfigPlaces().located(Fault{.pointer = "/m"}).place.empty());
  }

  TEST_CASE("damaged configs are faults with a place in the text, never anything else") {
    constexpr unsigned kSeed = 21;
    CAPTURE(kSeed);
    std::mt19937_64 random(kSeed);
    const std::string bytes = "{}[]:,\"\\0123456789.eE+-tfn \n\xff\xc3";
    for (int round = 0; round < 5000; ++round) {
      std::string text = resolved_json(random_config(random));
      for (auto edits = draw(random, 1, 4); edits > 0; --edits) {
        const auto at =
            static_cast<std::size_t>(draw(random, 0, static_cast<int>(text.size()) - 1));
        const char byte = bytes[random() % bytes.size()];
        switch (random() % 3) {
          case 0:
            text[at] = byte;
            break;
          case 1:
            text.insert(at, 1, byte);
            break;
          default:
            text.erase(at, 1 + random() % 5);
            break;
        }
        if (text.empty()) text = " ";
      }
      CAPTURE(text);
      const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
      for (const Fault& fault : test::fault_list(text)) {
        CHECK(fault.place.starts_with("run.json:"));
        CHECK(fault.line >= 1);
        CHECK(fault.line <= lines);
        CHECK(fault.column >= 1);
        CHECK(fault.column <= static_cast<int>(text.size()) + 1);
        CHECK(!fault.what.empty());
      }
    }
  }
}
