#include "sim/types.hpp"

#include <fmt/format.h>

#include "sim/error.hpp"

namespace pipesim {

void throw_time_overflow() {
  throw Error(Fault{.pointer = "/m",
                    .what = "T_total does not fit in 64 bits of picoseconds",
                    .allowed = "at most 9223372036854775807 ps, some 106.75 days"});
}

std::string token(const Op& op) {
  return fmt::format("{}{}{}", op.stage.value, letter(op.kind), op.microbatch.value);
}

std::string short_name(const Op& op) {
  return fmt::format("{}{}", letter(op.kind), op.microbatch.value);
}

}  // namespace pipesim
