#include "sim/units.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "sim/error.hpp"

namespace pipesim {

namespace {

struct UnitName {
  TimeUnit unit;
  std::string_view name;
  int exponent;  // ticks per unit = 10^exponent
};

constexpr std::array kUnits = {UnitName{TimeUnit::s, "s", 12}, UnitName{TimeUnit::ms, "ms", 9},
                               UnitName{TimeUnit::us, "us", 6}, UnitName{TimeUnit::ns, "ns", 3},
                               UnitName{TimeUnit::ps, "ps", 0}};

int exponent_of(TimeUnit unit) { return kUnits[static_cast<std::size_t>(unit)].exponent; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Int128 power_of_ten(int exponent) {
  Int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

/// A decimal number taken apart: sign, digits without leading zeros, and the power of ten of
/// the last digit.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;
};

/// Reads [-]digits[.digits][(e|E)[+|-]digits] from the front of `text` and removes it.
std::optional<Decimal> take_decimal(std::string_view& text) {
  Decimal decimal;
  std::size_t at = 0;
  const auto take_digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) decimal.digits += text[at++];
    return at - begin;
  };
  if (at < text.size() && text[at] == '-') {
    decimal.negative = true;
    ++at;
  }
  if (take_digits() == 0) return std::nullopt;
  if (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
    ++at;
    decimal.exponent = -static_cast<std::int64_t>(take_digits());
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    std::size_t exponent_at = at + 1;
    bool negative = false;
    if (exponent_at < text.size() && (text[exponent_at] == '+' || text[exponent_at] == '-')) {
      negative = text[exponent_at++] == '-';
    }
    if (exponent_at < text.size() && is_digit(text[exponent_at])) {
      constexpr std::int64_t kFarOutOfRange = 1'000'000'000;
      std::int64_t exponent = 0;
      while (exponent_at < text.size() && is_digit(text[exponent_at])) {
        exponent = std::min(kFarOutOfRange, exponent * 10 + (text[exponent_at++] - '0'));
      }
      decimal.exponent += negative ? -exponent : exponent;
      at = exponent_at;
    }
  }
  text.remove_prefix(at);
  decimal.digits.erase(0, decimal.digits.find_first_not_of('0'));
  while (!decimal.digits.empty() && decimal.digits.back() == '0') {
    decimal.digits.pop_back();
    ++decimal.exponent;
  }
  return decimal;
}

ParsedTime to_ticks(const Decimal& decimal, TimeUnit unit) {
  if (decimal.digits.empty()) return {.ticks = Ticks{0}, .fault = {}};
  if (decimal.negative) return {.ticks = {}, .fault = TimeFault::negative};
  const std::int64_t exponent = decimal.exponent + exponent_of(unit);
  const auto width = static_cast<std::int64_t>(decimal.digits.size()) + exponent;
  if (width > 19) return {.ticks = {}, .fault = TimeFault::too_large};
  if (exponent < 0) return {.ticks = {}, .fault = TimeFault::too_fine};
  Int128 count = 0;
  for (const char digit : decimal.digits) count = count * 10 + (digit - '0');
  count *= power_of_ten(static_cast<int>(exponent));
  if (count > std::numeric_limits<std::int64_t>::max()) {
    return {.ticks = {}, .fault = TimeFault::too_large};
  }
  return {.ticks = Ticks{static_cast<std::int64_t>(count)}, .fault = {}};
}

struct FloorDivision {
  Int128 quotient;
  Int128 remainder;
};

FloorDivision floor_divide(Int128 numerator, Int128 denominator) {
  Int128 quotient = numerator / denominator;
  Int128 remainder = numerator % denominator;
  if (remainder < 0) {
    --quotient;
    remainder += denominator;
  }
  return {quotient, remainder};
}

}  // namespace

std::string_view name(TimeUnit unit) { return kUnits[static_cast<std::size_t>(unit)].name; }

std::optional<TimeUnit> time_unit(std::string_view name) {
  for (const UnitName& unit : kUnits) {
    if (unit.name == name) return unit.unit;
  }
  return std::nullopt;
}

ParsedTime parse_time(std::string_view number, TimeUnit unit) {
  const auto decimal = take_decimal(number);
  if (!decimal || !number.empty()) return {.ticks = {}, .fault = TimeFault::malformed};
  return to_ticks(*decimal, unit);
}

ParsedTime parse_time_with_unit(std::string_view text) {
  const auto decimal = take_decimal(text);
  if (!decimal) return {.ticks = {}, .fault = TimeFault::malformed};
  if (text.empty()) return {.ticks = {}, .fault = TimeFault::no_unit};
  if (text.front() == ' ') text.remove_prefix(1);
  const auto unit = time_unit(text);
  if (!unit) return {.ticks = {}, .fault = TimeFault::malformed};
  return to_ticks(*decimal, *unit);
}

