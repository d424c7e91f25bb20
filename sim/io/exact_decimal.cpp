#include "sim/io/exact_decimal.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>

#include "sim/io/json_scan.hpp"
#include "sim/io/json_tree.hpp"

namespace pipesim {

namespace {

constexpr int kLargestExponent = 300;

/// Moves the digits at the front of `text` behind `digits` and returns how many they were.
int take_digits(std::string_view& text, std::string& digits) {
  const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  digits += text.substr(0, count);
  text.remove_prefix(count);
  return static_cast<int>(count);
}

}  // namespace

ExactDecimal::ExactDecimal(int value)
    : ExactDecimal(parse(std::to_string(value)).value_or(ExactDecimal())) {}

std::optional<ExactDecimal> ExactDecimal::parse(std::string_view number) {
  const bool may_be_number =
      !number.empty() && (number[0] == '-' || (number[0] >= '0' && number[0] <= '9'));
  if (!may_be_number || number.find_first_of(" \t\r\n") != number.npos || !is_json(number)) {
    return std::nullopt;
  }
  ExactDecimal result;
  if (number.front() == '-') {
    result.is_negative_ = true;
    number.remove_prefix(1);
  }
  result.exponent_ = take_digits(number, result.digits_);
  if (number.starts_with('.')) {
    number.remove_prefix(1);
    take_digits(number, result.digits_);
  }
  if (!number.empty()) {
    number.remove_prefix(number.size() > 1 && number[1] == '+' ? 2 : 1);
    int exponent = 0;
    const auto [stop, error] =
        std::from_chars(number.data(), number.data() + number.size(), exponent);
    if (error != std::errc{} || exponent > 1'000'000 || exponent < -1'000'000) return std::nullopt;
    result.exponent_ += exponent;
  }
  const std::size_t zeros = std::min(result.digits_.find_first_not_of('0'), result.digits_.size());
  result.digits_.erase(0, zeros);
  result.exponent_ -= static_cast<int>(zeros);
  result.digits_.erase(result.digits_.find_last_not_of('0') + 1);
  if (result.digits_.empty()) return ExactDecimal();
  return result.scaled(0);
}

std::optional<ExactDecimal> ExactDecimal::scaled(int power) const {
  if (digits_.empty()) return *this;
  ExactDecimal result = *this;
  result.exponent_ += power;
  const bool is_in_range =
      result.exponent_ > -kLargestExponent && result.exponent_ <= kLargestExponent;
  return is_in_range ? std::optional(result) : std::nullopt;
}

std::string ExactDecimal::text() const {
  if (digits_.empty()) return "0";
  const std::string_view sign = is_negative_ ? "-" : "";
  const int count = static_cast<int>(digits_.size());
  if (exponent_ > 21 || exponent_ < -8) {
    const std::string_view point = count > 1 ? "." : "";
    return fmt::format("{}{}{}{}e{}", sign, digits_[0], point, digits_.substr(1), exponent_ - 1);
  }
  if (exponent_ <= 0) return fmt::format("{}0.{:0>{}}{}", sign, "", -exponent_, digits_);
  if (exponent_ >= count) return fmt::format("{}{}{:0>{}}", sign, digits_, "", exponent_ - count);
  const auto point = static_cast<std::size_t>(exponent_);
  return fmt::format("{}{}.{}", sign, digits_.substr(0, point), digits_.substr(point));
}

std::strong_ordering operator<=>(const ExactDecimal& left, const ExactDecimal& right) {
  if (left.sign() != right.sign()) return left.sign() <=> right.sign();
  const auto magnitude = [](const ExactDecimal& first, const ExactDecimal& second) {
    if (first.exponent_ != second.exponent_) return first.exponent_ <=> second.exponent_;
    return first.digits_ <=> second.digits_;
  };
  return left.sign() < 0 ? magnitude(right, left) : magnitude(left, right);
}

}  // namespace pipesim
