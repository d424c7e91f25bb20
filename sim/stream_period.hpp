// Internal: the rhythm of a walk, compiled to a list of operations on arrays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/stream_kernel.hpp"
#include "sim/stream_program.hpp"
#include "sim/stream_starts.hpp"
#include "sim/stream_state.hpp"
#include "sim/stream_walk.hpp"

namespace pipesim {

/// Waves that repeat themselves: every lane is back where it was in its loop, every channel holds
/// as many values. Lanes and the places of values are numbered in the order in which the waves use
/// them, so that most of a wave is a few runs over arrays without gaps.
class StreamPeriod {
 public:
  /// Requires waves that were just taken from such a state; refers to everything given but them.
  /// `starts`, if not null, gets the starts.
  StreamPeriod(const StreamProgram& program, std::vector<LaneState>& lanes,
               std::vector<ChannelState>& channels, const Waves& waves, StreamStarts* starts);

  /// Runs the waves at most `repetitions` times more: updates times and values, but not the place
  /// of a lane in its loop. Returns how many repetitions it was; fewer where time comes near the
  /// end of its range, or the rest is no multiple of what runs at once.
  std::int64_t run(std::int64_t repetitions, FastForward fast_forward);

 private:
  struct Saved {
    std::vector<std::int64_t> values;
    std::vector<std::int64_t> communication;
  };

  /// An op of the list, with the places of what it takes and puts.
  struct Operation {
    const StreamOp* op = nullptr;
    std::int64_t lane = 0;     ///< number
    std::int64_t input = -1;   ///< place; -1: none
    std::int64_t output = -1;  ///< place; -1: none
  };

  bool plan_rings(const Waves& waves);
  void compile(const Waves& waves);
  std::vector<Operation> placed(std::vector<Taken> wave);
  std::int64_t place(std::int32_t channel, std::vector<std::int64_t>& count) const;
  void add_runs(const std::vector<Operation>& wave);
  void load();
  void store();
  void run_list() { kernel_(runs_.data(), runs_.data() + runs_.size(), arrays_); }
  std::int64_t lists_without_overflow() const;
  std::int64_t run_lists(std::int64_t lists);
  void run_with_starts(std::int64_t lists);
  std::int64_t run_with_jumps(std::int64_t lists);
  bool pay(std::int64_t cost);
  bool shifted_alike(const Saved& before);
  bool shifts_for_ever(const Saved& before);
  void jump(const Saved& before, std::int64_t times);
  Saved save() const { return {.values = values_, .communication = communication_}; }

  const StreamProgram& program_;
  std::vector<LaneState>& lanes_;
  std::vector<ChannelState>& channels_;
  StreamStarts* starts_;          // null: they are not kept
  std::int64_t repetitions_ = 0;  // of the waves in the list; 0: they cannot be run so
  bool has_latency_ = false;

  // By channel: the places of its ring (0: it is not used), the first of them, and what has been
  // taken and put.
  std::vector<std::int64_t> ring_;
  std::vector<std::int64_t> first_place_;
  std::vector<std::int64_t> taken_;
  std::vector<std::int64_t> put_;
  // Lanes by number, and where in values_ a place is, in the order of their first use.
  std::vector<std::int32_t> lane_of_number_;
  std::vector<std::int64_t> number_of_lane_;
  std::vector<std::int64_t> value_of_place_;
  std::int64_t next_value_ = 0;

  std::vector<KernelRun> runs_;
  // By op of the list.
  std::vector<std::int64_t> duration_;
  std::vector<std::int64_t> latency_in_;
  std::vector<std::int64_t> latency_out_;
  Int128 most_growth_ = 0;  // of any value while the list runs once

  std::vector<std::int64_t> values_;         // the lanes' times, then the places
  std::vector<std::int64_t> communication_;  // by number of lane
  Kernel kernel_ = nullptr;
  KernelArrays arrays_;
  std::size_t last_mismatch_ = 0;
  std::int64_t credit_ = 0;  // of the search for jumps, in ops of an array
};

}  // namespace pipesim
