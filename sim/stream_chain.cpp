#include "sim/stream_chain.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

namespace pipesim {

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

/// The most repetitions of a body in one span: twice as many ops fit into a byte.
constexpr std::int64_t kMostRepetitions = 120;

/// Waves after which a rhythm is looked for: the lanes do what they did so many waves ago.
constexpr std::int64_t kRhythm = 12;

/// How often they must have done so, and how many repetitions must be left.
constexpr int kTimesAlike = 2;
constexpr std::int64_t kWorthIt = 64;

}  // namespace

StreamChain::StreamChain(const StreamProgram& program, std::vector<LaneState>& lanes,
                         std::vector<ChannelState>& channels)
    : program_(program), lanes_(lanes), channels_(channels) {
  std::vector<std::uint8_t> seen(lanes.size());
  for (const StreamChannel& channel : program.channels) {
    const std::uint8_t side = channel.producer < channel.consumer ? 1 : 2;
    std::uint8_t& of_consumer = seen[static_cast<std::size_t>(channel.consumer)];
    const bool is_neighbour =
        channel.producer + 1 == channel.consumer || channel.consumer + 1 == channel.producer;
    if (!is_neighbour || (of_consumer & side) != 0) return;
    of_consumer |= side;
    if (channel.latency != 0) has_latency_ = true;
  }
  is_chain_ = true;
  const std::size_t size = (lanes.size() + kChainBlock - 1) / kChainBlock * kChainBlock;
  const std::size_t room = size + 2 * kChainBlock;
  std::uint8_t** const bytes[] = {&arrays_.first, &arrays_.second,     &arrays_.left,
                                  &arrays_.holds, &arrays_.holds_next, &arrays_.done};
  bytes_.resize(room * std::size(bytes));
  for (std::size_t i = 0; i < std::size(bytes); ++i) {
    *bytes[i] = bytes_.data() + i * room + kChainBlock;
  }
  std::int64_t** const times[] = {
      &arrays_.first_duration,     &arrays_.second_duration, &arrays_.time,
      &arrays_.from_above,         &arrays_.from_below,      &arrays_.latency_from_above,
      &arrays_.latency_from_below, &arrays_.communication};
  static_assert(kChainBlock * sizeof(std::int64_t) % sizeof(CacheLine) == 0);
  times_.resize(room * std::size(times) / std::size(CacheLine{}.values));
  for (std::size_t i = 0; i < std::size(times); ++i) {
    *times[i] = times_.front().values + i * room + kChainBlock;
  }
  span_.resize(size);
  done_before_.resize(size);
  std::int64_t longest = 0;
  for (const StreamOp& op : program.ops) longest = std::max(longest, op.duration);
  std::int64_t latest = 0;
  for (const StreamChannel& channel : program.channels) {
    const auto consumer = static_cast<std::size_t>(channel.consumer);
    (channel.producer < channel.consumer ? arrays_.latency_from_above
                                         : arrays_.latency_from_below)[consumer] = channel.latency;
    latest = std::max(latest, channel.latency);
  }
  growth_ = latest > kMost - longest ? kMost : std::max<std::int64_t>(longest + latest, 1);
  kernel_ = chain_kernels(has_latency_).back();
}

std::uint8_t StreamChain::traits_of(std::size_t lane, const StreamOp& op) const {
  const auto index = static_cast<std::int32_t>(lane);
  std::uint8_t traits = kIsOp;
  if (op.input != kNoChannel) {
    const StreamChannel& input = program_.channels[static_cast<std::size_t>(op.input)];
    traits |= input.producer < index ? kTakesFromAbove : kTakesFromBelow;
  }
  if (op.output != kNoChannel) {
    const StreamChannel& output = program_.channels[static_cast<std::size_t>(op.output)];
    traits |= output.consumer > index ? kPutsBelow : kPutsAbove;
  }
  return traits;
}

