// How results cross and what devices hold: p2p and memory on a placement.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/io/config_problem.hpp"

namespace pipesim {

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

[[noreturn]] void fail(std::string pointer, std::string what, std::string allowed) {
  throw Error(
      Fault{.pointer = std::move(pointer), .what = std::move(what), .allowed = std::move(allowed)});
}

Link make_link(const HopConfig& hop, std::int64_t bytes) {
  return {.latency = hop.latency,
          .occupancy = hop.bandwidth ? transfer_time(Bytes(bytes), *hop.bandwidth) : Ticks{}};
}

std::vector<Ticks> flat_latencies(const RunConfig& config) {
  const auto devices = static_cast<std::size_t>(config.p);
  const std::vector<std::vector<Ticks>>& rows = config.p2p.latencies;
  if (rows.empty()) return {};
  const std::string allowed =
      fmt::format("a matrix of p = {} rows of {} values, or one value for all", devices, devices);
  if (rows.size() != devices) {
    fail("/p2p/latency", fmt::format("array of {}", rows.size()), allowed);
  }
  std::vector<Ticks> latencies;
  latencies.reserve(devices * devices);
  for (std::size_t sender = 0; sender < devices; ++sender) {
    if (rows[sender].size() != devices) {
      fail(fmt::format("/p2p/latency/{}", sender), fmt::format("array of {}", rows[sender].size()),
           allowed);
    }
    latencies.insert(latencies.end(), rows[sender].begin(), rows[sender].end());
  }
  return latencies;
}

/// The sum, or a fault: bytes beyond 64 bits are a mistake.
std::int64_t sum(std::int64_t left, std::int64_t right, const char* pointer) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(left, right, &result)) {
    fail(pointer, "a device's bytes are too large", "a sum below 2^63 bytes");
  }
  return result;
}

/// Memory counted in parts of a microbatch's activations on a device.
class MicrobatchMemory {
 public:
  MicrobatchMemory(const StageMap& map, Problem& problem) : map_(map), problem_(problem) {}

  void fill() {
    Memory& memory = problem_.memory;
    memory.units_per_microbatch = 2 * common_multiple();
    memory.stages.resize(map_.stages());
    for (std::size_t stage = 0; stage < map_.stages(); ++stage) {
      StageMemory& held = memory.stages[stage];
      held.activation = memory.units_per_microbatch / map_.stages_beside(stage);
      held.kept_for_weight = held.activation / 2;
    }
  }

  void limit(Decimal microbatches) {
    const Int128 units =
        Int128{microbatches.billionths} * problem_.memory.units_per_microbatch / Decimal::kOne;
    if (units > kMost) fail("/memory/limit", "the limit is too large", "fewer microbatches");
    problem_.memory.limit = static_cast<std::int64_t>(units);
    problem_.memory_limit = microbatches.billionths / Decimal::kOne;
    std::int64_t fewest = kMost;  // stages on a device, hence the largest activation
    for (const std::int64_t stages : map_.stages_on()) {
      if (stages > 0) fewest = std::min(fewest, stages);
    }
    if (*problem_.memory.limit * Int128{fewest} >= problem_.memory.units_per_microbatch) return;
    fail("/memory/limit",
         fmt::format("{} microbatches are less than one activation", to_text(microbatches)),
         fewest == 1 ? "at least 1" : fmt::format("at least 1/{}, one stage's part", fewest));
  }

 private:
  std::int64_t common_multiple() const {
    // Far below overflow of its uses, and far above any placement that someone means.
    constexpr std::int64_t kLargest = std::int64_t{1} << 40;
    std::int64_t multiple = 1;
    for (const std::int64_t stages : map_.stages_on()) {
      if (stages == 0) continue;
      multiple = std::lcm(multiple, stages);
      if (multiple > kLargest) {
        fail("/placement", "the devices' numbers of stages have no common multiple below 2^40",
             "memory.activation, which counts memory in bytes");
      }
    }
    return multiple;
  }

  const StageMap& map_;
  Problem& problem_;
};

/// Memory counted in bytes. Requires memory.activation.
class ByteMemory {
 public:
  ByteMemory(const RunConfig& config, const StageMap& map, Problem& problem)
      : config_(config), map_(map), problem_(problem) {}

