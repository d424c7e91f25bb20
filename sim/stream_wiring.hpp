// Internal: what joins the ops of a StreamProgram.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/microbatch_order.hpp"
#include "sim/problem.hpp"
#include "sim/stream_program.hpp"

namespace pipesim {

/// For each flow a channel from each stage to the next one, and back.
class StreamWiring {
 public:
  explicit StreamWiring(const Problem& problem);

  const std::vector<StreamChannel>& channels() const { return channels_; }
  /// An op of that class, without a mark. Requires a kind that is computed.
  StreamOp op(const OpClass& of) const;

 private:
  std::size_t place(Flow flow, Stage stage) const;
  std::int32_t add_channel(Device from, Device to);

  const Problem& problem_;
  std::vector<StreamChannel> channels_;
  // By flow and stage: where its forwards, its gradients go.
  std::vector<std::int32_t> forwards_;
  std::vector<std::int32_t> gradients_;
};

}  // namespace pipesim
