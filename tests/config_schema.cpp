#include "tests/config_schema.hpp"

#include <fstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "tests/places.hpp"

namespace pipesim::test {

using Adapter = valijson::adapters::NlohmannJsonAdapter;

struct ConfigSchema::Validator {
  valijson::Schema schema;
};

nlohmann::json config_schema_document() {
  std::ifstream file(source_directory() + "/docs/config.schema.json");
  return nlohmann::json::parse(file);
}

ConfigSchema::ConfigSchema() : validator_(std::make_unique<Validator>()) {
  const nlohmann::json document = config_schema_document();
  valijson::SchemaParser().populateSchema(Adapter(document), validator_->schema);
}

ConfigSchema::~ConfigSchema() = default;

bool ConfigSchema::accepts(const nlohmann::json& config) const {
  return valijson::Validator().validate(validator_->schema, Adapter(config), nullptr);
}

}  // namespace pipesim::test
