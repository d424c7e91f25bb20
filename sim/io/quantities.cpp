#include "sim/io/quantities.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <span>

#include "sim/error.hpp"
#include "sim/io/exact_decimal.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

struct SizeUnit {
  std::string_view name;  // of bytes; a small b at its end makes it bits
  std::int64_t size;
};

constexpr std::array kSizes = {
    SizeUnit{"B", 1},
    SizeUnit{"KB", 1'000},
    SizeUnit{"MB", 1'000'000},
    SizeUnit{"GB", 1'000'000'000},
    SizeUnit{"TB", 1'000'000'000'000},
    SizeUnit{"KiB", std::int64_t{1} << 10},
    SizeUnit{"MiB", std::int64_t{1} << 20},
    SizeUnit{"GiB", std::int64_t{1} << 30},
    SizeUnit{"TiB", std::int64_t{1} << 40},
};

constexpr std::array kRates = {
    SizeUnit{"FLOP/s", 1},
    SizeUnit{"KFLOP/s", 1'000},
    SizeUnit{"MFLOP/s", 1'000'000},
    SizeUnit{"GFLOP/s", 1'000'000'000},
    SizeUnit{"TFLOP/s", 1'000'000'000'000},
    SizeUnit{"PFLOP/s", 1'000'000'000'000'000},
};

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

QuantityFault quantity_fault(TimeFault fault) {
  switch (fault) {
    case TimeFault::malformed:
      return QuantityFault::malformed;
    case TimeFault::no_unit:
      return QuantityFault::no_unit;
    case TimeFault::negative:
      return QuantityFault::negative;
    case TimeFault::too_fine:
      return QuantityFault::too_fine;
    case TimeFault::too_large:
      return QuantityFault::too_large;
  }
  return QuantityFault::malformed;
}

/// A number taken apart from the unit behind it.
struct NumberAndUnit {
  std::string_view number;
  std::string_view unit;
};

NumberAndUnit take_apart(std::string_view text) {
  const std::size_t last_digit = text.find_last_of("0123456789");
  if (last_digit == std::string_view::npos) return {.number = {}, .unit = text};
  std::string_view unit = text.substr(last_digit + 1);
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  return {.number = text.substr(0, last_digit + 1), .unit = unit};
}

constexpr int kMostPlaces = 9;

/// `number`, which has a fraction, times `size`, which must be whole.
ParsedQuantity<std::int64_t> multiplied_fraction(std::string_view number, std::int64_t size) {
  const std::optional<ExactDecimal> decimal = ExactDecimal::parse(number);
  if (!decimal) return {.fault = QuantityFault::too_fine};
  const std::string& digits = decimal->digits();
  const int places = static_cast<int>(digits.size()) - decimal->exponent();
  if (places > kMostPlaces) return {.fault = QuantityFault::too_fine};
  constexpr std::size_t kMostDigits = 30;
  if (digits.size() > kMostDigits) return {.fault = QuantityFault::too_large};
  Int128 numerator = 0;
  for (const char digit : digits) numerator = numerator * 10 + (digit - '0');
  Int128 denominator = 1;
  for (int place = 0; place < places; ++place) denominator *= 10;
  if (numerator > kMost * denominator / size) return {.fault = QuantityFault::too_large};
  if (numerator * size % denominator != 0) return {.fault = QuantityFault::too_fine};
  return {.value = static_cast<std::int64_t>(numerator * size / denominator)};
}

/// The same for any number.
ParsedQuantity<std::int64_t> multiplied(std::string_view number, std::int64_t size) {
  const ParsedTime whole = parse_time(number, TimeUnit::ps);
  if (whole.fault == TimeFault::too_fine) return multiplied_fraction(number, size);
  if (!whole.ticks) return {.fault = quantity_fault(whole.fault.value_or(TimeFault::malformed))};
  const Int128 product = Int128{whole.ticks->count} * size;
  if (product > kMost) return {.fault = QuantityFault::too_large};
  return {.value = static_cast<std::int64_t>(product)};
}

const SizeUnit* find_size(std::string_view name) {
  for (const SizeUnit& size : kSizes) {
    if (size.name == name) return &size;
  }
  return nullptr;
}

/// The unit in which the amount is the smallest whole number; the first of equals.
const SizeUnit& best_unit(std::span<const SizeUnit> sizes, std::int64_t amount) {
  const SizeUnit* best = &sizes.front();
  for (const SizeUnit& size : sizes) {
    if (amount != 0 && amount % size.size == 0 && size.size > best->size) best = &size;
  }
  return *best;
}

}  // namespace

std::string to_text(Decimal decimal) {
  return format_time(Ticks{decimal.billionths}, TimeUnit::ms);
}

ParsedQuantity<Decimal> parse_decimal(std::string_view number) {
  // A millisecond has as many ticks as there are billionths in 1.
  const ParsedTime parsed = parse_time(number, TimeUnit::ms);
  if (!parsed.ticks) return {.fault = quantity_fault(parsed.fault.value_or(TimeFault::malformed))};
  return {.value = Decimal{parsed.ticks->count}};
}

ParsedQuantity<std::int64_t> parse_bytes(std::string_view text) {
  const NumberAndUnit amount = take_apart(text);
  const auto plain = multiplied(amount.number, 1);
  if (plain.fault == QuantityFault::malformed) return {.fault = QuantityFault::malformed};
  if (amount.unit.empty()) return {.fault = QuantityFault::no_unit};
  const SizeUnit* const unit = find_size(amount.unit);
  if (unit == nullptr) return {.fault = QuantityFault::unknown_unit};
  return multiplied(amount.number, unit->size);
}

std::string bytes_text(std::int64_t bytes) {
  const SizeUnit& unit = best_unit(kSizes, bytes);
  return fmt::format("{}{}", bytes / unit.size, unit.name);
}

ParsedQuantity<Bandwidth> parse_bandwidth(std::string_view text) {
  constexpr std::string_view kPerSecond = "/s";
  const NumberAndUnit amount = take_apart(text);
  if (multiplied(amount.number, 1).fault == QuantityFault::malformed) {
    return {.fault = QuantityFault::malformed};
  }
  if (amount.unit.empty()) return {.fault = QuantityFault::no_unit};
  std::string name(amount.unit);
  if (!name.ends_with(kPerSecond)) return {.fault = QuantityFault::unknown_unit};
  name.resize(name.size() - kPerSecond.size());
  const bool in_bits = name.ends_with('b');
  if (in_bits) name.back() = 'B';
  const SizeUnit* const unit = find_size(name);
  if (unit == nullptr) return {.fault = QuantityFault::unknown_unit};
  const auto bits = multiplied(amount.number, in_bits ? unit->size : unit->size * 8);
  if (!bits.value) return {.fault = bits.fault};
  return {.value = Bandwidth{*bits.value}};
}

std::string to_text(Bandwidth bandwidth) {
  const std::int64_t bits = bandwidth.bits_per_second;
  const SizeUnit& bit_unit = best_unit(kSizes, bits);
  if (bits % 8 == 0) {
    const SizeUnit& byte_unit = best_unit(kSizes, bits / 8);
    if (bits / 8 / byte_unit.size <= bits / bit_unit.size) {
      return fmt::format("{}{}/s", bits / 8 / byte_unit.size, byte_unit.name);
    }
  }
  std::string name(bit_unit.name);
  name.back() = 'b';
  return fmt::format("{}{}/s", bits / bit_unit.size, name);
}

ParsedQuantity<FlopRate> parse_flop_rate(std::string_view text) {
  const NumberAndUnit amount = take_apart(text);
  if (multiplied(amount.number, 1).fault == QuantityFault::malformed) {
    return {.fault = QuantityFault::malformed};
  }
  if (amount.unit.empty()) return {.fault = QuantityFault::no_unit};
  for (const SizeUnit& unit : kRates) {
    if (amount.unit != unit.name) continue;
    const auto rate = multiplied(amount.number, unit.size);
    if (!rate.value) return {.fault = rate.fault};
    return {.value = FlopRate{*rate.value}};
  }
  return {.fault = QuantityFault::unknown_unit};
}

std::string to_text(FlopRate rate) {
  const SizeUnit& unit = best_unit(kRates, rate.per_second);
  return fmt::format("{}{}", rate.per_second / unit.size, unit.name);
}

}  // namespace pipesim
