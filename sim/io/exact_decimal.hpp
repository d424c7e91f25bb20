// Decimals of any length as they are written, for what must be ordered without rounding.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace pipesim {

/// A decimal number whose magnitude is 0 or from 1e-300 to below 1e300, which a double can draw.
class ExactDecimal {
 public:
  ExactDecimal() = default;  ///< 0
  explicit ExactDecimal(int value);

  /// Reads a JSON number (RFC 8259, section 6); nothing if the text is none or out of range.
  static std::optional<ExactDecimal> parse(std::string_view number);

  /// -1, 0 or 1.
  int sign() const { return digits_.empty() ? 0 : is_negative_ ? -1 : 1; }
  /// The power of ten that is just above the magnitude: 1 for 9.5, 2 for 10. 0 for 0.
  int exponent() const { return exponent_; }
  /// The magnitude is 0.DIGITS * 10^exponent(); "" for 0.
  const std::string& digits() const { return digits_; }
  /// Times 10^power, nothing if that is out of range.
  std::optional<ExactDecimal> scaled(int power) const;
  /// As a JSON number, the shortest without an exponent from 1e-9 to below 1e21: "0.25", "-3".
  std::string text() const;

  friend std::strong_ordering operator<=>(const ExactDecimal& left, const ExactDecimal& right);
  friend bool operator==(const ExactDecimal& left, const ExactDecimal& right) = default;

 private:
  bool is_negative_ = false;
  std::string digits_;  // neither the first nor the last is 0; empty: 0
  int exponent_ = 0;    // the value is 0.DIGITS * 10^exponent
};

}  // namespace pipesim
