#include "sim/io/sweep_condition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/exact_decimal.hpp"
#include "sim/io/json_scan.hpp"
#include "sim/io/json_tree.hpp"

namespace pipesim {

namespace {

constexpr Int128 kLargest = Int128{1} << 120;  // what a Ratio may hold

bool is_word(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/// A JSON number as a fraction, if it fits.
std::optional<Ratio> exact(std::string_view number) {
  const auto decimal = ExactDecimal::parse(number);
  if (!decimal) return std::nullopt;
  constexpr int kMostPlaces = 35;
  Ratio ratio;
  int places = -decimal->exponent();
  for (const char c : decimal->digits()) {
    if (ratio.numerator >= kLargest / 10) return std::nullopt;
    ratio.numerator = ratio.numerator * 10 + (c - '0');
    ++places;
  }
  if (places > kMostPlaces) return std::nullopt;
  for (; places > 0; --places) ratio.denominator *= 10;
  for (; places < 0; ++places) {
    if (ratio.numerator >= kLargest / 10) return std::nullopt;
    ratio.numerator *= 10;
  }
  if (decimal->sign() < 0) ratio.numerator = -ratio.numerator;
  return reduced(ratio.numerator, ratio.denominator);
}

}  // namespace

ConditionValue condition_value(std::string_view text) {
  if (const auto ratio = exact(text)) return *ratio;
  return std::string(text);
}

/// A parser by recursive descent, a function a level.
class ConditionParser {
 public:
  explicit ConditionParser(SweepCondition& condition)
      : condition_(condition), text_(condition.text_) {}

  void parse() {
    condition_.root_ = either();
    if (at_ < text_.size()) fail_here();
  }

 private:
  using Operator = SweepCondition::Operator;
  struct Sign {
    std::string_view text;
    Operator kind;
    bool swaps;  // a > b is b < a
  };

  static constexpr Sign kEither[] = {{"||", Operator::either, false}};
  static constexpr Sign kBoth[] = {{"&&", Operator::both, false}};
  static constexpr Sign kComparisons[] = {
      {"==", Operator::equal, false},   {"!=", Operator::unequal, false},
      {"<=", Operator::at_most, false}, {">=", Operator::at_most, true},
      {"<", Operator::less, false},     {">", Operator::less, true}};
  static constexpr Sign kSums[] = {{"+", Operator::sum, false}, {"-", Operator::difference, false}};
  static constexpr Sign kProducts[] = {{"*", Operator::product, false},
                                       {"/", Operator::quotient, false},
                                       {"%", Operator::remainder, false}};
  static constexpr int kDeepest = 64;

  std::size_t either() {
    return left_to_right(kEither, [this] { return both(); });
  }
  std::size_t both() {
    return left_to_right(kBoth, [this] { return comparison(); });
  }
  std::size_t comparison() {
    const std::size_t left = sum();
    const auto sign = take(kComparisons);
    return sign ? add(*sign, left, sum()) : left;
  }
  std::size_t sum() {
    return left_to_right(kSums, [this] { return product(); });
  }
  std::size_t product() {
    return left_to_right(kProducts, [this] { return unary(); });
  }

  std::size_t unary() {
    if (++depth_ > kDeepest) fail("is nested more than 64 levels deep", "fewer parentheses");
    std::size_t node = 0;
    if (take("!")) {
      node = add_node({.kind = Operator::negation, .left = unary()});
    } else if (take("-")) {
      node = add_node({.kind = Operator::minus, .left = unary()});
    } else if (take("(")) {
      node = either();
      if (!take(")")) fail_here();
    } else {
      node = operand();
    }
    --depth_;
    return node;
  }

  std::size_t operand() {
    skip();
    if (at_ == text_.size()) fail_here();
    const std::size_t begin = at_;
    if (text_[at_] == '"') {
      at_ = token_end(text_, at_);
      const std::string_view quoted = text_.substr(begin, at_ - begin);
      if (quoted.size() < 2 || !quoted.ends_with('"') ||
          quoted.find('\\') != std::string_view::npos) {
        at_ = begin;
        fail_here();
      }
      return constant(std::string(quoted.substr(1, quoted.size() - 2)));
    }
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (word.empty()) fail_here();
    if (word[0] < '0' || word[0] > '9') return path(std::string(word));
    const auto number = exact(word);
    if (!number) {
      at_ = begin;
      fail_here();
    }
    return constant(*number);
  }

  std::size_t constant(ConditionValue value) {
    condition_.constants_.push_back(std::move(value));
    return add_node({.kind = Operator::constant, .left = condition_.constants_.size() - 1});
  }

  std::size_t path(std::string name) {
    auto& paths = condition_.paths_;
    const auto found = std::find(paths.begin(), paths.end(), name);
    const auto index = static_cast<std::size_t>(found - paths.begin());
    if (found == paths.end()) paths.push_back(std::move(name));
    return add_node({.kind = Operator::path, .left = index});
  }

  template <class Operand>
  std::size_t left_to_right(std::span<const Sign> signs, const Operand& operand) {
    std::size_t left = operand();
    while (const auto sign = take(signs)) left = add(*sign, left, operand());
    return left;
  }

  std::size_t add(const Sign& sign, std::size_t left, std::size_t right) {
    return add_node(
        {.kind = sign.kind, .left = sign.swaps ? right : left, .right = sign.swaps ? left : right});
  }

