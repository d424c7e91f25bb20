#include "schedules/required_parameter.hpp"

#include <fmt/format.h>

#include "sim/error.hpp"

namespace pipesim {

std::int64_t required_integer(const Parameters& parameters, const std::string& name,
                              const std::string& counts) {
  if (const auto given = integer(parameters, name)) return *given;
  throw Error(Fault{.pointer = "/schedule/" + name,
                    .what = "missing",
                    .allowed = fmt::format("required: the number of {}, such as 2", counts)});
}

}  // namespace pipesim
