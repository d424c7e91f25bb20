// What activations, weights and messages are stored in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/amounts.hpp"

namespace pipesim {

enum class Dtype : std::uint8_t { fp32, bf16, fp16, fp8 };

/// "fp32", "bf16", "fp16" or "fp8".
std::string_view name(Dtype dtype);
/// All of them, in the order of Dtype.
std::vector<std::string> dtype_names();
/// Of one number: 4, 2, 2 or 1 bytes.
Bytes size(Dtype dtype);

}  // namespace pipesim
