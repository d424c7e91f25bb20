#include "sim/stream_walk.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "sim/stream_chain.hpp"
#include "sim/stream_period.hpp"
#include "sim/stream_state.hpp"
#include "sim/stream_turns.hpp"
#include "sim/types.hpp"

namespace pipesim {

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

/// When the same set of ops stood next the last time, so that the lanes may be in a rhythm.
class Recurrences {
 public:
  /// The waves since the state with that mark, 0 if it has not been seen.
  std::int64_t since(std::uint64_t mark, std::int64_t wave) {
    // Of a rhythm of more waves than there are entries nothing is left when it comes round.
    const auto size = static_cast<std::int64_t>(entries_.size());
    if (wave - first_wave_ > kRounds * size && entries_.size() < kMostEntries) {
      entries_.assign(entries_.size() * kGrowth, {});
      first_wave_ = wave;
    }
    Entry& entry = entries_[mark % entries_.size()];
    const bool is_known = entry.mark == mark && entry.wave >= first_wave_;
    const std::int64_t waves = is_known ? wave - entry.wave : 0;
    entry = {.mark = mark, .wave = wave};
    return waves;
  }
  void forget_before(std::int64_t wave) { first_wave_ = wave; }

 private:
  struct Entry {
    std::uint64_t mark = 0;
    std::int64_t wave = -1;
  };
  static constexpr std::int64_t kRounds = 8;
  static constexpr std::size_t kGrowth = 16;
  static constexpr std::size_t kMostEntries = 100'000;
  std::vector<Entry> entries_ = std::vector<Entry>(509);
  std::int64_t first_wave_ = 0;
};

/// Takes ops in waves: of each lane at most one, and only ops whose input was there before the
/// wave. So no lane runs further ahead of another than if every op took the same time, and what
/// waits in the channels stays short.
class Walk {
 public:
  /// Keeps the starts if there is where to. Requires that it may fast-forward.
  Walk(const StreamProgram& program, FastForward fast_forward, StreamStarts* starts = nullptr)
      : program_(program),
        fast_forward_(fast_forward),
        starts_(starts),
        lanes_(program.lanes.size()),
        channels_(program.channels.begin(), program.channels.end()) {
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      lanes_[lane].frames.push_back({.blocks = &program.lanes[lane], .at = 0, .repetitions = 1});
      enter_next_loop(lanes_[lane], program);
      if (starts != nullptr) lanes_[lane].starts = starts->singles(lane);
    }
  }

  const std::vector<LaneState>& lanes() const { return lanes_; }

  /// False where the lanes wait for each other.
  bool run() {
    StreamChain chain(program_, lanes_, channels_);
    if (!chain.is_chain()) {
      walk(kMost);
    } else {
      // A rhythm that was not found is looked for twice as long the next time.
      std::int64_t patience = 64;
      for (;;) {
        wave_ += chain.run(true);
        const Ending ending = walk(patience);
        if (ending == Ending::no_lane_is_ready) break;
        if (ending == Ending::no_rhythm) patience *= 2;
      }
    }
    return std::all_of(lanes_.begin(), lanes_.end(),
                       [](const LaneState& lane) { return lane.op == nullptr; });
  }

 private:
  enum class Ending { no_lane_is_ready, rhythm_was_run, no_rhythm };

  // Takes waves until no lane is ready, or a rhythm was found and run, or that many waves have not
  // shown one.
  Ending walk(std::int64_t most) {
    begin();
    const std::int64_t last = most < kMost - wave_ ? wave_ + most : kMost;
    while (!ready_.empty()) {
      ++wave_;
      for (const std::int32_t lane : ready_) take(lane);
      ready_.clear();
      next_.swap(ready_);
      if (look_for_rhythm() && most < kMost) return Ending::rhythm_was_run;
      if (wave_ >= last && !is_recording_) return Ending::no_rhythm;
    }
    return Ending::no_lane_is_ready;
  }

