#include "sim/types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/error.hpp"

namespace pipesim {

void throw_time_overflow() { throw TimeOverflow(); }

namespace {

struct KindName {
  OpKind kind;
  std::string_view letters;
};

constexpr KindName kKindNames[] = {{OpKind::forward, "F"},
                                   {OpKind::backward, "B"},
                                   {OpKind::backward_input, "I"},
                                   {OpKind::backward_weight, "W"},
                                   {OpKind::recompute, "R"},
                                   {OpKind::send_forward, "SEND_F"},
                                   {OpKind::send_backward, "SEND_B"},
                                   {OpKind::evict, "EVICT"},
                                   {OpKind::load, "LOAD"},
                                   {OpKind::grad_sync, "SYNC"},
                                   {OpKind::optimizer, "OPT"},
                                   {OpKind::barrier, "BARRIER"},
                                   {OpKind::release, "RELEASE"}};

/// Takes the digits at the front of the text; nothing if there are none or too many.
std::optional<std::int32_t> take_number(std::string_view& text) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::string_view letters(OpKind kind) { return kKindNames[static_cast<std::size_t>(kind)].letters; }

std::optional<OpKind> op_kind(std::string_view letters) {
  for (const KindName& known : kKindNames) {
    if (known.letters == letters) return known.kind;
  }
  return std::nullopt;
}

std::string token(const Op& op) { return fmt::format("{}{}", op.stage.value, short_name(op)); }

std::string short_name(const Op& op) {
  return fmt::format("{}{}", letters(op.kind), op.microbatch.value);
}

std::optional<Op> parse_token(std::string_view token) {
  const auto stage = take_number(token);
  if (!stage) return std::nullopt;
  const std::size_t name_size = std::min(token.find_first_of("0123456789"), token.size());
  const auto kind = op_kind(token.substr(0, name_size));
  token.remove_prefix(name_size);
  const auto microbatch = take_number(token);
  if (!kind || !microbatch || !token.empty()) return std::nullopt;
  return Op{.kind = *kind, .stage = Stage{*stage}, .microbatch = Microbatch{*microbatch}};
}

}  // namespace pipesim
