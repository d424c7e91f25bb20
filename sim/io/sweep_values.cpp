#include "sim/io/sweep_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/json_scan.hpp"
#include "sim/io/json_text.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

constexpr int kMostDigits = 18;
constexpr std::string_view kRangeAllowed =
    "FIRST:LAST, FIRST:LAST:STEP or FIRST:LAST:xFACTOR, such as 4:256:x2";

[[noreturn]] void fail(std::string_view value, std::string what, std::string_view allowed) {
  throw Error(
      Fault{.value = std::string(value), .what = std::move(what), .allowed = std::string(allowed)});
}

Int128 power_of_ten(int exponent) {
  Int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

/// count * 10^-places and a unit.
struct Number {
  Int128 count = 0;
  int places = 0;
  std::string unit{};

  bool has_too_many_digits() const {
    return places > kMostDigits || std::max(count, -count) >= power_of_ten(kMostDigits);
  }
};

/// Nothing if the text is no decimal number with a unit or without.
std::optional<Number> parse_number(std::string_view text, std::string_view range) {
  Number number;
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const bool is_negative = at == 1;
  int digits = 0;
  bool has_point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !has_point && digits > 0) {
      has_point = true;
    } else if (c >= '0' && c <= '9') {
      if (++digits > kMostDigits) {
        fail(range, fmt::format("\"{}\" has more than {} digits", abbreviated(text), kMostDigits),
             "numbers of at most 18 digits");
      }
      number.count = number.count * 10 + (c - '0');
      if (has_point) ++number.places;
    } else {
      break;
    }
  }
  if (digits == 0 || (has_point && number.places == 0)) return std::nullopt;
  number.unit = text.substr(at);
  const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (!std::all_of(number.unit.begin(), number.unit.end(), is_letter)) return std::nullopt;
  if (is_negative) number.count = -number.count;
  return number;
}

std::string text_of(const Number& number) {
  Int128 count = number.count;
  int places = number.places;
  for (; places > 0 && count % 10 == 0; --places) count /= 10;
  std::string digits = format_int128(std::max(count, -count));
  const auto most = static_cast<std::size_t>(places);
  if (digits.size() <= most) digits.insert(0, most + 1 - digits.size(), '0');
  if (places > 0) digits.insert(digits.size() - most, ".");
  if (count < 0) digits.insert(0, "-");
  // A number with a unit is a text, which --set takes as it stands.
  return digits + number.unit;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

/// On one line.
std::string value_of(std::string_view text) {
  if (!text.starts_with('[') && !text.starts_with('{')) return std::string(text);
  if (!is_json(text)) return std::string(text);
  JsonTree tree;
  JsonFaults doubled;  // for the reader of the config to say
  const JsonTree::Id root = tree.parse({.text = std::string(text)}, doubled);
  return canonical_json(tree, root);
}

/// At commas outside of brackets and strings, without the spaces around.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); at = token_end(text, at)) {
    const char c = text[at];
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth < 0) break;
    if (c != ',' || depth > 0) continue;
    parts.push_back(trimmed(text.substr(begin, at - begin)));
    begin = at + 1;
  }
  if (depth != 0) {
    fail(text, fmt::format("the brackets of \"{}\" do not match", abbreviated(text)),
         "values with commas between");
  }
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

/// Whether someone who wrote that meant a range: 4:256:x2, but not a layout such as "E|t*4:2".
bool looks_like_range(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  const bool is_number = !digits.empty() && digits[0] >= '0' && digits[0] <= '9';
  return is_number && text.find(':') != std::string_view::npos;
}

std::vector<std::string_view> split_at_colons(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t colon = text.find(':');
    parts.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

[[noreturn]] void fail_empty(std::string_view range, std::string_view why) {
  fail(range, fmt::format("the range \"{}\" is empty: {}", range, why),
       "a step that leads from the first number to the last");
}

}  // namespace

SweepValues SweepValues::parse(std::string_view text) {
  SweepValues values;
  if (text.empty()) fail(text, "no values", "values such as 4,8,16 or 4:256:x2");
  for (const std::string_view part : split(text)) {
    if (part.empty()) {
      fail(text, fmt::format("an empty value in \"{}\"", text), "values with one comma between");
    }
    if (!is_json(part) && looks_like_range(part)) {
      values.add_range(part);
    } else {
      values.add(value_of(part));
    }
  }
  return values;
}

