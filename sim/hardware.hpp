// A machine as far as it sets the time of a training step, and a few machines by name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/amounts.hpp"
#include "sim/collective.hpp"

namespace pipesim {

/// All devices are equal; those of a node are connected by `intra`, nodes by one `inter` a device.
struct Hardware {
  FlopRate peak;       ///< of a device, for the model's dtype
  Decimal achievable;  ///< the fraction of it that the linears reach; above 0, at most 1
  Bandwidth memory;    ///< of a device
  Connection intra;
  Connection inter;
  std::int32_t devices_per_node = 1;

  /// The connection of a group of that many neighbouring devices.
  const Connection& around(std::int64_t devices) const {
    return devices <= devices_per_node ? intra : inter;
  }

  friend bool operator==(const Hardware&, const Hardware&) = default;
};

/// A machine with the numbers of its maker: peaks are dense, bandwidths of one direction.
struct HardwarePreset {
  std::string_view name;
  std::string_view source;
  FlopRate peak_16_bit;                ///< bf16 and fp16
  FlopRate peak_32_bit;                ///< fp32 without tensor cores
  std::optional<FlopRate> peak_8_bit;  ///< fp8; none: the device cannot
  Hardware hardware;                   ///< all but peak and achievable
};

std::span<const HardwarePreset> hardware_presets();

}  // namespace pipesim
