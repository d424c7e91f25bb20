// What configs can say, as docs/config.schema.json has it: every key, and for each the classes of
// its values.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sim/parameters.hpp"
#include "sim/units.hpp"
#include "tests/config_fuzz/drawn_config.hpp"

namespace pipesim::test {

/// docs/config.schema.json.
const Json& config_schema();

/// How often each class of each key was drawn. Keys are JSON pointers, with * for elements.
/// Numbers are 0, 1, below 16 or 16 and more, with a fraction or without; texts with units the
/// same, and of each unit; enumerations have their members, arrays their lengths; every key may be
/// absent unless it is required; what is split over the stages of a device leaves a remainder or
/// does not. Of schedules, every parameter and every text that it may be.
class ConfigClasses {
 public:
  explicit ConfigClasses(std::span<const ScheduleSignature> schedules);

  /// Counts what the config has. Throws std::out_of_range if it has what the schema does not.
  void add(const DrawnConfig& config);
  /// Whether it has anything that was never counted.
  bool has_new(const DrawnConfig& config);

  /// "KEY: CLASS" of all that was never drawn.
  std::vector<std::string> missing() const;
  /// A line for each key: its classes and how often they were drawn.
  std::string table() const;

 private:
  void declare(const std::string& key, const std::string& name) { counts_[key][name]; }
  void declare_node(const Json& node, const std::string& key);
  void declare_object(const Json& node, const std::string& key);
  void declare_schedule(const ScheduleSignature& schedule);
  void find_all(const DrawnConfig& config);
  void count(const std::string& key, const std::string& name) {
    found_.push_back(&counts_.at(key).at(name));
  }
  void count_node(const Json& node, const Json& value, const std::string& key);
  void count_object(const Json& node, const Json& value, const std::string& key);
  void count_split(const Json& node, const Json& value, const std::string& key);
  void count_schedule(const DrawnConfig& config);
  void count_costs_file(const std::string& text);

  std::vector<ScheduleSignature> schedules_;
  std::map<std::string, std::map<std::string, std::int64_t>> counts_;
  std::vector<std::int64_t*> found_;  // the counts of what a config has
  std::vector<std::int64_t> stages_on_;
  TimeUnit unit_ = TimeUnit::ms;
};

/// The unit of a config's numbers.
TimeUnit unit_of(const Json& config);

/// The texts of all units that a pattern of the schema such as "^[0-9]+ ?([KM]i?)?B$" allows.
std::vector<std::string> units_of(const std::string& pattern);

/// The same config with all times, those of its files too, `factor` times as long, and bandwidths
/// that make transfers so. It has no output. Requires bandwidths that the factor divides.
DrawnConfig with_longer_times(const DrawnConfig& config, std::int64_t factor);

}  // namespace pipesim::test
