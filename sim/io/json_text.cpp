#include "sim/io/json_text.hpp"

#include <nlohmann/json.hpp>

#include "sim/error.hpp"

namespace pipesim {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string faults_json(const Error& error) {
  nlohmann::ordered_json faults = nlohmann::ordered_json::array();
  for (const Fault& fault : error.faults()) {
    nlohmann::ordered_json entry;
    entry["place"] = fault.place;
    if (fault.line > 0) {
      entry["line"] = fault.line;
      entry["column"] = fault.column;
    }
    entry["pointer"] = fault.pointer;
    entry["value"] = fault.value;
    entry["what"] = fault.what;
    entry["allowed"] = fault.allowed;
    entry["nearest"] = fault.nearest;
    entry["message"] = message(fault);
    faults.push_back(std::move(entry));
  }
  const nlohmann::ordered_json document = {{"schema_version", 1}, {"faults", std::move(faults)}};
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace pipesim
