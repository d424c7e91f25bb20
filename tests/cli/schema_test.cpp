// The schemas in docs/ describe what we read and write.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "tests/cli/process.hpp"
#include "tests/places.hpp"

using namespace pipesim::test;

namespace {

bool valid(const std::string& schema_file, const std::string& document) {
  const nlohmann::json schema_json =
      nlohmann::json::parse(read_file(source_directory() + "/docs/" + schema_file));
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

  TEST_CASE("every file of configs/ follows its schema and runs") {
    // One shows a deadlock; README says how it is mended.
    const std::set<std::string> deadlocks = {"pytorch_172668.json"};
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(source_directory() + "/configs")) {
      const std::string name = entry.path().filename().string();
      CAPTURE(name);
      ++files;
      const std::string text = read_file(entry.path().string());
      const std::string config = "--config configs/" + name + " --format json";
      if (nlohmann::json::parse(text).contains("tp")) {
        CHECK(valid("shapes.schema.json", text));
        const Outcome shapes = run_pipesim("shapes " + config);
        CHECK(shapes.exit_code == 0);
        CHECK(valid_output(shapes.out));
        continue;
      }
      CHECK(valid("config.schema.json", text));
      const Outcome run = run_pipesim(config);
      CHECK(run.exit_code == (deadlocks.count(name) > 0 ? 1 : 0));
      if (run.exit_code != 0) continue;
      const nlohmann::json result = nlohmann::json::parse(run.out);
      CHECK(valid("config.schema.json", result.at("config").dump()));
    }
    CHECK(files >= 9);
    CHECK(run_pipesim("shapes --config configs/hw5_1.json").out ==
          read_file(source_directory() + "/tests/golden/hw5_1_table.txt"));
  }

  TEST_CASE("docs/shapes.schema.json and pipesim shapes accept the same") {
    const TemporaryDirectory directory;
    const auto agree = [&](const std::string& members, bool accepted) {
      const std::string text =
          R"({"batch": 8, "seq": 128, "hidden": 1024, "tp": 4)" + members + "}";
      CAPTURE(text);
      directory.file("layer.json", text);
      const int code = run_pipesim_in(directory, "shapes --config layer.json").exit_code;
      CHECK(code == (accepted ? 0 : 2));
      CHECK(valid("shapes.schema.json", text) == accepted);
    };
    agree("", true);
    for (const std::string dtype : {"fp32", "bf16", "fp16", "fp8"}) {
      agree(R"(, "dtype": ")" + dtype + "\"", true);
    }
    agree(R"(, "pairing": "all", "ffn": 4096, "output": {"format": "json"})", true);
    agree(R"(, "heads": 16, "kv_heads": 4, "vocab": 51200, "sequence_parallel": true)", true);
    agree(R"(, "experts": 8, "top_k": 2, "ep": 4, "sequence_parallel": true)", true);
    for (const std::string members :
         {R"("dtype": "int8")", R"("pairing": "col/row")", R"("ffn": 0)", R"("heads": 1.5)",
          R"("experts": 65537)", R"("top_k": "2")", R"("sequence_parallel": 1)",
          R"("output": {"format": "csv"})", R"("output": {"file": "x"})", R"("layers": 2)"}) {
      agree(", " + members, false);
    }
    CHECK_FALSE(valid("shapes.schema.json", R"({"batch": 8, "seq": 128, "hidden": 1024})"));
  }

  TEST_CASE("docs/config.schema.json refuses what is no config") {
    CHECK_FALSE(valid("config.schema.json", R"({"p": 4})"));
    CHECK_FALSE(valid("config.schema.json",
                      R"({"p": 4, "m": 8, "t_f": 1, "t_b": 2, "schedule": "1f1b", "tb": 3})"));
  }
}
