// How much of a machine a training step uses, exactly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/model.hpp"
#include "sim/units.hpp"

namespace pipesim {

/// All factors multiplied. Where a product needs more than 119 bits its lowest bits are dropped,
/// far behind what format_ratio() shows.
Ratio ratio_of_products(std::span<const Int128> numerators, std::span<const Int128> denominators);

/// Operations of one microbatch through all layers and the head.
struct StepFlops {
  Flops model;     ///< what the step computes: 72 B l s h^2 (1 + s / 6h + V / 12lh) for B sequences
                   ///< (2205.05198, appendix A)
  Flops hardware;  ///< with what is computed again: with full recomputation
                   ///< 96 B l s h^2 (1 + s / 6h + V / 16lh) (2104.04473, equation 3)
};

/// Requires at least one layer.
StepFlops microbatch_flops(const Transformer& model, std::int64_t layers);

/// The whole model's parameters.
Int128 all_parameters(const Transformer& model, std::int64_t layers);

/// flops * times / (time * devices * peak): the part of the peak that is used (2204.02311,
/// appendix B). `time` is in ticks.
Ratio utilisation(Flops flops, Int128 times, const Ratio& time, std::int64_t devices,
                  FlopRate peak);

}  // namespace pipesim
