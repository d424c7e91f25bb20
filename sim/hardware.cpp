#include "sim/hardware.hpp"

#include <array>

namespace pipesim {

namespace {

constexpr std::int64_t kTera = 1'000'000'000'000;
constexpr std::int64_t kGigabyte = 8'000'000'000;  // bits
constexpr std::int64_t kGigabit = 1'000'000'000;

// Data sheets have no latencies. These are what NCCL's cost model takes for a step of a ring with
// its Simple protocol (nccl/src/graph/tuning.cc, hwLatencies: NVLink 3.4 us, network 14 us).
constexpr Ticks kNvlinkLatency{3'400'000};
constexpr Ticks kNetworkLatency{14'000'000};

constexpr Hardware machine(std::int64_t memory_gigabytes, std::int64_t nvlink_gigabytes,
                           std::int64_t network_gigabits) {
  return {.peak = {},
          .achievable = {},
          .memory = {memory_gigabytes * kGigabyte},
          .intra = {.latency = kNvlinkLatency, .bandwidth = {nvlink_gigabytes * kGigabyte}},
          .inter = {.latency = kNetworkLatency, .bandwidth = {network_gigabits * kGigabit}},
          .devices_per_node = 8};
}

// Peaks are dense: where a data sheet gives them with sparsity they are halved, as are NVLink's
// totals of both directions (A100 600 GB/s, H100 and H200 900 GB/s, B200 1800 GB/s). The data
// sheets of H100 and H200 round to 1,979 and 3,958 TFLOP/s with sparsity and 67 in fp32; the white
// paper "NVIDIA H100 Tensor Core GPU Architecture" has the digits of the same chip.
constexpr std::array kPresets = {
    HardwarePreset{.name = "a100_80gb",
                   .source = "NVIDIA A100 data sheet, SXM4 80 GB; DGX A100: HDR InfiniBand a GPU",
                   .peak_16_bit = {312 * kTera},
                   .peak_32_bit = {19'500'000'000'000},
                   .peak_8_bit = std::nullopt,
                   .hardware = machine(2039, 300, 200)},
    HardwarePreset{.name = "h100_sxm",
                   .source = "NVIDIA H100 architecture white paper and data sheet, SXM5; DGX H100: "
                             "NDR InfiniBand a GPU",
                   .peak_16_bit = {989'400'000'000'000},
                   .peak_32_bit = {66'900'000'000'000},
                   .peak_8_bit = FlopRate{1'978'900'000'000'000},
                   .hardware = machine(3350, 450, 400)},
    HardwarePreset{
        .name = "h200",
        .source = "NVIDIA H200 data sheet, SXM, a GH100 chip; DGX H200: NDR InfiniBand a GPU",
        .peak_16_bit = {989'400'000'000'000},
        .peak_32_bit = {66'900'000'000'000},
        .peak_8_bit = FlopRate{1'978'900'000'000'000},
        .hardware = machine(4800, 450, 400)},
    HardwarePreset{.name = "b200",
                   .source = "NVIDIA HGX and DGX B200 data sheets, an eighth of 8 GPUs; NDR "
                             "InfiniBand a GPU",
                   .peak_16_bit = {2250 * kTera},
                   .peak_32_bit = {75 * kTera},
                   .peak_8_bit = FlopRate{4500 * kTera},
                   .hardware = machine(8000, 900, 400)}};

}  // namespace

std::span<const HardwarePreset> hardware_presets() { return kPresets; }

}  // namespace pipesim
