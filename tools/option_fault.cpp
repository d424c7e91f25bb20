#include "tools/option_fault.hpp"

#include <fmt/format.h>

#include <utility>

#include "sim/error.hpp"

namespace pipesim {

void fail_option(std::string_view option, std::string what, std::string allowed,
                 std::string_view value, std::string nearest) {
  throw Error(Fault{.place = fmt::format("command line: {}", option),
                    .value = std::string(value),
                    .what = std::move(what),
                    .allowed = std::move(allowed),
                    .nearest = std::move(nearest)});
}

}  // namespace pipesim
