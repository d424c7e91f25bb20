// A config as a test drew it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pipesim::test {

using Json = nlohmann::ordered_json;

struct DrawnConfig {
  Json document;
  std::map<std::string, std::string> files{};  ///< that it names as inputs: path and contents
  /// Whether all its times are multiples of so many ticks, and its bandwidths such, that no split
  /// and no product leaves a remainder.
  bool is_even = false;
  std::vector<std::int64_t> stages_on{};  ///< each device, of one flow
  /// The config of which a custom order was taken: it takes the same time.
  std::shared_ptr<const DrawnConfig> origin{};
};

}  // namespace pipesim::test