SweepValues SweepValues::list(std::vector<std::string> values) {
  if (values.empty()) fail("[]", "no values", "at least one");
  SweepValues result;
  for (std::string& value : values) result.add(std::move(value));
  return result;
}

void SweepValues::grow(Int128 count, std::string_view text) {
  if (size_ + count > std::numeric_limits<std::int64_t>::max()) {
    fail(text, "2^63 values or more", "fewer values");
  }
  size_ += static_cast<std::int64_t>(count);
}

void SweepValues::add(std::string text) {
  runs_.push_back({.begin = size_, .text = std::move(text)});
  grow(1, runs_.back().text);
}

void SweepValues::add_range(std::string_view text) {
  std::vector<std::string_view> parts = split_at_colons(text);
  if (parts.size() == 3 && parts[2].starts_with('x')) return add_product(text, parts);
  std::vector<Number> numbers;
  for (const std::string_view part : parts) {
    const auto number = parse_number(part, text);
    if (!number || parts.size() > 3) {
      fail(text, fmt::format("\"{}\" is no range", text), kRangeAllowed);
    }
    numbers.push_back(*number);
  }
  if (numbers.size() == 2) numbers.push_back({.count = 1, .unit = numbers[0].unit});
  int places = 0;
  for (const Number& number : numbers) {
    if (number.unit != numbers[0].unit) {
      fail(text, fmt::format("the range \"{}\" has more than one unit", text),
           "the same unit on every number, or none");
    }
    places = std::max(places, number.places);
  }
  for (Number& number : numbers) {
    number.count *= power_of_ten(places - number.places);
    number.places = places;
  }
  const auto [first, last, step] = std::tie(numbers[0].count, numbers[1].count, numbers[2].count);
  if (step == 0) {
    fail(text, fmt::format("the range \"{}\" never ends: its step is 0", text),
         "a step other than 0");
  }
  if (first != last && (step > 0) != (last > first)) {
    fail_empty(text, fmt::format("its step leads away from {}", parts[1]));
  }
  runs_.push_back(
      {.begin = size_, .first = first, .step = step, .places = places, .unit = numbers[0].unit});
  grow((last - first) / step + 1, text);
}

void SweepValues::add_product(std::string_view text, std::span<const std::string_view> parts) {
  const auto first = parse_number(parts[0], text);
  const auto last = parse_number(parts[1], text);
  const auto factor = parse_number(parts[2].substr(1), text);
  if (!first || !last || !factor || !factor->unit.empty()) {
    fail(text, fmt::format("\"{}\" is no range", text), kRangeAllowed);
  }
  if (first->unit != last->unit) {
    fail(text, fmt::format("the range \"{}\" has more than one unit", text),
         "the same unit on every number, or none");
  }
  const Ratio one = {power_of_ten(factor->places), 1};
  const Ratio grows = {factor->count, 1};
  const auto value_of = [](const Number& number) {
    return Ratio{number.count, power_of_ten(number.places)};
  };
  const Ratio end = value_of(*last);
  if (first->count <= 0 || factor->count <= 0 || grows == one) {
    fail(text,
         fmt::format("the range \"{}\" never ends: it multiplies {} by {}", text, parts[0],
                     parts[2].substr(1)),
         "a first number and a factor above 0, and a factor other than 1");
  }
  const bool is_growing = grows > one;
  if (value_of(*first) != end && is_growing != (end > value_of(*first))) {
    fail_empty(text, fmt::format("its factor leads away from {}", parts[1]));
  }
  Number at = *first;
  while (is_growing ? value_of(at) <= end : value_of(at) >= end) {
    if (at.has_too_many_digits()) {
      fail(text,
           fmt::format("the range \"{}\" comes to a number of more than {} digits", text,
                       kMostDigits),
           "its numbers in a list");
    }
    add(text_of(at));
    at.count *= factor->count;
    at.places += factor->places;
    for (; at.places > 0 && at.count % 10 == 0; --at.places) at.count /= 10;
  }
}

std::string SweepValues::operator[](std::int64_t index) const {
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), index,
                       [](std::int64_t given, const Run& run) { return given < run.begin; });
  const Run& run = *(after - 1);
  if (run.step == 0) return run.text;
  return text_of({.count = run.first + run.step * (index - run.begin),
                  .places = run.places,
                  .unit = run.unit});
}

}  // namespace pipesim
