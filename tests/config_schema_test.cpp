#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "tests/configs.hpp"

using namespace pipesim;
using nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

namespace {

json schema_document() {
  std::ifstream file(PIPESIM_SOURCE_DIR "/docs/config.schema.json");
  return json::parse(file);
}

class ConfigSchema {
 public:
  ConfigSchema() {
    const json document = schema_document();
    valijson::SchemaParser().populateSchema(Adapter(document), schema_);
  }

  bool accepts(const json& config) const {
    return valijson::Validator().validate(schema_, Adapter(config), nullptr);
  }

 private:
  valijson::Schema schema_;
};

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
    const ConfigSchema schema;
    const std::vector<Change> good = {{"/schema_version", "1"},
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
                                      {"/output/timeline", "\"a\""}};
    for (const Change& change : good) {
      const json config = changed(change.pointer, json::parse(change.value));
      CAPTURE(config.dump());
      CHECK(schema.accepts(config));
      CHECK(test::faults_of(config.dump()) == "");
    }
  }

  TEST_CASE("schema and reader refuse the same values") {
    const ConfigSchema schema;
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
                                     {"/tf", "3"}};
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

  TEST_CASE("the schema describes every key that the reader knows, and no other") {
    const json document = schema_document();
    const auto keys_of = [](const json& object) {
      std::vector<std::string> keys;
      for (const auto& [key, description] : object.at("properties").items()) keys.push_back(key);
      return keys;
    };
    const auto known_to_reader = [](const std::string& unknown_key) {
      const std::string allowed = test::fault_list(changed(unknown_key, 1).dump()).front().allowed;
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
    CHECK(known_to_reader("/memory/?") == keys_of(document.at("properties").at("memory")));
    CHECK(known_to_reader("/output/?") == keys_of(document.at("properties").at("output")));
  }
}
