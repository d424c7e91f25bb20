// The document of a config -> RunConfig: what each key means.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "sim/io/config.hpp"
#include "sim/io/json_tree.hpp"

namespace pipesim {

/// Interprets a document whose root is an object and whose schedule is normalised. What is wrong
/// goes to `faults`; the result holds only if there is nothing.
RunConfig interpret_config(const JsonTree& tree, JsonTree::Id root,
                           std::span<const ScheduleSignature> schedules, JsonFaults& faults);

/// The keys of the section `sweep`, which only Sweep reads.
std::span<const std::string> sweep_keys();

/// The same with what stands in files that it names; throws Error with all faults.
LoadedConfig load_config(std::shared_ptr<const JsonTree> tree, JsonTree::Id root,
                         std::span<const ScheduleSignature> schedules, JsonFaults& faults);

}  // namespace pipesim