std::string format_int128(Int128 value) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  std::string digits;
  for (; value != 0; value /= 10) {
    const int digit = static_cast<int>(value % 10);
    digits += static_cast<char>('0' + (negative ? -digit : digit));
  }
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string format_time(Ticks ticks, TimeUnit unit) {
  const bool negative = ticks.count < 0;
  std::string digits = format_int128(negative ? -Int128{ticks.count} : Int128{ticks.count});
  const auto fraction = static_cast<std::size_t>(exponent_of(unit));
  if (digits.size() <= fraction) digits.insert(0, fraction + 1 - digits.size(), '0');
  if (fraction > 0) {
    digits.insert(digits.size() - fraction, ".");
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
  }
  return negative ? "-" + digits : digits;
}

std::strong_ordering operator<=>(const Ratio& left, const Ratio& right) {
  Ratio a = left;
  Ratio b = right;
  while (true) {
    const FloorDivision in_a = floor_divide(a.numerator, a.denominator);
    const FloorDivision in_b = floor_divide(b.numerator, b.denominator);
    if (in_a.quotient != in_b.quotient) return in_a.quotient <=> in_b.quotient;
    if (in_a.remainder == 0 || in_b.remainder == 0) return in_a.remainder <=> in_b.remainder;
    // Two proper fractions compare inversely to their reciprocals.
    const Ratio reciprocal_of_a = {a.denominator, in_a.remainder};
    a = {b.denominator, in_b.remainder};
    b = reciprocal_of_a;
  }
}

Int128 greatest_common_divisor(Int128 a, Int128 b) {
  while (b != 0) a = std::exchange(b, a % b);
  return a < 0 ? -a : a;
}

Ratio reduced(Int128 numerator, Int128 denominator) {
  const Int128 divisor = greatest_common_divisor(numerator, denominator);
  return {numerator / divisor, denominator / divisor};
}

Ratio sum(const Ratio& left, const Ratio& right) {
  return reduced(left.numerator * right.denominator + right.numerator * left.denominator,
                 left.denominator * right.denominator);
}

Ratio product(const Ratio& left, const Ratio& right) {
  return reduced(left.numerator * right.numerator, left.denominator * right.denominator);
}

std::string format_ratio(const Ratio& ratio, int digits) {
  PIPESIM_CHECK(ratio.denominator > 0 && digits > 0);
  if (ratio.numerator == 0) return "0";
  const bool negative = ratio.numerator < 0;
  Int128 remainder = negative ? -ratio.numerator : ratio.numerator;
  const Int128 denominator = ratio.denominator;

  // Long division: the digits before the point, then one digit a step.
  std::string text = format_int128(remainder / denominator);
  remainder %= denominator;
  std::int64_t exponent = static_cast<std::int64_t>(text.size()) - 1;
  if (text == "0") {
    text.clear();
    exponent = -1;
    while (true) {
      remainder *= 10;
      const auto digit = static_cast<char>('0' + static_cast<int>(remainder / denominator));
      remainder %= denominator;
      if (digit != '0') {
        text = digit;
        break;
      }
      --exponent;
    }
  }
  const auto wanted = static_cast<std::size_t>(digits);
  while (text.size() < wanted + 1) {
    remainder *= 10;
    text += static_cast<char>('0' + static_cast<int>(remainder / denominator));
    remainder %= denominator;
  }

  const bool rest_is_zero = remainder == 0 && std::all_of(text.begin() + digits + 1, text.end(),
                                                          [](char digit) { return digit == '0'; });
  const char next = text[wanted];
  const bool odd = (text[wanted - 1] - '0') % 2 != 0;
  text.resize(wanted);
  if (next > '5' || (next == '5' && (!rest_is_zero || odd))) {
    std::size_t at = wanted;
    while (at > 0 && text[at - 1] == '9') text[--at] = '0';
    if (at > 0) {
      ++text[at - 1];
    } else {
      text.insert(0, "1");
      text.pop_back();
      ++exponent;
    }
  }
  text.erase(text.find_last_not_of('0') + 1);

  // The two notations of %g.
  std::string result;
  if (exponent < -4 || exponent >= digits) {
    result = text.substr(0, 1);
    if (text.size() > 1) result += "." + text.substr(1);
    std::string power = std::to_string(exponent < 0 ? -exponent : exponent);
    if (power.size() < 2) power.insert(0, "0");
    result += (exponent < 0 ? "e-" : "e+") + power;
  } else if (exponent < 0) {
    result = "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + text;
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (text.size() < whole) text.append(whole - text.size(), '0');
    result = text.substr(0, whole);
    if (text.size() > whole) result += "." + text.substr(whole);
  }
  return negative ? "-" + result : result;
}

std::string format_mean_time(const Ratio& ticks, TimeUnit unit) {
  return format_ratio({ticks.numerator, ticks.denominator * power_of_ten(exponent_of(unit))});
}

}  // namespace pipesim
