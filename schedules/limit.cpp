#include "schedules/limit.hpp"

#include <fmt/format.h>

#include "sim/error.hpp"
#include "sim/memory.hpp"

namespace pipesim {

namespace {

/// memory.limit in microbatches, or nothing if there is none or it is in bytes.
std::optional<Ratio> memory_limit(const Problem& problem) {
  const Memory rules = memory_rules(problem);
  if (!rules.limit || rules.in_bytes) return std::nullopt;
  return microbatches(rules, *rules.limit);
}

std::string as_given(const Parameters& parameters) {
  if (const auto devices = text(parameters, kLimit)) return fmt::format("\"{}\"", *devices);
  return std::to_string(integer(parameters, kLimit).value_or(0));
}

}  // namespace

std::optional<std::int64_t> limit_of(const Problem& problem, const Parameters& parameters) {
  if (const auto devices = text(parameters, kLimit)) {
    return *devices == "1p" ? problem.devices : std::int64_t{2} * problem.devices;
  }
  return integer(parameters, kLimit);
}

void check_limit(const Problem& problem, const Parameters& parameters) {
  const auto given = limit_of(problem, parameters);
  const auto memory = memory_limit(problem);
  if (!given || !memory || *memory == Ratio{*given, 1}) return;
  throw Error(Fault{
      .pointer = "/schedule/limit",
      .value = as_given(parameters),
      .what = fmt::format("{} microbatches, but memory.limit is {}", *given, format_ratio(*memory)),
      .allowed = "one of the two, or both equal"});
}

Plan plan_limit(const Problem& problem, const Parameters& parameters) {
  Plan plan{parameters, {}};
  const auto memory = memory_limit(problem);
  if (!memory || limit_of(problem, parameters)) return plan;
  const std::int64_t whole = static_cast<std::int64_t>(memory->numerator / memory->denominator);
  if (*memory != Ratio{whole, 1} || whole < 1 || whole >= problem.microbatches) return plan;
  plan.parameters[kLimit] = whole;
  plan.notes.push_back(fmt::format("limit={} filled in from memory.limit", whole));
  return plan;
}

}  // namespace pipesim
