#include "sim/io/config_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace pipesim {

namespace {

std::string sentence(IntegerRange range) {
  return fmt::format("an integer from {} to {}", range.minimum, range.maximum);
}

/// The part of a time such as "3fortnights" that is not a number, if the rest is one.
std::optional<std::string_view> unknown_unit(std::string_view text) {
  const std::size_t last_digit = text.find_last_of("0123456789");
  if (last_digit == std::string_view::npos) return std::nullopt;
  const std::string_view number = text.substr(0, last_digit + 1);
  if (parse_time(number, TimeUnit::ps).fault == TimeFault::malformed) return std::nullopt;
  std::string_view unit = text.substr(last_digit + 1);
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  return unit;
}

struct TimeMessage {
  std::string what;
  std::string_view allowed = kTimeAllowed;
};

/// Why a string is not a time, where it is none at all.
TimeMessage malformed_time(std::string_view shown, std::string_view text) {
  if (time_unit(text)) return {.what = fmt::format("{} is a unit without a number", shown)};
  const auto unit = unknown_unit(text);
  if (!unit) return {.what = fmt::format("{} is not a time", shown)};
  return {.what = fmt::format("{} has the unknown unit \"{}\"", shown, abbreviated(*unit)),
          .allowed = "s, ms, us, ns or ps"};
}

}  // namespace

std::string alternatives(std::span<const std::string> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 < names.size() ? ", " : " or ";
    text += names[i];
  }
  return text;
}

std::optional<ConfigValue> ConfigValues::find(const ConfigValue& object,
                                              std::string_view key) const {
  if (tree_.kind(object.id) != JsonKind::object) return std::nullopt;
  const auto found = tree_.find(object.id, key);
  if (!found) return std::nullopt;
  return ConfigValue{*found, child_pointer(object.pointer, key)};
}

std::optional<ConfigValue> ConfigValues::require(const ConfigValue& object, std::string_view key,
                                                 std::string_view allowed) {
  auto found = find(object, key);
  if (!found) {
    faults_.add(tree_, tree_.position(object.id),
                {.pointer = child_pointer(object.pointer, key),
                 .what = "missing",
                 .allowed = fmt::format("required: {}", allowed)});
  }
  return found;
}

std::optional<ConfigValue> ConfigValues::object(const ConfigValue& value,
                                                std::span<const std::string> known) {
  const std::string keys = fmt::format("{}", fmt::join(known, ", "));
  if (tree_.kind(value.id) != JsonKind::object) {
    add_fault(value, tree_.described(value.id), "an object with the keys: " + keys);
    return std::nullopt;
  }
  for (const JsonTree::Id id : tree_.children(value.id)) {
    const std::string_view key = tree_.key(id);
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    add_key_fault({id, child_pointer(value.pointer, key)}, "unknown key", "known keys: " + keys,
                  faults_.is_full() ? "" : nearest_name(key, known));
  }
  return value;
}

