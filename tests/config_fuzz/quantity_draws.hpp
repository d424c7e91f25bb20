// Random numbers of a config, in every notation that it takes.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sim/units.hpp"
#include "tests/config_fuzz/drawn_config.hpp"
#include "tests/problems.hpp"

namespace pipesim::test {

/// Draws the quantities of one config.
class QuantityDraws {
 public:
  /// All times are multiples of a few ticks that the config's unit suggests or, if it is to be
  /// even, of a number of them that nothing splits with a remainder.
  QuantityDraws(std::mt19937_64& random, TimeUnit unit, bool is_even);

  std::mt19937_64& random() { return random_; }
  bool is_even() const { return is_even_; }

  std::int64_t integer(std::int64_t low, std::int64_t high) { return draw(random_, low, high); }
  bool chance(int percent) { return draw(random_, 1, 100) <= percent; }
  template <class Value>
  const Value& pick(const std::vector<Value>& values) {
    return values[static_cast<std::size_t>(
        draw(random_, 0, static_cast<std::int64_t>(values.size()) - 1))];
  }

  /// 0 only if `may_be_0`.
  std::int64_t ticks(bool may_be_0 = true);
  /// At most so much.
  std::int64_t ticks_up_to(std::int64_t most) { return integer(0, most / grain_) * grain_; }
  /// As a number in the config's unit, or a text with a unit of its own.
  Json time(std::int64_t ticks);
  Json any_time() { return time(ticks()); }
  /// The same as a field of a file.
  std::string time_field(std::int64_t ticks);

  /// 0, 1, or a few of a unit, at most `most`.
  std::int64_t byte_count(std::int64_t most);
  /// As a number, or a text.
  Json bytes(std::int64_t count);
  /// Of at least so many.
  Json bytes_text(std::int64_t least);

  /// Of 8 bits a second to some TB.
  Json bandwidth();
  /// Of a machine: from a GB/s on.
  Json fast_bandwidth();
  /// From a TFLOP/s on.
  Json flop_rate();

  /// 0 if `least` is, 1, a few, many, or with a fraction; at most `most`.
  Json number(int least, int most);
  /// From `least`: that, a few more, and now and then 16 to `most`.
  std::int64_t count(std::int64_t least, std::int64_t most);

 private:
  std::string quantity(std::int64_t whole, bool may_have_fraction, const std::string& unit);

  std::mt19937_64& random_;
  TimeUnit unit_;
  bool is_even_;
  std::int64_t grain_ = 1;
};

}  // namespace pipesim::test
