// The condition of --where: which points of a grid a sweep has.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/units.hpp"

namespace pipesim {

/// A value of a condition: a number, exact, or a text.
using ConditionValue = std::variant<Ratio, std::string>;

/// The value of a JSON number, or the text itself.
ConditionValue condition_value(std::string_view text);

/// An expression over config keys, such as `m >= p && m % p == 0 && schedule != "gpipe"`. From the
/// loosest to the tightest: ||, &&, comparisons (== != < <= > >=), + and -, * / %, unary ! and -,
/// parentheses. Arithmetic is exact; % takes whole numbers and has the sign of its left side. Texts
/// are compared for equality only; a text with a unit ("2ms") is a text.
class SweepCondition {
 public:
  /// Throws Error (bad input) without a place if the text is no condition.
  explicit SweepCondition(std::string_view text);

  const std::string& text() const { return text_; }
  /// The dotted paths that it asks for, each once.
  const std::vector<std::string>& paths() const { return paths_; }

  /// Requires a value for each of paths(), in their order. Throws Error (bad input) without a place
  /// where a value is of the wrong type, a divisor is 0 or a number leaves 120 bits.
  bool holds(const std::vector<ConditionValue>& values) const;

 private:
  friend class ConditionParser;

  enum class Operator : std::uint8_t {
    constant,
    path,
    either,
    both,
    negation,
    equal,
    unequal,
    less,
    at_most,
    sum,
    difference,
    product,
    quotient,
    remainder,
    minus
  };
  struct Node {
    Operator kind = Operator::constant;
    std::size_t left = 0;  // nodes, or the index of a constant or path
    std::size_t right = 0;
  };
  using Result = std::variant<bool, Ratio, std::string>;

  Result evaluate(std::size_t node, const std::vector<ConditionValue>& values) const;
  bool truth(std::size_t node, const std::vector<ConditionValue>& values) const;
  Ratio number(std::size_t node, const std::vector<ConditionValue>& values) const;
  Result compared(const Node& node, const std::vector<ConditionValue>& values) const;
  [[noreturn]] void fail(std::string what, std::string allowed) const;

  std::string text_;
  std::vector<Node> nodes_;
  std::vector<ConditionValue> constants_;
  std::vector<std::string> paths_;
  std::size_t root_ = 0;
};

}  // namespace pipesim
