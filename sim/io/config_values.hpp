// Typed values of a config document: what they are allowed to be, and the faults if they are not.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/error.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/quantities.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// A value and the pointer under which messages name it.
struct ConfigValue {
  JsonTree::Id id = 0;
  std::string pointer{};
};

/// Both ends included.
struct IntegerRange {
  std::int64_t minimum;
  std::int64_t maximum;
};

/// "table, json or csv".
std::string alternatives(std::span<const std::string> names);

/// Reads values; one that is not what it should be is a fault and reads as nothing.
class ConfigValues {
 public:
  ConfigValues(const JsonTree& tree, JsonFaults& faults) : tree_(tree), faults_(faults) {}

  const JsonTree& tree() const { return tree_; }

  std::optional<ConfigValue> find(const ConfigValue& object, std::string_view key) const;
  /// The same for a key that must be there; `allowed` says what it should hold.
  std::optional<ConfigValue> require(const ConfigValue& object, std::string_view key,
                                     std::string_view allowed);
  /// The value if it is an object. Every key that is not known is a fault.
  std::optional<ConfigValue> object(const ConfigValue& value, std::span<const std::string> known);
  std::optional<std::int64_t> integer(const ConfigValue& value, IntegerRange range);
  /// A string that is not empty.
  std::optional<std::string> text(const ConfigValue& value, std::string_view allowed);
  /// The index of the name that the value is; `allowed` lists the names.
  std::optional<std::size_t> choice(const ConfigValue& value, std::span<const std::string> names,
                                    std::string_view allowed);
  /// A number in `unit` or a string with its own unit. Without a unit the size of a number is not
  /// judged, and it reads as nothing.
  std::optional<Ticks> time(const ConfigValue& value, std::optional<TimeUnit> unit);

  std::optional<bool> boolean(const ConfigValue& value);
  /// A number of at least 0 with up to 9 places; `allowed` says what it should be.
  std::optional<Decimal> decimal(const ConfigValue& value, std::string_view allowed);
  /// An integer, or a string with a unit.
  std::optional<std::int64_t> bytes(const ConfigValue& value);
  /// A string with a unit; not 0.
  std::optional<Bandwidth> bandwidth(const ConfigValue& value);
  /// A string with a unit; not 0.
  std::optional<FlopRate> flop_rate(const ConfigValue& value);

  void add_fault(const ConfigValue& value, std::string what, std::string_view allowed,
                 std::string nearest = "");
  void add_key_fault(const ConfigValue& member, std::string what, std::string allowed,
                     std::string nearest);

 private:
  /// What is to be read as a number with a unit; a number has none, which its reader says.
  std::optional<std::string> number_with_unit(const ConfigValue& value, std::string_view allowed);
  void add_time_fault(const ConfigValue& value, TimeFault fault, std::string_view unit);
  void add_quantity_fault(const ConfigValue& value, QuantityFault fault, std::string_view allowed,
                          std::string_view units);

  const JsonTree& tree_;
  JsonFaults& faults_;
};

/// What a time may be, for messages.
inline constexpr std::string_view kTimeAllowed = "a time such as 4 or \"4ms\"";
/// The same for bytes and bandwidths.
inline constexpr std::string_view kBytesAllowed = "bytes such as 1024 or \"16MiB\"";
inline constexpr std::string_view kBandwidthAllowed =
    "a bandwidth such as \"50GB/s\" or \"100Gb/s\"";
inline constexpr std::string_view kFlopRateAllowed = "a rate such as \"312TFLOP/s\"";

}  // namespace pipesim
