#include "tests/config_fuzz/quantity_draws.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/io/quantities.hpp"
#include "tests/config_fuzz/config_classes.hpp"

namespace pipesim::test {

namespace {

/// 2^9 5^7 3^2 7: what devices' stages, slices, scales and stragglers divide.
constexpr std::int64_t kEvenGrain = 2'520'000'000;
constexpr std::int64_t kManyTicks = 20'000'000'000'000;  // 20 s

const std::vector<std::string>& units(const char* definition) {
  static std::map<std::string, std::vector<std::string>> known;
  std::vector<std::string>& units = known[definition];
  if (units.empty()) {
    const Json& node = config_schema().at(Json::json_pointer(definition));
    units = units_of(node.at("pattern"));
  }
  return units;
}
const auto* const kBytes = "/definitions/bytes_text";
const auto* const kBandwidth = "/definitions/bandwidth";
const auto* const kFlopRate = "/properties/hardware/properties/peak_flops";

std::int64_t ticks_in(TimeUnit unit) { return parse_time("1", unit).ticks.value().count; }

/// A JSON number of these digits, if it keeps them.
Json number_of(const std::string& text) {
  const bool is_short =
      std::count_if(text.begin(), text.end(), [](char c) { return c != '.'; }) < 16;
  return is_short ? Json::parse(text) : Json();
}

/// "1500" as "15e2".
std::string with_exponent(std::string number) {
  if (number.find('.') != number.npos) return number + "e0";
  int zeros = 0;
  for (; number.size() > 1 && number.back() == '0'; ++zeros) number.pop_back();
  return fmt::format("{}e{}", number, zeros);
}

}  // namespace

QuantityDraws::QuantityDraws(std::mt19937_64& random, TimeUnit unit, bool is_even)
    : random_(random), unit_(unit), is_even_(is_even), grain_(kEvenGrain) {
  if (is_even) return;
  const std::int64_t one = ticks_in(unit);
  grain_ =
      std::max<std::int64_t>(1, one / pick(std::vector<std::int64_t>{1, 1, 1, 2, 4, 8, 10, 1000}));
}

std::int64_t QuantityDraws::ticks(bool may_be_0) {
  const std::int64_t kind = integer(0, 9);
  std::int64_t times = kind == 0 && may_be_0 ? 0 : kind < 3 ? 1 : integer(1, 15);
  if (kind == 9) times = std::max<std::int64_t>(1, std::min(integer(16, 300), kManyTicks / grain_));
  return times * grain_;
}

Json QuantityDraws::time(std::int64_t ticks) {
  if (chance(60)) {
    Json number = number_of(format_time(Ticks{ticks}, unit_));
    if (!number.is_null()) return number;
  }
  const TimeUnit unit = chance(50) ? unit_ : static_cast<TimeUnit>(integer(0, 4));
  std::string number = format_time(Ticks{ticks}, unit);
  if (chance(15)) number = with_exponent(number);
  return fmt::format("{}{}{}", number, chance(20) ? " " : "", name(unit));
}

std::string QuantityDraws::time_field(std::int64_t ticks) {
  const Json drawn = time(ticks);
  return drawn.is_string() ? drawn.get<std::string>() : drawn.dump();
}

std::int64_t QuantityDraws::byte_count(std::int64_t most) {
  const std::int64_t whole = integer(0, 7) < 2 ? integer(0, 1) : integer(2, chance(80) ? 15 : 500);
  const std::int64_t unit =
      parse_bytes("1" + pick(units(kBytes))).value.value() / (chance(30) ? 2 : 1);
  return std::min(whole * std::max<std::int64_t>(1, unit), most);
}

Json QuantityDraws::bytes(std::int64_t count) {
  if (chance(30)) return count;
  std::vector<std::string> fitting;
  for (const std::string& unit : units(kBytes)) {
    const std::int64_t size = parse_bytes("1" + unit).value.value();
    if (count % size == 0 || (size > 1 && count % (size / 2) == 0)) fitting.push_back(unit);
  }
  const std::string& unit = pick(fitting);
  const std::int64_t size = parse_bytes("1" + unit).value.value();
  std::string number = std::to_string(count / size);
  if (count % size != 0) number += ".5";
  if (chance(15)) number = with_exponent(number);
  return fmt::format("{}{}{}", number, chance(20) ? " " : "", unit);
}

Json QuantityDraws::bytes_text(std::int64_t least) {
  const std::string& unit = pick(units(kBytes));
  const std::int64_t size = parse_bytes("1" + unit).value.value();
  return quantity(std::max<std::int64_t>(1, least / size + (least % size == 0 ? 0 : 1)),
                  unit != "B", unit);
}

/// The number with the unit, now and then with a half more.
std::string QuantityDraws::quantity(std::int64_t whole, bool may_have_fraction,
                                    const std::string& unit) {
  std::string number = std::to_string(whole);
  if (may_have_fraction && chance(15)) number += ".5";
  if (chance(15)) number = with_exponent(number);
  return fmt::format("{}{}{}", number, chance(20) ? " " : "", unit);
}

Json QuantityDraws::bandwidth() {
  if (is_even_) {
    // Of 10^13 bits a transfer of any bytes is a whole number of ticks at half the bandwidth too.
    const std::vector<std::string> even = {"KB/s", "MB/s", "GB/s", "Kb/s", "Mb/s", "Gb/s"};
    return quantity(pick(std::vector<std::int64_t>{1, 2, 4, 5, 8, 10, 20, 40, 50, 100}), false,
                    pick(even));
  }
  const std::string& unit = pick(units(kBandwidth));
  return quantity(chance(20) ? 1 : count(1, 400), unit.size() > 3, unit);
}

Json QuantityDraws::fast_bandwidth() {
  const std::string& unit = pick(units(kBandwidth));
  const std::int64_t size = parse_bandwidth("1" + unit).value.value().bits_per_second;
  const std::int64_t rate = (std::int64_t{1} << integer(33, 44)) + integer(0, 1'000'000);
  return quantity(std::max<std::int64_t>(1, rate / size), unit.size() > 3, unit);
}

Json QuantityDraws::flop_rate() {
  const std::string& unit = pick(units(kFlopRate));
  const std::int64_t size = parse_flop_rate("1" + unit).value.value().per_second;
  const std::int64_t rate = (std::int64_t{1} << integer(40, 53)) + integer(0, 1'000'000);
  return quantity(std::max<std::int64_t>(1, rate / size), unit != "FLOP/s", unit);
}

Json QuantityDraws::number(int least, int most) {
  const std::int64_t kind = integer(0, 9);
  if (kind == 0 && least == 0) return 0;
  if (kind < 3 || (most == 1 && !chance(60))) return 1;
  if (most > 1 && kind < 6) return integer(2, std::min(most, 15));
  if (most >= 16 && kind == 6) return integer(16, std::min(most, 40));
  const std::int64_t whole = most == 1 || least == 0 ? 0 : integer(1, 2);
  return static_cast<double>(whole) + pick(std::vector<double>{0.25, 0.5, 0.75});
}

std::int64_t QuantityDraws::count(std::int64_t least, std::int64_t most) {
  const std::int64_t kind = integer(0, 19);
  if (kind == 0 && most >= 16) return integer(16, most);
  if (kind < 5) return least;
  return integer(least, std::min<std::int64_t>(most, 15));
}

}  // namespace pipesim::test
