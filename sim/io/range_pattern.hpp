// Names of profiled ranges with a stage and a microbatch in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/types.hpp"

namespace pipesim {

/// Where a range belongs, as far as its name tells.
struct RangePlace {
  std::optional<Stage> stage{};
  std::optional<Microbatch> microbatch{};

  friend bool operator==(const RangePlace&, const RangePlace&) = default;
};

/// A text in which {stage} and {microbatch} stand for numbers: "forward stage {stage}". Each may be
/// left out, stands at most once, and takes all digits that are there; the rest is matched letter
/// by letter, from the first to the last of a name.
class RangePattern {
 public:
  /// Throws Error (bad input) if the text is no such pattern; `option` is where it was given.
  explicit RangePattern(std::string text, const std::string& option = "");

  const std::string& text() const { return text_; }
  bool has_stage() const { return has_stage_; }
  /// The place that the name tells; nothing if it is another name, or a number is above int32.
  std::optional<RangePlace> match(std::string_view name) const;

 private:
  enum class Number { none, stage, microbatch };
  struct Part {
    std::string literal;  // first this
    Number number;        // then this
  };

  std::string text_;
  std::vector<Part> parts_;
  bool has_stage_ = false;
};

}  // namespace pipesim
