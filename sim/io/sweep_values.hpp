// The values that a sweep gives one key of the config.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/types.hpp"

namespace pipesim {

/// A list of values in order, each as `--set` takes it: JSON, or else a text. A range of numbers
/// takes the memory of its description.
class SweepValues {
 public:
  /// Reads values with commas between them: JSON ("[1,2]", "true"), texts ("gpipe"), and ranges of
  /// exact decimals FIRST:LAST[:STEP], whose numbers may all carry one unit ("1ms:2ms:0.5ms").
  /// STEP is added (1 if absent) or, as xFACTOR, multiplies; LAST belongs to the range if a step
  /// hits it. Throws Error (bad input) without a place: an empty text or value, a range that is no
  /// range, never ends or leads away from LAST, more than 18 digits, 2^63 values or more.
  static SweepValues parse(std::string_view text);
  /// The values one by one. Throws Error as parse() if there is none.
  static SweepValues list(std::vector<std::string> values);

  std::int64_t size() const { return size_; }
  /// Requires 0 <= index < size().
  std::string operator[](std::int64_t index) const;

 private:
  /// first + index * step, in units of 10^-places; or one text.
  struct Run {
    std::int64_t begin = 0;  // the index of its first value
    std::string text{};      // if step is 0
    Int128 first = 0;
    Int128 step = 0;
    int places = 0;
    std::string unit{};
  };

  void add(std::string text);
  void add_range(std::string_view text);
  void add_product(std::string_view text, std::span<const std::string_view> parts);
  void grow(Int128 count, std::string_view text);

  std::vector<Run> runs_;
  std::int64_t size_ = 0;
};

}  // namespace pipesim
