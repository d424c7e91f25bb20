// Internal: the walk of a pipeline in which lanes pass values to their neighbours alone: a wave of
// all lanes at once, as operations on arrays by lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/chain_kernel.hpp"
#include "sim/stream_program.hpp"
#include "sim/stream_state.hpp"

namespace pipesim {

/// The waves of a fill and a drain differ from one to the next, so that they have no rhythm; but
/// what a lane may do is to take from the lane above or below and to put there, wave after wave
/// the same for dozens of ops. So a wave is a few operations on bytes, which say who takes an op,
/// and on times; a lane is looked at only where its loop begins or ends. That takes a fifth of the
/// time of taking op after op.
class StreamChain {
 public:
  /// Refers to everything given.
  StreamChain(const StreamProgram& program, std::vector<LaneState>& lanes,
              std::vector<ChannelState>& channels);

  /// Whether there is at most one channel from a lane to each of its neighbours, and no other.
  bool is_chain() const { return is_chain_; }

  /// Takes the waves that a walk would take, until one would leave two values in a channel, no op
  /// can be taken, time comes near the end of its range, or, if `may_pause`, the lanes have been in
  /// a rhythm for some time and stay in it for long. Returns how many waves it was.
  std::int64_t run(bool may_pause);

 private:
  struct alignas(64) CacheLine {
    std::int64_t values[8] = {};
  };

  bool load();
  void store();
  void begin_span(std::size_t lane);
  void end_span(std::size_t lane);
  template <class Function>
  void for_each_done(std::uint8_t trait, const Function& function);
  void keep_starts();
  void narrow();
  bool is_in_rhythm();
  bool stays_in_rhythm() const;
  std::int64_t repetitions_left(std::size_t lane) const;
  std::uint8_t traits_of(std::size_t lane, const StreamOp& op) const;

  const StreamProgram& program_;
  std::vector<LaneState>& lanes_;
  std::vector<ChannelState>& channels_;
  bool is_chain_ = false;
  bool has_latency_ = false;
  std::int64_t growth_ = 0;  // the most by which a wave makes a time later than all before
  std::vector<std::int64_t*> starts_;  // by lane, as in LaneState; empty: they are not kept
  std::vector<std::uint8_t> span_;     // by lane: how many ops its present span has in all
  ChainArrays arrays_;
  std::vector<std::uint8_t> bytes_;  // of arrays_
  std::vector<CacheLine> times_;
  ChainKernel kernel_ = nullptr;
  std::vector<std::uint8_t> done_before_;  // in the wave with which rhythms are compared
  std::size_t done_before_begin_ = 0;      // only between these lanes anything was done in it
  std::size_t done_before_end_ = 0;
  int waves_alike_ = 0;
};

}  // namespace pipesim
