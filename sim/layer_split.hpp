// How the layers of a model lie on the stages of a pipeline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/problem.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// A layout string, read.
struct LayerLayout {
  std::vector<std::int32_t> layers;   ///< by stage
  std::vector<std::size_t> stage_at;  ///< by stage: the character with which it begins, from 1
  std::vector<std::size_t> layer_at;  ///< by layer: the character that names it
  std::size_t end = 1;                ///< the character behind the last one
};

/// Reads Megatron's layout (Megatron-LM, --pipeline-model-parallel-layout): E is the embedding, t a
/// layer, L head and loss; | ends a stage; *n repeats the layer, the | or the group in parentheses
/// before it; commas and spaces mean nothing: "Et*3|(tt|)*29L". E comes first, L last. Throws Error
/// (bad input) at `pointer` that says at which character what is wrong.
LayerLayout parse_layer_layout(std::string_view text, const std::string& pointer);

/// What the choice of a split weighs: one microbatch's times.
struct PartTimes {
  Ticks embedding;
  Ticks layer;
  Ticks head;
};

/// Layers by stage such that the device with the most work has as little as possible, head and
/// embedding counted; among equals those with fewer layers on a stage, then earlier stages, get one
/// more. Requires at least as many layers as stages.
std::vector<std::int32_t> balanced_layers(std::int64_t layers, const Placement& placement,
                                          const PartTimes& times);

}  // namespace pipesim
