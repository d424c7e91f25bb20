#include <fmt/format.h>

#include "sim/io/config.hpp"

namespace pipesim {

std::vector<std::string> without_effect(const RunConfig& config) {
  std::vector<std::string> notes;
  const auto note = [&](bool holds, std::string_view text) {
    if (holds) notes.emplace_back(text);
  };
  const P2pConfig& p2p = config.p2p;
  const bool has_bandwidth = p2p.hop.bandwidth || (p2p.intra && p2p.intra->bandwidth) ||
                             (p2p.inter && p2p.inter->bandwidth) || p2p.shared_link;
  note(has_bandwidth && p2p.bytes == 0 && !config.memory.activation && !config.model,
       "p2p's bandwidth has no effect: p2p.bytes is 0");
  note(p2p.devices_per_node && !p2p.intra && !p2p.inter && !p2p.shared_link && !config.model,
       "p2p.devices_per_node has no effect without intra, inter or shared_link");
  note(config.t_r && config.recompute == RecomputeConfig{},
       "t_r has no effect: no stage recomputes");
  note(!config.variation.jitter && config.variation.seed != 0,
       "variation.seed has no effect without jitter");
  note(!config.variation.jitter && config.variation.trials != 1,
       "variation.trials has no effect without jitter");
  note(config.output.trace_per_rank_gzip && config.output.trace_per_rank.empty(),
       "output.trace_per_rank_gzip has no effect without output.trace_per_rank");
  note(config.has_sweep, "sweep has no effect: only pipesim sweep and pipesim best vary anything");
  return notes;
}

}  // namespace pipesim
