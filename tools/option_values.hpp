// What options of the command line are given, read. What cannot be read is added to the faults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/config.hpp"

namespace pipesim {

/// An integer from 1 to `most`, of something such as "jobs".
std::int64_t read_number(const std::string& option, const std::string& given,
                         const std::string& what, std::int64_t most, std::vector<Fault>& faults);

/// Bytes, at least the 64 MiB that stacks of threads and buffers of libraries take.
std::int64_t read_memory(const std::string& option, const std::string& given,
                         std::vector<Fault>& faults);

/// PATH=VALUE of --set.
std::optional<Override> read_set(const std::string& given, std::vector<Fault>& faults);

}  // namespace pipesim
