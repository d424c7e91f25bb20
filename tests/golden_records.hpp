// Records of what other implementations of the schedules ordered and how long that takes, from
// tests/golden/records. The format of the files is described in tests/golden/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/parameters.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim::test {

/// Activations are counted in halves of those of one stage and microbatch: a forward takes two, an
/// input gradient frees one, a weight gradient the other.
inline constexpr std::int64_t kUnitsPerActivation = 2;

/// One case. The times are of one stage, of which a device has several where the rule says so.
struct GoldenRecord {
  int number = 0;  ///< in its file, from 1
  std::int32_t devices = 0;
  std::int32_t microbatches = 0;
  int stages_per_device = 1;
  std::optional<std::int64_t> group;  ///< microbatches of a group, where the rule was given one
  std::string rule;                   ///< in files with several rules, the record's
  std::string placement = "loop";     ///< or "v" or "bidirectional"
  std::vector<StageCosts> costs;      ///< by stage; empty only if rejected
  Ticks latency;                      ///< between stages on different devices
  std::optional<std::int64_t> limit;  ///< the most that a device may hold, in the units above
  std::optional<Ticks> makespan;
  /// The longest time of a device from its first start to its last end.
  std::optional<Ticks> span;
  std::vector<std::int64_t> peak;         ///< by device: activations, from F to the end of B or W
  std::vector<std::int64_t> peak_memory;  ///< by device, in the units above
  bool optimum_proven = true;             ///< only for records of an optimum
  std::string sha256;    ///< of order_text(), where the order itself is not recorded
  std::string rejected;  ///< why the other implementation refuses the case; empty: it does not
  StepOrders order;      ///< by device; empty if there is a hash or the case is rejected
};

/// The records of a file's text. Throws std::runtime_error with name, line and reason if anything
/// is missing, unknown or malformed, and if there are not as many records as the text says.
std::vector<GoldenRecord> parse_golden_records(std::string_view text, const std::string& name);

/// The records of tests/golden/records/NAME.txt. Throws as above, and if there is no such file.
std::vector<GoldenRecord> golden_records(const std::string& name);

/// What the record runs, with transfers that do not disturb each other. Requires costs.
Problem problem_of(const GoldenRecord& record);

/// The steps of every device.
StepOrders unrolled(const Program& program);

/// A line of tokens with commas between them for each device; no line end after the last.
std::string order_text(const StepOrders& order);

/// In hexadecimal digits.
std::string sha256(std::string_view text);

}  // namespace pipesim::test
