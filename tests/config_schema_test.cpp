#include "tests/config_schema.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/configs.hpp"

using namespace pipesim;
using nlohmann::json;

namespace {

/// The good config with the value at `pointer`, which may be new.
json changed(const std::string& pointer, const json& value) {
  json config = json::parse(test::kGoodConfig);
  config[json::json_pointer(pointer)] = value;
  return config;
}

struct Change {
  const char* pointer;
  const char* value;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("schema and reader accept the same values") {
    const test::ConfigSchema schema;
    const std::vector<Change> good = {
        {"/schema_version", "1"},
        {"/p", "4"},
        {"/m", "2147483647"},
        {"/time_unit", "\"ps\""},
        {"/schedule", R"("gpipe")"},
        {"/schedule", R"({"name": "gpipe", "flush_every": 2})"},
        {"/schedule", R"({"name": "custom", "file": "x"})"},
        {"/t_f", "0"},
        {"/t_f", "2.5"},
        {"/t_f", R"("2.5 ms")"},
        {"/t_b", R"("1e3ns")"},
        {"/t_b", R"([1, "2s", 0, 4])"},
        {"/memory", "{}"},
        {"/memory/limit", "1"},
        {"/output", "{}"},
        {"/output/format", "\"csv\""},
        {"/output/file", "\"a\""},
        {"/output/trace", "\"a\""},
        {"/output/timeline", "\"a\""},
        {"/output/svg", "\"a\""},
        {"/output/html", "\"a\""},
        {"/output", R"({"trace": "a", "trace_window": "from=1,devices=0,2-3"})"},
        {"/t_w", "1"},
        {"/t_fb", "[1, 2, 3, 4]"},
        {"/t_r", "\"1ms\""},
        {"/first", R"({"t_f": 1, "t_b": "2us"})"},
        {"/last", "{}"},
        {"/p2p", "{}"},
        {"/p2p", R"({"mode": "async", "latency": 0.5})"},
        {"/p2p", R"({"latency": [[0, 1], [1, 0]]})"},
        {"/p2p", R"({"bytes": "16MiB", "bandwidth": "50GB/s"})"},
        {"/p2p", R"({"bytes": 1024, "bandwidth": "1.5 Gib/s"})"},
        {"/p2p", R"({"devices_per_node": 2, "intra": {"latency": 1},
                                                   "inter": {"bandwidth": "1B/s"},
                                                   "shared_link": {"bandwidth": "8b/s"}})"},
        {"/p2p", R"({"mode": "single_stream",
                                                   "recv_posting": "just_in_time"})"},
        {"/memory/limit", "1.5"},
        {"/memory", R"({"limit": "80GiB", "activation": ["2.5 GB"],
                                                      "activation_w": 5, "parameters": [1, 2],
                                                      "optimizer": "0B"})"},
        {"/recompute", "true"},
        {"/recompute", "[0, 3]"},
        {"/iterations", "{}"},
        {"/iterations", R"({"count": 3, "flush": true,
                                                          "grad_sync": [1, 2, 3, 4],
                                                          "overlap_grad_sync": true,
                                                          "optimizer": 2, "barrier": true})"},
        {"/iterations", R"({"count": 3, "flush": false})"},
        {"/variation", "{}"},
        {"/variation", R"({"microbatch_scale": [1, 0.5],
                                                         "launch_overhead": "3us",
                                                         "seed": 9223372036854775807,
                                                         "jitter": {"kind": "normal", "cv": 0.1},
                                                         "trials": 1000})"},
        {"/variation/stragglers", R"([{"device": 1, "factor": 1.5, "from": 0, "to": 9}])"},
        {"/variation/jitter", R"({"kind": "normal", "cv": 0.1})"},
        {"/variation/jitter", R"({"cv": 0})"}};
    for (const Change& change : good) {
      const json config = changed(change.pointer, json::parse(change.value));
      CAPTURE(config.dump());
      CHECK(schema.accepts(config));
      CHECK(test::faults_of(config.dump()) == "");
    }
  }

  TEST_CASE("schema and reader refuse the same values") {
    const test::ConfigSchema schema;
    const std::vector<Change> bad = {{"/schema_version", "2"},
                                     {"/p", "0"},
                                     {"/p", "1048577"},
                                     {"/p", "\"4\""},
                                     {"/p", "2.9"},
                                     {"/m", "0"},
                                     {"/m", "2147483648"},
                                     {"/m", "null"},
                                     {"/time_unit", "\"min\""},
                                     {"/schedule", "5"},
                                     {"/schedule", "\"\""},
                                     {"/schedule", "{}"},
                                     {"/schedule", R"({"name": "gpipe", "flush_every": true})"},
                                     {"/t_f", "-1"},
                                     {"/t_f", R"("2.5")"},
                                     {"/t_f", R"("ms")"},
                                     {"/t_f", R"("3fortnights")"},
                                     {"/t_f", "[]"},
                                     {"/t_f", "null"},
                                     {"/t_f", "{}"},
                                     {"/t_b", "[1, 2, [3], 4]"},
                                     {"/t_b", "true"},
                                     {"/memory", "4"},
                                     {"/memory/limit", "0"},
                                     {"/memory/limt", "4"},
                                     {"/output", "[]"},
                                     {"/output/format", "\"jsn\""},
                                     {"/output/file", "\"\""},
                                     {"/output/trace", "5"},
                                     {"/output/fmt", "\"csv\""},
                                     {"/tf", "3"},
                                     {"/costs", "\"costs.csv\""},
                                     {"/t_w", "{}"},
                                     {"/t_fb", "-1"},
                                     {"/first", "1"},
                                     {"/last", R"({"t_r": 1})"},
                                     {"/placement", "\"ring\""},
                                     {"/placement", "[]"},
                                     {"/placement", "[-1]"},
                                     {"/p2p", "5"},
                                     {"/p2p/mode", "\"fast\""},
                                     {"/p2p/latency", "[1, 2]"},
                                     {"/p2p/bytes", "-1"},
                                     {"/p2p/bytes", "\"5\""},
                                     {"/p2p/bandwidth", "5"},
                                     {"/p2p/bandwidth", "\"5GB\""},
                                     {"/p2p/devices_per_node", "0"},
                                     {"/p2p/intra", R"({"bytes": 1})"},
                                     {"/p2p/shared_link", "{}"},
                                     {"/memory/limit", "\"80\""},
                                     {"/memory/limit", "true"},
                                     {"/memory/activation", "[]"},
                                     {"/memory/activation", "1.5"},
                                     {"/recompute", "1"},
                                     {"/recompute", "[1, 1]"},
                                     {"/recompute", "[-1]"},
                                     {"/iterations/count", "0"},
                                     {"/iterations/flush", "1"},
                                     {"/iterations/barier", "true"},
                                     {"/variation/microbatch_scale", "[]"},
                                     {"/variation/microbatch_scale", "[\"1\"]"},
                                     {"/variation/stragglers", "{}"},
                                     {"/variation/stragglers", R"([{"device": 0}])"},
                                     {"/variation/stragglers", R"([{"device": 0, "factor": 0}])"},
                                     {"/variation/jitter", "{}"},
                                     {"/variation/jitter", R"({"cv": -0.1})"},
                                     {"/variation/jitter", R"({"cv": 1, "kind": "gauss"})"},
                                     {"/variation/seed", "-1"},
                                     {"/variation/trials", "0"}};
    for (const Change& change : bad) {
      const json config = changed(change.pointer, json::parse(change.value));
      CAPTURE(config.dump());
      CHECK(!schema.accepts(config));
      CHECK(test::faults_of(config.dump()) != "");
    }
    for (const char* key : {"p", "m", "t_f", "t_b", "schedule"}) {
      json config = json::parse(test::kGoodConfig);
      config.erase(key);
      CAPTURE(key);
      CHECK(!schema.accepts(config));
      CHECK(test::faults_of(config.dump()) != "");
    }
  }

  TEST_CASE("schema and reader agree on models") {
    const test::ConfigSchema schema;
    const json good = json::parse(
        R"({"p": 4, "m": 8, "schedule": "1f1b",
            "model": {"layers": 8, "hidden": 64, "heads": 8, "vocab": 128, "seq": 32},
            "hardware": {"preset": "a100_80gb", "achievable": 0.5}})");
    const auto agree = [&](const std::vector<Change>& changes, bool accepted) {
      for (const Change& change : changes) {
        json config = good;
        config[json::json_pointer(change.pointer)] = json::parse(change.value);
        CAPTURE(config.dump());
        CHECK(schema.accepts(config) == accepted);
        CHECK((test::faults_of(config.dump()) == "") == accepted);
      }
    };
    agree({{"/m", "4"},
           {"/model/layers", "[1, 0, 3]"},
           {"/model/layers", R"("Et*3|(tt|)*2,tL")"},
           {"/model/kv_heads", "2"},
           {"/model/ffn", "100"},
           {"/model/microbatch", "4"},
           {"/model/experts", "4"},
           {"/model/dtype", R"("fp16")"},
           {"/model/recompute", R"("selective")"},
           {"/parallel", "{}"},
           {"/parallel", R"({"tp": 4, "sp": true, "dp": 2, "tp_overlap": 1})"},
           {"/hardware/peak_flops", R"("1.5 PFLOP/s")"},
           {"/hardware/intra", R"({"latency": "1us"})"},
           {"/hardware", R"({"peak_flops": "1TFLOP/s", "achievable": 1, "memory_bandwidth": "1GB/s",
                             "intra": {"bandwidth": "1GB/s"}, "inter": {"bandwidth": "1GB/s"}})"},
           {"/memory", R"({"limit": "80GB"})"},
           {"/t_fb", "1"}},
          true);
    agree({{"/t_f", "1"},
           {"/costs", R"("a")"},
           {"/first", "{}"},
           {"/model", "1"},
           {"/model/layers", "0"},
           {"/model/layers", R"("balanced")"},
           {"/model/layers", "[]"},
           {"/model/layer_count", "0"},
           {"/model/hidden", "0"},
           {"/model/heads", "1.5"},
           {"/model/vocab", "null"},
           {"/model/dtype", R"("int8")"},
           {"/model/recompute", "false"},
           {"/model/depth", "4"},
           {"/parallel", "4"},
           {"/parallel/tp", "0"},
           {"/parallel/tp_overlap", "2"},
           {"/parallel/pp", "2"},
           {"/hardware", "{}"},
           {"/hardware/preset", R"("a100")"},
           {"/hardware/achievable", "0"},
           {"/hardware/achievable", "1.5"},
           {"/hardware/peak_flops", "312"},
           {"/hardware/peak_flops", R"("312TFLOPS")"},
           {"/hardware/memory_bandwidth", "5"},
           {"/hardware/intra/bytes", "5"},
           {"/hardware/devices_per_node", "0"}},
          false);
    for (const char* key : {"model", "hardware"}) {
      json config = good;
      config.erase(key);
      CHECK(!schema.accepts(config));
      CHECK(test::faults_of(config.dump()) != "");
    }
  }

  TEST_CASE("the schema describes every key that the reader knows, and no other") {
    const json document = test::config_schema_document();
    const auto keys_of = [](const json& object) {
      std::vector<std::string> keys;
      for (const auto& [key, description] : object.at("properties").items()) keys.push_back(key);
      return keys;
    };
    const auto known_to_reader = [](const std::string& unknown_key) {
      std::string allowed = "none: ";
      json config = changed(unknown_key, 1);
      // Sections that only a model has.
      if (unknown_key.starts_with("/parallel") || unknown_key.starts_with("/hardware")) {
        config["model"] = json::object();
      }
      for (const Fault& fault : test::fault_list(config.dump())) {
        if (fault.what == "unknown key") allowed = fault.allowed;
      }
      std::vector<std::string> keys;
      std::string key;
      for (const char c : allowed.substr(allowed.find(": ") + 2) + ",") {
        if (c == ',') {
          keys.push_back(key);
          key.clear();
        } else if (c != ' ') {
          key += c;
        }
      }
      std::sort(keys.begin(), keys.end());
      return keys;
    };
    CHECK(known_to_reader("/?") == keys_of(document));
    for (const char* const section :
         {"memory", "p2p", "iterations", "variation", "model", "parallel", "hardware", "sweep"}) {
      CAPTURE(section);
      CHECK(known_to_reader(fmt::format("/{}/?", section)) ==
            keys_of(document.at("properties").at(section)));
    }
    CHECK(known_to_reader("/first/?") == keys_of(document.at("definitions").at("extra")));
    CHECK(known_to_reader("/p2p/intra/?") == keys_of(document.at("definitions").at("hop")));
    const json& variation = document.at("properties").at("variation").at("properties");
    CHECK(known_to_reader("/variation/jitter/?") == keys_of(variation.at("jitter")));
    CHECK(known_to_reader("/output/?") == keys_of(document.at("properties").at("output")));
  }
}
