// docs/config.schema.json, and what it accepts.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

namespace pipesim::test {

nlohmann::json config_schema_document();

class ConfigSchema {
 public:
  ConfigSchema();
  ~ConfigSchema();
  ConfigSchema(const ConfigSchema&) = delete;
  ConfigSchema& operator=(const ConfigSchema&) = delete;

  bool accepts(const nlohmann::json& config) const;

 private:
  struct Validator;
  std::unique_ptr<Validator> validator_;
};

}  // namespace pipesim::test
