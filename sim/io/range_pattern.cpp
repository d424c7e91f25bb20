#include "sim/io/range_pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"

namespace pipesim {

RangePattern::RangePattern(std::string text, const std::string& option) : text_(std::move(text)) {
  const auto fail = [&](std::string what) {
    throw Error(Fault{.place = option,
                      .value = text_,
                      .what = std::move(what),
                      .allowed = "a name in which {stage} and {microbatch} stand for numbers"});
  };
  if (text_.empty()) fail("an empty name");
  bool has_microbatch = false;
  std::string_view rest = text_;
  while (!rest.empty()) {
    const std::size_t open = std::min(rest.find('{'), rest.size());
    Part part = {.literal = std::string(rest.substr(0, open)), .number = Number::none};
    rest.remove_prefix(open);
    if (!rest.empty()) {
      const std::string_view name = rest.substr(0, std::min(rest.find('}'), rest.size() - 1) + 1);
      const bool is_stage = name == "{stage}";
      if (!is_stage && name != "{microbatch}") fail(fmt::format("{} stands for nothing", name));
      bool& seen = is_stage ? has_stage_ : has_microbatch;
      if (seen) fail(fmt::format("{} stands twice", name));
      seen = true;
      if (part.literal.empty() && !parts_.empty()) fail("two numbers with nothing between them");
      part.number = is_stage ? Number::stage : Number::microbatch;
      rest.remove_prefix(name.size());
    }
    parts_.push_back(std::move(part));
  }
}

std::optional<RangePlace> RangePattern::match(std::string_view name) const {
  RangePlace place;
  for (const Part& part : parts_) {
    if (!name.starts_with(part.literal)) return std::nullopt;
    name.remove_prefix(part.literal.size());
    if (part.number == Number::none) continue;
    const std::size_t end = std::min(name.find_first_not_of("0123456789"), name.size());
    const auto number = parse_index(name.substr(0, end));
    if (!number) return std::nullopt;
    if (part.number == Number::stage) {
      place.stage = Stage{*number};
    } else {
      place.microbatch = Microbatch{*number};
    }
    name.remove_prefix(end);
  }
  if (!name.empty()) return std::nullopt;
  return place;
}

}  // namespace pipesim