  void fill() {
    Memory& memory = problem_.memory;
    memory.in_bytes = true;
    memory.stages.resize(map_.stages());
    const auto activation = spread(config_.memory.activation, "/memory/activation");
    const auto kept = spread(config_.memory.activation_w, "/memory/activation_w");
    const auto parameters = spread(config_.memory.parameters, "/memory/parameters");
    const auto optimizer = spread(config_.memory.optimizer, "/memory/optimizer");
    for (std::size_t stage = 0; stage < map_.stages(); ++stage) {
      StageMemory& held = memory.stages[stage];
      held.activation = activation[stage];
      held.kept_for_weight = config_.memory.activation_w ? kept[stage] : activation[stage] / 2;
      held.resident = sum(parameters[stage], optimizer[stage], "/memory/parameters");
      held.parameters = parameters[stage];
      if (problem_.recomputes(Stage{stage})) held.input = config_.p2p.bytes;
      if (held.kept_for_weight > held.activation) {
        fail("/memory/activation_w",
             fmt::format("stage {} has activation_w {}, activation {}", stage,
                         bytes_text(held.kept_for_weight), bytes_text(held.activation)),
             "at most activation, of which it is a part");
      }
    }
    const Communication& communication = problem_.communication;
    const bool has_transfers =
        communication.mode != TransferMode::free || communication.shared_link.has_value();
    memory.message = has_transfers ? config_.p2p.bytes : 0;
  }

  void limit(std::int64_t bytes) {
    problem_.memory.limit = bytes;
    for (std::int32_t device = 0; device < map_.devices(); ++device) limit_of(device, bytes);
  }

 private:
  std::vector<std::int64_t> spread(const std::optional<BytesSpec>& given,
                                   const std::string& pointer) const {
    return given ? map_.spread(*given, pointer) : std::vector<std::int64_t>(map_.stages());
  }

  /// Lowers the number of microbatches to plan with to what one device can hold.
  void limit_of(std::int32_t device, std::int64_t bytes) {
    std::int64_t resident = 0;
    std::int64_t activation = 0;
    std::int64_t largest = 0;
    for (std::size_t flow = 0; flow < problem_.placement.device_of.size(); ++flow) {
      for (std::size_t stage = 0; stage < map_.stages(); ++stage) {
        if (problem_.placement.device_of[flow][stage] != Device{device}) continue;
        const StageMemory& held = problem_.memory.stages[stage];
        resident = sum(resident, held.resident, "/memory/parameters");
        largest = std::max(largest, held.activation);
        // A microbatch of one flow crosses that flow's stages only.
        if (flow == 0) activation = sum(activation, held.activation, "/memory/activation");
      }
    }
    if (bytes < resident || bytes - resident < largest) {
      fail("/memory/limit",
           fmt::format("{} are less than device {} needs for one activation", bytes_text(bytes),
                       device),
           fmt::format("at least {}, of which {} are parameters and optimizer state",
                       bytes_text(sum(resident, largest, "/memory/activation")),
                       bytes_text(resident)));
    }
    if (activation == 0) return;
    const std::int64_t microbatches = (bytes - resident) / activation;
    problem_.memory_limit = std::min(problem_.memory_limit.value_or(microbatches), microbatches);
  }

  const RunConfig& config_;
  const StageMap& map_;
  Problem& problem_;
};

}  // namespace

Communication make_communication(const RunConfig& config, std::int64_t message) {
  const P2pConfig& given = config.p2p;
  Communication communication;
  communication.mode = given.mode;
  communication.recv_posting = given.recv_posting;
  communication.devices_per_node = given.devices_per_node.value_or(0);
  const bool by_node = given.intra || given.inter;
  const HopConfig everywhere = by_node ? HopConfig{} : given.hop;
  communication.intra = make_link(given.intra.value_or(everywhere), message);
  communication.inter = make_link(given.inter.value_or(everywhere), message);
  communication.latencies = flat_latencies(config);
  if (given.shared_link) {
    communication.shared_link = transfer_time(Bytes(message), *given.shared_link);
  }
  return communication;
}

std::vector<Ticks> copy_times(const RunConfig& given, const Problem& problem) {
  const RunConfig config = with_model_costs(given, problem.placement);
  std::vector<Ticks> times;
  for (int stage = 0; stage < problem.stages(); ++stage) {
    const Device from = problem.placement.device_of.front()[static_cast<std::size_t>(stage)];
    const Device to = problem.parking.keeper[static_cast<std::size_t>(from.value)];
    const std::int64_t bytes =
        problem.memory.in_bytes ? problem.memory.stages[static_cast<std::size_t>(stage)].activation
                                : 0;
    Problem hop;
    hop.devices = problem.devices;
    hop.communication = make_communication(config, bytes);
    const Link link = hop.link(from, to);
    times.push_back(link.latency + link.occupancy);
  }
  return times;
}

void apply_memory(const RunConfig& config, const StageMap& map, Problem& problem) {
  if (config.memory.activation) {
    ByteMemory memory(config, map, problem);
    memory.fill();
    if (config.memory_limit && config.memory_limit->bytes) {
      memory.limit(*config.memory_limit->bytes);
    }
    return;
  }
  MicrobatchMemory memory(map, problem);
  memory.fill();
  if (config.memory_limit && config.memory_limit->microbatches) {
    memory.limit(*config.memory_limit->microbatches);
  }
}

}  // namespace pipesim