// False where a channel holds more than one value.
bool StreamChain::load() {
  for (const ChannelState& channel : channels_) {
    if (channel.values.size() > 1) return false;
  }
  arrays_.begin = 0;
  arrays_.end = span_.size();
  starts_.clear();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    arrays_.time[i] = lanes_[i].time;
    arrays_.communication[i] = lanes_[i].communication;
    arrays_.holds[i] = 0;
    if (lanes_[i].starts != nullptr) starts_.push_back(lanes_[i].starts);
    begin_span(i);
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i].values.empty()) continue;
    const StreamChannel& channel = program_.channels[i];
    const auto consumer = static_cast<std::size_t>(channel.consumer);
    const bool is_from_above = channel.producer < channel.consumer;
    arrays_.holds[consumer] |= is_from_above ? kTakesFromAbove : kTakesFromBelow;
    (is_from_above ? arrays_.from_above : arrays_.from_below)[consumer] = channels_[i].values[0];
  }
  return true;
}

void StreamChain::store() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    LaneState& lane = lanes_[i];
    lane.time = arrays_.time[i];
    lane.communication = arrays_.communication[i];
    if (!starts_.empty()) lane.starts = starts_[i];
    if (const int done = span_[i] - arrays_.left[i]; lane.op != nullptr && done > 0) {
      const auto body = lane.end - lane.begin;
      lane.repetitions -= done / body;
      lane.op = lane.begin + done % body;
    }
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    const StreamChannel& channel = program_.channels[i];
    const auto consumer = static_cast<std::size_t>(channel.consumer);
    const bool is_from_above = channel.producer < channel.consumer;
    if (!channels_[i].values.empty()) channels_[i].values.pop();
    if ((arrays_.holds[consumer] & (is_from_above ? kTakesFromAbove : kTakesFromBelow)) == 0) {
      continue;
    }
    channels_[i].values.push((is_from_above ? arrays_.from_above : arrays_.from_below)[consumer]);
  }
}

// A span is many repetitions of a short body, or one op where more must be known of it than the
// time: the first of all, the first gradient, and the last forward, for which the last repetition
// of every loop is taken op by op.
void StreamChain::begin_span(std::size_t index) {
  const LaneState& lane = lanes_[index];
  std::int64_t size = 0;
  const StreamOp* first = lane.op;
  const StreamOp* second = lane.op;
  if (lane.op != nullptr) {
    size = 1;
    const bool is_first =
        lane.first_start < 0 ||
        (lane.first_gradient_start < 0 &&
         std::any_of(lane.begin, lane.end, [](const StreamOp& op) { return op.is_gradient; }));
    const std::int64_t body = lane.end - lane.begin;
    if (body <= 2 && lane.op == lane.begin && lane.repetitions > 1 && !is_first) {
      size = body * std::min(lane.repetitions - 1, kMostRepetitions);
      second = lane.end - 1;
    }
  }
  arrays_.left[index] = span_[index] = static_cast<std::uint8_t>(size);
  arrays_.first[index] = first == nullptr ? 0 : traits_of(index, *first);
  arrays_.second[index] = second == nullptr ? 0 : traits_of(index, *second) | kIsSecond;
  arrays_.first_duration[index] = first == nullptr ? 0 : first->duration;
  arrays_.second_duration[index] = second == nullptr ? 0 : second->duration;
}

void StreamChain::end_span(std::size_t index) {
  LaneState& lane = lanes_[index];
  if (span_[index] > 1) {
    lane.repetitions -= span_[index] / (lane.end - lane.begin);
  } else {
    const std::int64_t end = arrays_.time[index];
    const std::int64_t start = end - lane.op->duration;
    if (lane.first_start < 0) {
      lane.first_start = start;
      arrays_.communication[index] = 0;  // it waited for the pipeline to fill
    }
    if (lane.op->is_forward) lane.last_forward_end = end;
    if (lane.op->is_gradient && lane.first_gradient_start < 0) lane.first_gradient_start = start;
    go_on(lane, program_);
  }
  begin_span(index);
}

