// How a problem counts memory, and what its devices hold whatever runs.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// problem.memory, or what stands for it where the problem leaves its stages out: every stage takes
/// an equal share of a microbatch, keeps half of it for a weight gradient, and the limit is
/// problem.memory_limit.
Memory memory_rules(const Problem& problem);

/// Rules that count activations: one for each (stage, microbatch) pair from its forward on, until
/// the last part of its backward has ended.
Memory activation_rules(const Problem& problem);

/// What a step of a compute lane takes when it starts and releases when it ends.
struct MemoryEffect {
  std::int64_t taken = 0;
  std::int64_t released = 0;
};

/// By the rules that follow_memory() states; of an overlapped pair both ops together.
MemoryEffect memory_effect(const Problem& problem, const Memory& rules, const Step& step);

/// What every device holds all the time, by device: the sum over the stages that live on it, in
/// whichever flow, so a stage that two flows place on different devices counts on both; the
/// parameters once more for every further version of the weights. Throws Error if a device's sum
/// leaves int64.
std::vector<std::int64_t> resident_memory(const Problem& problem);

/// The same by other rules.
std::vector<std::int64_t> resident_memory(const Problem& problem, const Memory& rules);

/// amount + delta. Throws Error, which names the device, if the sum leaves int64.
std::int64_t add_memory(std::int64_t amount, std::int64_t delta, Device device);

}  // namespace pipesim