  std::size_t add_node(const SweepCondition::Node& node) {
    // What is joined from left to right is as deep as it is long.
    constexpr std::size_t kMostNodes = 1000;
    if (condition_.nodes_.size() == kMostNodes) {
      fail("has more than 1000 values and operators", "several conditions, or a shorter one");
    }
    condition_.nodes_.push_back(node);
    return condition_.nodes_.size() - 1;
  }

  std::optional<Sign> take(std::span<const Sign> signs) {
    for (const Sign& sign : signs) {
      if (take(sign.text)) return sign;
    }
    return std::nullopt;
  }

  bool take(std::string_view sign) {
    skip();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }

  void skip() { at_ = skip_space(text_, at_); }

  [[noreturn]] void fail_here() {
    skip();
    fail(at_ == text_.size()
             ? "ends where a value should stand"
             : fmt::format("is not understood from \"{}\" on", abbreviated(text_.substr(at_))),
         "such as m >= p && m % p == 0, or schedule != \"gpipe\"");
  }

  [[noreturn]] void fail(const std::string& why, std::string allowed) const {
    condition_.fail(fmt::format("the condition \"{}\" {}", abbreviated(text_), why),
                    std::move(allowed));
  }

  SweepCondition& condition_;
  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

SweepCondition::SweepCondition(std::string_view text) : text_(text) {
  ConditionParser(*this).parse();
}

bool SweepCondition::holds(const std::vector<ConditionValue>& values) const {
  return truth(root_, values);
}

bool SweepCondition::truth(std::size_t node, const std::vector<ConditionValue>& values) const {
  const Result result = evaluate(node, values);
  const bool* const truth = std::get_if<bool>(&result);
  if (!truth) {
    fail(fmt::format("the condition \"{}\" takes a value for a truth", abbreviated(text_)),
         "comparisons, joined by && and ||");
  }
  return *truth;
}

Ratio SweepCondition::number(std::size_t node, const std::vector<ConditionValue>& values) const {
  const Result result = evaluate(node, values);
  if (const Ratio* const number = std::get_if<Ratio>(&result)) return *number;
  const std::string* const text = std::get_if<std::string>(&result);
  fail(fmt::format("the condition \"{}\" takes {} for a number", abbreviated(text_),
                   text ? fmt::format("\"{}\"", *text) : "a truth"),
       "numbers; texts are compared with == and != only");
}

SweepCondition::Result SweepCondition::compared(const Node& node,
                                                const std::vector<ConditionValue>& values) const {
  const Result left = evaluate(node.left, values);
  const Result right = evaluate(node.right, values);
  const bool is_equal = left.index() == right.index() && left == right;
  return node.kind == Operator::equal ? is_equal : !is_equal;
}

SweepCondition::Result SweepCondition::evaluate(std::size_t index,
                                                const std::vector<ConditionValue>& values) const {
  const Node& node = nodes_[index];
  const auto as_result = [](const ConditionValue& value) {
    return std::visit([](const auto& held) { return Result(held); }, value);
  };
  const auto left = [&] { return number(node.left, values); };
  const auto right = [&] { return number(node.right, values); };
  const auto small = [this](const Ratio& ratio) {
    constexpr Int128 kSmall = Int128{1} << 60;
    if (ratio.numerator < kSmall && ratio.numerator > -kSmall && ratio.denominator < kSmall) {
      return ratio;
    }
    fail(fmt::format("the condition \"{}\" calculates with too large a number", abbreviated(text_)),
         "numbers below 2^60");
  };
  switch (node.kind) {
    case Operator::constant:
      return as_result(constants_[node.left]);
    case Operator::path:
      return as_result(values[node.left]);
    case Operator::either:
      return truth(node.left, values) || truth(node.right, values);
    case Operator::both:
      return truth(node.left, values) && truth(node.right, values);
    case Operator::negation:
      return !truth(node.left, values);
    case Operator::equal:
    case Operator::unequal:
      return compared(node, values);
    case Operator::less:
      return left() < right();
    case Operator::at_most:
      return left() <= right();
    case Operator::sum:
      return sum(small(left()), small(right()));
    case Operator::difference:
    case Operator::minus: {
      const Ratio first = node.kind == Operator::minus ? Ratio{} : small(left());
      Ratio second = small(node.kind == Operator::minus ? left() : right());
      second.numerator = -second.numerator;
      return sum(first, second);
    }
    case Operator::product:
      return product(small(left()), small(right()));
    case Operator::quotient: {
      const Ratio divisor = small(right());
      if (divisor.numerator == 0) break;
      const Int128 sign = divisor.numerator < 0 ? -1 : 1;
      return product(small(left()), {sign * divisor.denominator, sign * divisor.numerator});
    }
    case Operator::remainder: {
      const Ratio dividend = left();
      const Ratio divisor = right();
      if (divisor.numerator == 0) break;
      if (dividend.denominator != 1 || divisor.denominator != 1) {
        fail(fmt::format("the condition \"{}\" takes a fraction for a whole number",
                         abbreviated(text_)),
             "whole numbers on both sides of %");
      }
      return Ratio{dividend.numerator % divisor.numerator, 1};
    }
  }
  fail(fmt::format("the condition \"{}\" divides by 0", abbreviated(text_)),
       "a divisor other than 0");
}

void SweepCondition::fail(std::string what, std::string allowed) const {
  throw Error(Fault{.value = text_, .what = std::move(what), .allowed = std::move(allowed)});
}

}  // namespace pipesim
