#include "sim/io/step_token.hpp"

namespace pipesim {

namespace {

ParsedStep fault(std::string_view what, std::string_view allowed = kStepTokens) {
  return {.step = {}, .what = std::string(what), .allowed = allowed};
}

ParsedStep parse_single(std::string_view token) {
  const auto op = parse_token(token);
  if (!op) return fault("is no op");
  if (!is_ordered(op->kind)) {
    return fault("is a transfer", "ops that compute: transfers follow from their order");
  }
  return {.step = {.op = *op}};
}

}  // namespace

bool is_pair(const Op& first, const Op& second) {
  return first.kind == OpKind::forward && role(second.kind) == Role::gradient;
}

ParsedStep parse_compute_step(std::string_view token) {
  if (!token.starts_with('(')) return parse_single(token);
  if (token.ends_with(kPairMark)) token.remove_suffix(kPairMark.size());
  const std::size_t middle = token.find(';');
  if (middle == std::string_view::npos || !token.ends_with(')')) return fault("is no pair");
  const ParsedStep first = parse_single(token.substr(1, middle - 1));
  const ParsedStep second = parse_single(token.substr(middle + 1, token.size() - middle - 2));
  if (!first.what.empty() || !second.what.empty()) return fault("is no pair");
  if (!is_pair(first.step.op, second.step.op)) return fault(kNoPair, kPairAllowed);
  return {.step = {.op = first.step.op, .overlapped = second.step.op}};
}

}  // namespace pipesim