  // What follows from the places of the lanes and the values in the channels.
  void begin() {
    ready_.clear();
    next_.clear();
    recurrences_.forget_before(wave_ + 1);
    mark_ = 0;
    for (ChannelState& channel : channels_) {
      channel.is_awaited = false;
      mark_ += channel.mark * channel.values.size();
    }
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (lanes_[lane].op == nullptr) continue;
      mark_ += lanes_[lane].op->mark;
      queue(static_cast<std::int32_t>(lane));
    }
    next_.swap(ready_);
  }

  // The lane's next op is taken in the next wave, or as soon as its input is there.
  void queue(std::int32_t index) {
    const std::int32_t input = lanes_[static_cast<std::size_t>(index)].op->input;
    if (input == kNoChannel) {
      next_.push_back(index);
      return;
    }
    ChannelState& channel = channels_[static_cast<std::size_t>(input)];
    if (channel.values.empty()) {
      channel.is_awaited = true;
    } else {
      next_.push_back(index);
    }
  }

  void take(std::int32_t index) {
    LaneState& lane = lanes_[static_cast<std::size_t>(index)];
    const StreamOp& op = *lane.op;
    if (is_recording_) recorded_.taken.push_back({.lane = index, .op = &op});
    mark_ -= op.mark;
    std::int64_t start = lane.time;
    if (op.input != kNoChannel) {
      ChannelState& channel = channels_[static_cast<std::size_t>(op.input)];
      const std::int64_t there = channel.values.pop();
      mark_ -= channel.mark;
      if (there > start) {
        // Before its first op a lane waits for the pipeline to fill.
        if (lane.first_start >= 0) lane.communication += std::min(there - start, channel.latency);
        start = there;
      }
    }
    const std::int64_t end = (Ticks{start} + Ticks{op.duration}).count;
    lane.time = end;
    if (lane.starts != nullptr) *lane.starts++ = start;
    if (lane.first_start < 0) lane.first_start = start;
    if (op.is_forward) lane.last_forward_end = end;
    if (op.is_gradient && lane.first_gradient_start < 0) lane.first_gradient_start = start;
    if (op.output != kNoChannel) put(channels_[static_cast<std::size_t>(op.output)], end);
    go_on(lane, program_);
    if (lane.op == nullptr) return;
    mark_ += lane.op->mark;
    queue(index);
  }

  void put(ChannelState& channel, std::int64_t end) {
    channel.values.push((Ticks{end} + Ticks{channel.latency}).count);
    mark_ += channel.mark;
    if (!channel.is_awaited) return;
    channel.is_awaited = false;
    next_.push_back(channel.consumer);
  }

  // The lanes are in a rhythm when the same ops stand next, and as many values in the channels, as
  // some waves ago, and no lane has left its loop since: then the waves between repeat themselves.
  // Returns whether they were, and the rhythm has been run.
  bool look_for_rhythm() {
    if (is_recording_) {
      recorded_.ends.push_back(recorded_.taken.size());
      if (--waves_to_record_ > 0) return false;
      is_recording_ = false;
      recurrences_.forget_before(wave_ + 1);
      const std::int64_t repetitions = repetitions_left();
      if (repetitions == 0) return false;
      run_rhythm(repetitions);
      return true;
    }
    if (wave_ < next_search_) return false;
    constexpr std::int64_t kMostRecorded = 1 << 20;
    const std::int64_t waves = recurrences_.since(mark_, wave_);
    if (waves == 0 || waves > kMostRecorded / static_cast<std::int64_t>(lanes_.size())) {
      return false;
    }
    is_recording_ = true;
    waves_to_record_ = waves;
    recorded_ = {};
    next_before_.clear();
    for (const LaneState& lane : lanes_) next_before_.push_back({lane.op, lane.entered});
    fill_before_.clear();
    for (const ChannelState& channel : channels_) fill_before_.push_back(channel.values.size());
    return false;
  }

  // How often the recorded waves can follow once more so that every lane has a whole repetition of
  // its loop left, with its last forward if it has one; 0 where they do not repeat.
  std::int64_t repetitions_left() {
    advance_.assign(lanes_.size(), 0);
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (next_before_[i] != Place{lanes_[i].op, lanes_[i].entered}) return 0;
    }
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      if (fill_before_[i] != channels_[i].values.size()) return 0;
    }
    for (const Taken& taken : recorded_.taken) ++advance_[static_cast<std::size_t>(taken.lane)];
    std::int64_t left = kMost;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (advance_[i] == 0) continue;
      advance_[i] /= lanes_[i].end - lanes_[i].begin;
      left = std::min(left, (lanes_[i].repetitions - 2) / advance_[i]);
    }
    return std::max<std::int64_t>(left, 0);
  }

  void run_rhythm(std::int64_t repetitions) {
    constexpr std::int64_t kWorthIt = 16;
    if (repetitions >= kWorthIt) {
      StreamPeriod period(program_, lanes_, channels_, recorded_, starts_);
      const std::int64_t done = period.run(repetitions, fast_forward_);
      for (std::size_t i = 0; i < lanes_.size(); ++i) {
        lanes_[i].repetitions -= done * advance_[i];
      }
      repetitions -= done;
    }
    // What is left of these loops is short, or cannot be run so.
    next_search_ = wave_ + (repetitions + 1) * static_cast<std::int64_t>(recorded_.ends.size());
  }

  using Place = std::pair<const StreamOp*, std::int64_t>;

  const StreamProgram& program_;
  FastForward fast_forward_;
  StreamStarts* starts_;
  std::vector<LaneState> lanes_;
  std::vector<ChannelState> channels_;
  std::vector<std::int32_t> ready_;  // lanes whose next op is taken in this wave
  std::vector<std::int32_t> next_;   // and in the next
  std::int64_t wave_ = 0;
  // The sum of the marks of the ops that stand next and of the values in the channels.
  std::uint64_t mark_ = 0;
  Recurrences recurrences_;
  std::int64_t next_search_ = 0;
  bool is_recording_ = false;
  std::int64_t waves_to_record_ = 0;
  Waves recorded_;
  std::vector<Place> next_before_;          // when the recording began
  std::vector<std::uint32_t> fill_before_;  // by channel
  std::vector<std::int64_t> advance_;       // by lane: repetitions of its loop in the recording
};

}  // namespace

std::vector<LaneTimes> stream_times(const StreamProgram& program, FastForward fast_forward) {
  if (fast_forward == FastForward::none || program.listed != nullptr)
    return times_in_turns(program);
  Walk walk(program, fast_forward);
  std::vector<LaneTimes> times;
  if (!walk.run()) return times;
  times.reserve(walk.lanes().size());
  for (const LaneState& lane : walk.lanes()) {
    times.push_back({.first_start = lane.first_start,
                     .first_gradient_start = lane.first_gradient_start,
                     .last_forward_end = lane.last_forward_end,
                     .last_end = lane.time,
                     .communication = lane.communication});
  }
  return times;
}

bool stream_starts(const StreamProgram& program, FastForward fast_forward, StreamStarts& starts) {
  std::vector<std::int64_t> ops;
  ops.reserve(program.lanes.size());
  for (std::size_t lane = 0; lane < program.lanes.size(); ++lane) {
    ops.push_back(op_count(program, lane));
  }
  starts.reset(ops);
  if (fast_forward == FastForward::none || program.listed != nullptr) {
    return starts_in_turns(program, starts);
  }
  return Walk(program, fast_forward, &starts).run();
}

}  // namespace pipesim