std::optional<std::int64_t> ConfigValues::integer(const ConfigValue& value, IntegerRange range) {
  const auto fail = [&](std::string what) {
    add_fault(value, std::move(what), sentence(range));
    return std::nullopt;
  };
  if (tree_.kind(value.id) != JsonKind::number) return fail(tree_.described(value.id));
  const std::string_view raw = tree_.raw(value.id);
  const std::string shown = tree_.shown(value.id);
  if (raw.find_first_of(".eE") != std::string_view::npos) {
    return fail(shown + " is not an integer");
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  const bool beyond = error == std::errc::result_out_of_range;
  const bool negative = raw.front() == '-';
  if ((beyond && negative) || (!beyond && number < range.minimum)) {
    return fail(shown + " is too small");
  }
  if (beyond || number > range.maximum) return fail(shown + " is too large");
  return number;
}

std::optional<std::string> ConfigValues::text(const ConfigValue& value, std::string_view allowed) {
  if (tree_.kind(value.id) != JsonKind::string) {
    add_fault(value, tree_.described(value.id), allowed);
    return std::nullopt;
  }
  std::string text = tree_.string(value.id);
  if (text.empty()) {
    add_fault(value, "an empty string", allowed);
    return std::nullopt;
  }
  return text;
}

std::optional<std::size_t> ConfigValues::choice(const ConfigValue& value,
                                                std::span<const std::string> names,
                                                std::string_view allowed) {
  if (tree_.kind(value.id) != JsonKind::string) {
    add_fault(value, tree_.described(value.id), allowed);
    return std::nullopt;
  }
  const std::string given = tree_.string(value.id);
  const auto found = std::find(names.begin(), names.end(), given);
  if (found == names.end()) {
    add_fault(value, tree_.shown(value.id) + " is unknown", allowed, nearest_name(given, names));
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - names.begin());
}

std::optional<Ticks> ConfigValues::time(const ConfigValue& value, std::optional<TimeUnit> unit) {
  const JsonKind kind = tree_.kind(value.id);
  if (kind != JsonKind::number && kind != JsonKind::string) {
    add_fault(value, tree_.described(value.id), kTimeAllowed);
    return std::nullopt;
  }
  const bool is_number = kind == JsonKind::number;
  const ParsedTime parsed = is_number ? parse_time(tree_.raw(value.id), unit.value_or(TimeUnit::ms))
                                      : parse_time_with_unit(tree_.string(value.id));
  const bool unjudged = is_number && !unit && parsed.fault != TimeFault::negative;
  if (parsed.fault && !unjudged) {
    add_time_fault(value, *parsed.fault, is_number && unit ? name(*unit) : "");
  }
  return unjudged ? std::nullopt : parsed.ticks;
}

std::optional<bool> ConfigValues::boolean(const ConfigValue& value) {
  if (tree_.kind(value.id) != JsonKind::boolean) {
    add_fault(value, tree_.described(value.id), "true or false");
    return std::nullopt;
  }
  return tree_.raw(value.id) == "true";
}

std::optional<Decimal> ConfigValues::decimal(const ConfigValue& value, std::string_view allowed) {
  if (tree_.kind(value.id) != JsonKind::number) {
    add_fault(value, tree_.described(value.id), allowed);
    return std::nullopt;
  }
  const auto parsed = parse_decimal(tree_.raw(value.id));
  if (parsed.fault) add_quantity_fault(value, *parsed.fault, allowed, "");
  return parsed.value;
}

std::optional<std::int64_t> ConfigValues::bytes(const ConfigValue& value) {
  if (tree_.kind(value.id) == JsonKind::number) {
    return integer(value, {0, std::numeric_limits<std::int64_t>::max()});
  }
  if (tree_.kind(value.id) != JsonKind::string) {
    add_fault(value, tree_.described(value.id), kBytesAllowed);
    return std::nullopt;
  }
  const auto parsed = parse_bytes(tree_.string(value.id));
  if (parsed.fault) {
    add_quantity_fault(value, *parsed.fault, kBytesAllowed,
                       "B, KB, MB, GB, TB, KiB, MiB, GiB or TiB");
  }
  return parsed.value;
}

std::optional<std::string> ConfigValues::number_with_unit(const ConfigValue& value,
                                                          std::string_view allowed) {
  const JsonKind kind = tree_.kind(value.id);
  if (kind != JsonKind::number && kind != JsonKind::string) {
    add_fault(value, tree_.described(value.id), allowed);
    return std::nullopt;
  }
  return kind == JsonKind::number ? std::string(tree_.raw(value.id)) : tree_.string(value.id);
}

std::optional<Bandwidth> ConfigValues::bandwidth(const ConfigValue& value) {
  const auto text = number_with_unit(value, kBandwidthAllowed);
  if (!text) return std::nullopt;
  const auto parsed = parse_bandwidth(*text);
  if (parsed.fault) {
    add_quantity_fault(value, *parsed.fault, kBandwidthAllowed,
                       "B/s, KB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s, GiB/s or TiB/s, "
                       "with b for bits");
  } else if (parsed.value && parsed.value->bits_per_second == 0) {
    add_fault(value, tree_.shown(value.id) + " carries nothing", "a bandwidth above 0");
    return std::nullopt;
  }
  return parsed.value;
}

std::optional<FlopRate> ConfigValues::flop_rate(const ConfigValue& value) {
  const auto text = number_with_unit(value, kFlopRateAllowed);
  if (!text) return std::nullopt;
  const auto parsed = parse_flop_rate(*text);
  if (parsed.fault) {
    add_quantity_fault(value, *parsed.fault, kFlopRateAllowed,
                       "FLOP/s, KFLOP/s, MFLOP/s, GFLOP/s, TFLOP/s or PFLOP/s");
  } else if (parsed.value && parsed.value->per_second == 0) {
    add_fault(value, tree_.shown(value.id) + " computes nothing", "a rate above 0");
    return std::nullopt;
  }
  return parsed.value;
}

void ConfigValues::add_quantity_fault(const ConfigValue& value, QuantityFault fault,
                                      std::string_view allowed, std::string_view units) {
  const std::string shown = tree_.shown(value.id);
  switch (fault) {
    case QuantityFault::malformed:
      return add_fault(value, shown + " has no number", allowed);
    case QuantityFault::no_unit:
      return add_fault(value, shown + " has no unit", allowed);
    case QuantityFault::unknown_unit:
      return add_fault(value, shown + " has an unknown unit", units);
    case QuantityFault::negative:
      return add_fault(value, shown + " is negative", allowed);
    case QuantityFault::too_fine:
      return add_fault(
          value, shown + " is too fine",
          units.empty() ? "at most 9 decimal places" : "a whole number of its smallest unit");
    case QuantityFault::too_large:
      return add_fault(
          value, shown + " is too large",
          units.empty() ? "below 9223372036.854775808" : "below 2^63 of its smallest unit");
  }
}

void ConfigValues::add_time_fault(const ConfigValue& value, TimeFault fault,
                                  std::string_view unit) {
  const std::string shown = tree_.shown(value.id);
  const std::string amount = unit.empty() ? shown : fmt::format("{} {}", shown, unit);
  switch (fault) {
    case TimeFault::malformed: {
      TimeMessage message = malformed_time(shown, tree_.string(value.id));
      return add_fault(value, std::move(message.what), message.allowed);
    }
    case TimeFault::no_unit:
      return add_fault(value, shown + " has no unit",
                       "a number without quotes, or a string with a unit such as \"4ms\"");
    case TimeFault::negative:
      return add_fault(value, shown + " is negative", "a time of at least 0");
    case TimeFault::too_fine:
      return add_fault(value, amount + " is finer than a tick", "a whole number of picoseconds");
    case TimeFault::too_large:
      return add_fault(
          value, amount + " is too large",
          fmt::format("at most {} ps, some 106.75 days", std::numeric_limits<std::int64_t>::max()));
  }
}

void ConfigValues::add_fault(const ConfigValue& value, std::string what, std::string_view allowed,
                             std::string nearest) {
  faults_.add(tree_, tree_.position(value.id),
              {.pointer = value.pointer,
               .value = tree_.excerpt(value.id),
               .what = std::move(what),
               .allowed = std::string(allowed),
               .nearest = std::move(nearest)});
}

void ConfigValues::add_key_fault(const ConfigValue& member, std::string what, std::string allowed,
                                 std::string nearest) {
  faults_.add(tree_, tree_.key_position(member.id),
              {.pointer = member.pointer,
               .value = abbreviated(tree_.key(member.id)),
               .what = std::move(what),
               .allowed = std::move(allowed),
               .nearest = std::move(nearest)});
}

}  // namespace pipesim
