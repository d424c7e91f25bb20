// The sections of a RunConfig: values as they were given, before stages and placement are known.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "sim/communication.hpp"
#include "sim/hardware.hpp"
#include "sim/io/quantities.hpp"
#include "sim/model.hpp"
#include "sim/types.hpp"
#include "sim/variation.hpp"

namespace pipesim {

/// A value as given: one for all, or a list. A single value, and one of p, is a device's for one
/// whole microbatch; a list of S is by stage.
template <class Value>
struct Spread {
  std::vector<Value> values;
  bool is_list = false;  ///< false: values holds exactly one, valid for every device

  friend bool operator==(const Spread&, const Spread&) = default;
};

using TimeSpec = Spread<Ticks>;
using BytesSpec = Spread<std::int64_t>;

/// What the first or last stage takes besides.
struct ExtraCosts {
  Ticks forward;
  Ticks backward;
  Ticks weight;

  friend bool operator==(const ExtraCosts&, const ExtraCosts&) = default;
};

/// One row of a costs file.
struct CostRow {
  Stage stage;
  OpKind kind = OpKind::forward;           ///< F, B, I, W or R
  std::optional<Microbatch> microbatch{};  ///< none: every one that has no row of its own
  Ticks time{};
  int line = 0;  ///< 1-based, in the file

  friend bool operator==(const CostRow&, const CostRow&) = default;
};

/// Costs by stage, kind and microbatch, in place of t_f, t_b and t_w.
struct CostTable {
  std::string file;  ///< as given; "" is none
  std::vector<CostRow> rows;

  friend bool operator==(const CostTable&, const CostTable&) = default;
};

/// How the layers of a model are to lie on the stages.
enum class LayersKind {
  even,      ///< the same number on each
  by_stage,  ///< as listed
  layout,    ///< as Megatron's layout string says
  balance    ///< so that the busiest device has the least work
};

struct LayersConfig {
  LayersKind kind = LayersKind::even;
  std::int64_t count = 0;              ///< of all; 0: as many as the list or the layout has
  std::vector<std::int32_t> by_stage;  ///< of a list, and of a layout that is read
  std::string layout;

  friend bool operator==(const LayersConfig&, const LayersConfig&) = default;
};

/// The sections model, parallel and hardware, in place of t_f, t_b and t_w.
struct ModelConfig {
  Transformer transformer;
  LayersConfig layers;
  ModelParallel parallel;
  Hardware hardware;

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

/// A connection: what its bandwidth does not limit takes no time on it.
struct HopConfig {
  Ticks latency;
  std::optional<Bandwidth> bandwidth{};

  friend bool operator==(const HopConfig&, const HopConfig&) = default;
};

struct P2pConfig {
  TransferMode mode = TransferMode::free;
  RecvPosting recv_posting = RecvPosting::eager;
  std::int64_t bytes = 0;                          ///< of one message
  HopConfig hop;                                   ///< between any two devices
  std::vector<std::vector<Ticks>> latencies;       ///< by sender and receiver; empty: hop.latency
  std::optional<std::int32_t> devices_per_node{};  ///< none: one node
  std::optional<HopConfig> intra{};                ///< in place of hop, within a node
  std::optional<HopConfig> inter{};                ///< in place of hop, between nodes
  std::optional<Bandwidth> shared_link{};          ///< of what a node's devices share

  friend bool operator==(const P2pConfig&, const P2pConfig&) = default;
};

/// The most that a device may hold: exactly one of the two.
struct MemoryLimit {
  std::optional<Decimal> microbatches{};
  std::optional<std::int64_t> bytes{};

  friend bool operator==(const MemoryLimit&, const MemoryLimit&) = default;
};

/// "4" or "80GiB", as configs write it.
std::string to_text(const MemoryLimit& limit);

/// Bytes of a device, or by stage. All but the activation need one.
struct MemoryConfig {
  std::optional<BytesSpec> activation{};    ///< of one microbatch; none: memory is in microbatches
  std::optional<BytesSpec> activation_w{};  ///< of it, what the weight gradient needs
  std::optional<BytesSpec> parameters{};
  std::optional<BytesSpec> optimizer{};

  friend bool operator==(const MemoryConfig&, const MemoryConfig&) = default;
};

/// The stages that compute their forward once more before a backward.
struct RecomputeConfig {
  bool all = false;
  std::vector<std::int32_t> stages;  ///< ascending; those of a config that names them

  friend bool operator==(const RecomputeConfig&, const RecomputeConfig&) = default;
};

/// A flag that knows whether it was given; as a value it is the flag alone.
struct GivenFlag {
  bool value = false;
  bool is_given = false;

  friend bool operator==(GivenFlag left, GivenFlag right) { return left.value == right.value; }
};

struct IterationsConfig {
  std::int32_t count = 1;
  GivenFlag flush{.value = true};
  std::optional<TimeSpec> grad_sync{};
  bool overlap_grad_sync = false;
  std::optional<TimeSpec> optimizer{};  ///< one value, or one a device
  bool barrier = false;

  friend bool operator==(const IterationsConfig&, const IterationsConfig&) = default;
};

/// From `from` until `to` (half-open) ops that start on the device take `factor` times as long.
struct StragglerConfig {
  std::int32_t device = 0;
  Decimal factor;
  Ticks from;
  std::optional<Ticks> to{};  ///< none: to the end

  friend bool operator==(const StragglerConfig&, const StragglerConfig&) = default;
};

/// "lognormal" or "normal".
std::string_view name(JitterKind kind);

/// Random factors of mean 1 on every duration.
struct JitterConfig {
  JitterKind kind = JitterKind::lognormal;
  Decimal cv;  ///< coefficient of variation

  friend bool operator==(const JitterConfig&, const JitterConfig&) = default;
};

struct VariationConfig {
  std::vector<Decimal> microbatch_scale;  ///< by microbatch of one step; empty: 1
  Ticks launch_overhead;
  std::vector<StragglerConfig> stragglers;
  std::optional<JitterConfig> jitter{};
  std::int64_t seed = 0;
  std::int32_t trials = 1;

  friend bool operator==(const VariationConfig&, const VariationConfig&) = default;
};

}  // namespace pipesim
