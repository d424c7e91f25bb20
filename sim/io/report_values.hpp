// The keys of a result that JSON, CSV and comparisons share, in their documented order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/io/report.hpp"

namespace pipesim {

enum class ValueType { number, text, list };

/// One key and its value as text: a JSON number, or a string without its quotes.
struct ReportValue {
  std::string_view key;
  std::string value;
  ValueType type = ValueType::number;
};

/// From schema_version to time_per_microbatch. peak_activations holds the devices' values,
/// separated by ", ".
std::vector<ReportValue> report_values(const Report& report);

/// A time that may be a sum over devices: exact, with 12 significant digits beyond int64 ticks.
std::string exact_time(Int128 ticks, TimeUnit unit);

}  // namespace pipesim
