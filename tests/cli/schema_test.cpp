// The schemas in docs/ describe what we read and write.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

bool valid(const std::string& schema_file, const std::string& document) {
  const nlohmann::json schema_json =
      nlohmann::json::parse(read_file(std::string(PIPESIM_SOURCE_DIR "/docs/") + schema_file));
  valijson::Schema schema;
  valijson::SchemaParser parser;
  const valijson::adapters::NlohmannJsonAdapter schema_adapter(schema_json);
  parser.populateSchema(schema_adapter, schema);
  const nlohmann::json json = nlohmann::json::parse(document);
  const valijson::adapters::NlohmannJsonAdapter adapter(json);
  valijson::Validator validator;
  return validator.validate(schema, adapter, nullptr);
}

bool valid_output(const std::string& document) { return valid("output.schema.json", document); }

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("what we write follows docs/output.schema.json") {
    const std::string result =
        run_pipesim("--config configs/slow_stage.json --format json --formula").out;
    CHECK(valid_output(result));
    CHECK(valid_output(
        run_pipesim("compare --config configs/hw5_2.json --set memory.limit=2 --format json").out));
    const std::string of_model = run_pipesim("--config configs/gpt3-175b.json --format json").out;
    CHECK(valid_output(of_model));
    nlohmann::json without = nlohmann::json::parse(of_model);
    without["model"].erase("tokens_per_second");
    CHECK_FALSE(valid_output(without.dump()));
    CHECK(valid_output(run_pipesim("list --format json").out));
    CHECK(valid_output(run_pipesim("--errors json -p 0").err));
    const std::string layer =
        run_pipesim(
            "shapes --batch 8 --seq 128 --hidden 1024 --tp 4 --heads 16 --kv-heads 2 --vocab 50304 "
            "--experts 8 --top-k 2 --ep 4 --sequence-parallel --format json")
            .out;
    CHECK(valid_output(layer));
    nlohmann::json unknown = nlohmann::json::parse(layer);
    unknown["blocks"][0]["communication"][0]["collective"] = "broadcast";
    CHECK_FALSE(valid_output(unknown.dump()));
    nlohmann::json changed = nlohmann::json::parse(result);
    changed.erase("gap");
    CHECK_FALSE(valid_output(changed.dump()));
    changed = nlohmann::json::parse(result);
    changed["devices"][0]["busy"] = "48";
    CHECK_FALSE(valid_output(changed.dump()));
  }

  TEST_CASE("the examples and the resolved config follow docs/config.schema.json") {
    for (const std::string config :
         {"hw5_2", "hw5_2_gpipe", "memory_limit", "slow_stage", "gpt3-175b"}) {
      const std::string file = PIPESIM_SOURCE_DIR "/configs/" + config + ".json";
      CHECK(valid("config.schema.json", read_file(file)));
      const nlohmann::json result =
          nlohmann::json::parse(run_pipesim("--config " + file + " --format json").out);
      CHECK(valid("config.schema.json", result.at("config").dump()));
    }
    CHECK_FALSE(valid("config.schema.json", R"({"p": 4})"));
    CHECK_FALSE(valid("config.schema.json",
                      R"({"p": 4, "m": 8, "t_f": 1, "t_b": 2, "schedule": "1f1b", "tb": 3})"));
  }
}
