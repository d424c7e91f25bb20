// A sweep: the points of a grid over any keys of the config.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/io/config.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/sweep_condition.hpp"
#include "sim/io/sweep_values.hpp"
#include "sim/parameters.hpp"

namespace pipesim {

/// `--vary PATH=VALUES` or `--zip PATH=VALUES` as it stands on the command line.
struct AxisOption {
  std::string text;
  bool is_zipped = false;
};

/// What a sweep is asked for.
struct SweepOptions {
  std::vector<AxisOption> axes;
  std::vector<std::string> conditions;  ///< of --where; all must hold
};

/// A key that varies.
struct SweepAxis {
  std::string path;      ///< dotted: "memory.limit"
  std::string option;    ///< for messages: "--vary m", "sweep.vary.m"
  std::string text;      ///< its values as they were given
  bool is_list = false;  ///< as a JSON array, not in the notation of SweepValues::parse()
  bool is_zipped = false;
  SweepValues values{};
};

/// A point's value of an axis, as --set takes it.
struct SweepValue {
  const SweepAxis* axis = nullptr;
  std::string text{};

  /// As JSON.
  std::string json() const;
  /// A string without its quotes, else as it stands.
  std::string plain() const;
  /// The same, but the name of an object that has one, as a schedule has.
  std::string named() const;
};

/// A config document and the axes of its `sweep` section and of the command line. An axis of the
/// command line replaces the section's with the same path. Axes vary like the digits of a number,
/// the last one fastest; those that are zipped are one digit, at the place of the first of them.
class Sweep {
 public:
  /// Throws Error (bad input) with every fault of the document's syntax, the axes and conditions.
  Sweep(const std::optional<ConfigText>& file, std::span<const Override> overrides,
        const SweepOptions& options);

  const std::vector<SweepAxis>& axes() const { return axes_; }
  /// Points of the grid, below 2^63, those included that the condition leaves out.
  std::int64_t size() const { return size_; }
  /// Of each axis, in their order. Requires 0 <= point < size().
  std::vector<SweepValue> values(std::int64_t point) const;
  /// Whether the conditions hold. Throws Error (bad input) where a condition has no answer.
  bool has(const std::vector<SweepValue>& values) const;
  /// Whether some point may have the section of the config, such as "model".
  bool may_have(std::string_view section) const;

  /// The config's section `output`, as JSON.
  std::string output_json() const;
  /// The files that points read, each once.
  std::vector<std::string> input_files() const;
  /// All that decides what the points are but the contents of input_files(), as members of a JSON
  /// object; equal for equal sweeps.
  std::string definition() const;

 private:
  friend class SweepPointReader;

  struct Condition {
    SweepCondition expression;
    std::string place;
    std::string pointer;
    std::vector<std::pair<std::size_t, ConditionValue>> sources;  // axis, or past them all a value
  };

  void read_section();
  void add_axis(SweepAxis axis, JsonFaults& faults, JsonTree::Id at);
  void add_option(const AxisOption& option, std::vector<Fault>& faults);
  void add_condition(const std::string& text, const std::string& place, const std::string& pointer);
  void bind_conditions();
  void arrange(std::vector<Fault>& faults);
  ConditionValue fixed_value(const std::string& path, const Condition& condition) const;

  struct Digit {
    std::vector<std::size_t> axes;
    std::int64_t size = 0;
  };

  JsonTree tree_;  // the document with the overrides, without `sweep`
  JsonTree::Id root_ = 0;
  std::vector<SweepAxis> axes_;
  std::vector<Digit> digits_;
  std::vector<Condition> conditions_;
  std::int64_t size_ = 0;
};

/// Reads the configs of points, one after the other.
class SweepPointReader {
 public:
  /// Both must outlive this.
  SweepPointReader(const Sweep& sweep, std::span<const ScheduleSignature> schedules);

  /// The config of the point with those values. Throws Error (bad input), with places.
  LoadedConfig read(const std::vector<SweepValue>& values);

 private:
  const Sweep& sweep_;
  std::span<const ScheduleSignature> schedules_;
  std::vector<std::size_t> order_;  // of the axes, the outer path before the inner
  bool are_apart_ = true;           // no path of an axis leads through that of another
  std::shared_ptr<JsonTree> tree_;
  std::vector<std::string> last_;  // the values in tree_; "": the config's
  int uses_ = 0;
};

}  // namespace pipesim