// The lanes whose op had the trait.
template <class Function>
void StreamChain::for_each_done(std::uint8_t trait, const Function& function) {
  const std::uint64_t any = 0x0101010101010101U * trait;
  for (std::size_t i = arrays_.begin; i < arrays_.end; i += sizeof any) {
    std::uint64_t done = 0;
    std::memcpy(&done, arrays_.done + i, sizeof done);
    if ((done & any) == 0) continue;
    for (std::size_t lane = i; lane < i + sizeof any; ++lane) {
      if ((arrays_.done[lane] & trait) != 0) function(lane);
    }
  }
}

void StreamChain::keep_starts() {
  for_each_done(kIsOp, [this](std::size_t lane) {
    const std::int64_t duration = (arrays_.done[lane] & kIsSecond) != 0
                                      ? arrays_.second_duration[lane]
                                      : arrays_.first_duration[lane];
    *starts_[lane]++ = arrays_.time[lane] - duration;
  });
}

// Without it a long pipeline that is filled or drained by few microbatches would cost the square of
// its length: only lanes that did an op, or whose neighbours did, can do one in the next wave.
void StreamChain::narrow() {
  const auto is_idle = [this](std::size_t block) {
    return std::all_of(arrays_.done + block, arrays_.done + block + kChainBlock,
                       [](std::uint8_t done) { return done == 0; });
  };
  while (is_idle(arrays_.begin)) arrays_.begin += kChainBlock;
  while (is_idle(arrays_.end - kChainBlock)) arrays_.end -= kChainBlock;
  if (arrays_.begin > 0) arrays_.begin -= kChainBlock;
  if (arrays_.end < span_.size()) arrays_.end += kChainBlock;
}

bool StreamChain::is_in_rhythm() {
  bool is_alike = true;
  const std::size_t end = std::max(arrays_.end, done_before_end_);
  for (std::size_t i = std::min(arrays_.begin, done_before_begin_); i < end; ++i) {
    const auto op = static_cast<std::uint8_t>(arrays_.done[i] & ~kEndsSpan);
    is_alike &= op == done_before_[i];
    done_before_[i] = op;
  }
  done_before_begin_ = arrays_.begin;
  done_before_end_ = arrays_.end;
  waves_alike_ = is_alike ? waves_alike_ + 1 : 0;
  return waves_alike_ >= kTimesAlike && stays_in_rhythm();
}

std::int64_t StreamChain::repetitions_left(std::size_t index) const {
  const LaneState& lane = lanes_[index];
  return lane.repetitions - (span_[index] - arrays_.left[index]) / (lane.end - lane.begin);
}

bool StreamChain::stays_in_rhythm() const {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].op != nullptr && repetitions_left(i) < kWorthIt) return false;
  }
  return true;
}

std::int64_t StreamChain::run(bool may_pause) {
  if (!load()) return 0;
  std::int64_t latest = 0;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    latest = std::max({latest, arrays_.time[i], arrays_.from_above[i], arrays_.from_below[i]});
  }
  const std::int64_t most = (kMost - latest) / growth_;
  waves_alike_ = 0;
  std::int64_t waves = 0;
  while (waves < most) {
    const ChainWave wave = kernel_(arrays_);
    if (wave == ChainWave::none || wave == ChainWave::refused) break;
    ++waves;
    std::swap(arrays_.holds, arrays_.holds_next);
    if (!starts_.empty()) keep_starts();
    if (wave == ChainWave::ends_span) {
      for_each_done(kEndsSpan, [this](std::size_t lane) { end_span(lane); });
    }
    narrow();
    if (may_pause && waves % kRhythm == 0 && is_in_rhythm()) break;
  }
  store();
  return waves;
}

}  // namespace pipesim
