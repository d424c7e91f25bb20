#include "sim/stream_period.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

namespace pipesim {

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

}  // namespace

StreamPeriod::StreamPeriod(const StreamProgram& program, std::vector<LaneState>& lanes,
                           std::vector<ChannelState>& channels, const Waves& waves,
                           StreamStarts* starts)
    : program_(program), lanes_(lanes), channels_(channels), starts_(starts) {
  if (plan_rings(waves)) compile(waves);
}

// A value stays where it was put until it has been taken, so a channel needs as many places as it
// ever holds values, and those that a wave puts while it takes. The places are what the waves put,
// times a power of two: the list repeats the waves until every channel begins again at its first
// place.
bool StreamPeriod::plan_rings(const Waves& waves) {
  constexpr std::int64_t kMostOperations = 1 << 20;
  ring_.assign(channels_.size(), 0);
  std::vector<std::int64_t> puts(channels_.size());
  std::vector<std::int64_t> held(channels_.size());
  for (std::size_t i = 0; i < channels_.size(); ++i) held[i] = channels_[i].values.size();
  std::size_t begin = 0;
  for (const std::size_t end : waves.ends) {
    for (std::size_t i = begin; i < end; ++i) {
      if (const std::int32_t output = waves.taken[i].op->output; output != kNoChannel) {
        const auto channel = static_cast<std::size_t>(output);
        ++puts[channel];
        ring_[channel] = std::max(ring_[channel], ++held[channel]);
      }
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (const std::int32_t input = waves.taken[i].op->input; input != kNoChannel) {
        --held[static_cast<std::size_t>(input)];
      }
    }
    begin = end;
  }
  std::int64_t repeated = 1;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (puts[i] == 0) continue;
    const std::int64_t times = (ring_[i] + puts[i] - 1) / puts[i];
    const auto repetitions =
        static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(times)));
    ring_[i] = puts[i] * repetitions;
    repeated = std::max(repeated, repetitions);
  }
  if (repeated > kMostOperations / static_cast<std::int64_t>(waves.taken.size())) return false;
  repetitions_ = repeated;
  return true;
}

// Lanes are numbered in the order in which the list uses them, places in the order in which values
// are taken from them: then neighbours in a wave are neighbours in the arrays.
void StreamPeriod::compile(const Waves& waves) {
  std::int64_t places = 0;
  taken_.assign(channels_.size(), 0);
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    first_place_.push_back(places);
    places += ring_[i];
    put_.push_back(channels_[i].values.size());
    if (ring_[i] > 0 && program_.channels[i].latency != 0) has_latency_ = true;
  }
  value_of_place_.assign(static_cast<std::size_t>(places), -1);
  number_of_lane_.assign(lanes_.size(), -1);
  next_value_ = static_cast<std::int64_t>(lanes_.size());
  std::vector<std::vector<Operation>> list;
  for (std::int64_t r = 0; r < repetitions_; ++r) {
    auto begin = waves.taken.begin();
    for (const std::size_t end_index : waves.ends) {
      const auto end = waves.taken.begin() + static_cast<std::ptrdiff_t>(end_index);
      list.push_back(placed({begin, end}));
      begin = end;
    }
  }
  for (const std::vector<Operation>& wave : list) add_runs(wave);
}

std::int64_t StreamPeriod::place(std::int32_t channel, std::vector<std::int64_t>& count) const {
  const auto index = static_cast<std::size_t>(channel);
  return first_place_[index] + count[index]++ % ring_[index];
}

std::vector<StreamPeriod::Operation> StreamPeriod::placed(std::vector<Taken> wave) {
  // Stages one after another: what they take and put is then one after another too.
  std::sort(wave.begin(), wave.end(), [](const Taken& left, const Taken& right) {
    const auto key = [](const Taken& taken) {
      return std::tuple(taken.op->is_forward, taken.op->is_gradient, taken.op->input, taken.lane);
    };
    return key(left) < key(right);
  });
  std::vector<Operation> operations;
  for (const Taken& taken : wave) {
    std::int64_t& number = number_of_lane_[static_cast<std::size_t>(taken.lane)];
    if (number < 0) {
      number = static_cast<std::int64_t>(lane_of_number_.size());
      lane_of_number_.push_back(taken.lane);
    }
    Operation operation = {.op = taken.op, .lane = number};
    if (taken.op->input != kNoChannel) {
      operation.input = place(taken.op->input, taken_);
      std::int64_t& value = value_of_place_[static_cast<std::size_t>(operation.input)];
      if (value < 0) value = next_value_++;
    }
    if (taken.op->output != kNoChannel) operation.output = place(taken.op->output, put_);
    operations.push_back(operation);
  }
  return operations;
}

void StreamPeriod::add_runs(const std::vector<Operation>& wave) {
  const auto value = [&](std::int64_t place) {
    return place < 0 ? -1 : value_of_place_[static_cast<std::size_t>(place)];
  };
  const auto latency = [&](std::int32_t channel) {
    return channel == kNoChannel ? 0 : program_.channels[static_cast<std::size_t>(channel)].latency;
  };
  const auto follows = [](std::int64_t first, std::int64_t count, std::int64_t next) {
    return first < 0 ? next < 0 : next == first + count;
  };
  const std::size_t first_run = runs_.size();
  for (const Operation& operation : wave) {
    const KernelRun next = {.count = 1,
                            .lane = operation.lane,
                            .input = value(operation.input),
                            .output = value(operation.output),
                            .op = static_cast<std::int64_t>(duration_.size())};
    duration_.push_back(operation.op->duration);
    latency_in_.push_back(latency(operation.op->input));
    latency_out_.push_back(latency(operation.op->output));
    most_growth_ += Int128{duration_.back()} + latency_out_.back();
    if (runs_.size() > first_run) {
      KernelRun& run = runs_.back();
      if (follows(run.lane, run.count, next.lane) && follows(run.input, run.count, next.input) &&
          follows(run.output, run.count, next.output)) {
        ++run.count;
        continue;
      }
    }
    runs_.push_back(next);
  }
}

// A list ends where it began: every channel's oldest value is at the first place of its ring.
void StreamPeriod::load() {
  values_.assign(static_cast<std::size_t>(next_value_), 0);
  communication_.assign(lane_of_number_.size(), 0);
  for (std::size_t i = 0; i < lane_of_number_.size(); ++i) {
    const LaneState& lane = lanes_[static_cast<std::size_t>(lane_of_number_[i])];
    values_[i] = lane.time;
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (ring_[i] == 0) continue;
    for (std::uint32_t place = 0; place < channels_[i].values.size(); ++place) {
      const std::int64_t at = value_of_place_[static_cast<std::size_t>(first_place_[i]) + place];
      values_[static_cast<std::size_t>(at)] = channels_[i].values[place];
    }
  }
  kernel_ = kernels(has_latency_, starts_ != nullptr).back();
  arrays_ = {.values = values_.data(),
             .communication = communication_.data(),
             .duration = duration_.data(),
             .latency_in = latency_in_.data(),
             .latency_out = latency_out_.data()};
}

void StreamPeriod::store() {
  for (std::size_t i = 0; i < lane_of_number_.size(); ++i) {
    LaneState& lane = lanes_[static_cast<std::size_t>(lane_of_number_[i])];
    lane.time = values_[i];
    lane.communication += communication_[i];
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (ring_[i] == 0) continue;
    ChannelQueue stored;
    for (std::uint32_t place = 0; place < channels_[i].values.size(); ++place) {
      const std::int64_t at = value_of_place_[static_cast<std::size_t>(first_place_[i]) + place];
      stored.push(values_[static_cast<std::size_t>(at)]);
    }
    channels_[i].values = std::move(stored);
  }
}

std::int64_t StreamPeriod::run(std::int64_t repetitions, FastForward fast_forward) {
  if (repetitions_ == 0) return 0;
  load();
  const std::int64_t lists = repetitions / repetitions_;
  const bool may_jump = fast_forward == FastForward::jumps && starts_ == nullptr;
  const std::int64_t done = may_jump ? run_with_jumps(lists) : run_lists(lists);
  store();
  return done * repetitions_;
}

// Nothing grows by more than the sum of all that the list adds.
std::int64_t StreamPeriod::lists_without_overflow() const {
  const std::int64_t latest = *std::max_element(values_.begin(), values_.end());
  return static_cast<std::int64_t>(
      std::min<Int128>((Int128{kMost} - latest) / std::max<Int128>(most_growth_, 1), kMost));
}

std::int64_t StreamPeriod::run_lists(std::int64_t lists) {
  std::int64_t done = 0;
  while (done < lists) {
    const std::int64_t now = std::min(lists_without_overflow(), lists - done);
    if (now == 0) break;
    if (starts_ != nullptr) {
      run_with_starts(now);
    } else {
      for (std::int64_t i = 0; i < now; ++i) run_list();
    }
    done += now;
  }
  return done;
}

void StreamPeriod::run_with_starts(std::int64_t lists) {
  std::vector<std::vector<std::uint32_t>> places(lanes_.size());
  for (const KernelRun& run : runs_) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      const std::int32_t lane = lane_of_number_[static_cast<std::size_t>(run.lane + i)];
      places[static_cast<std::size_t>(lane)].push_back(static_cast<std::uint32_t>(run.op + i));
    }
  }
  const std::size_t ops = duration_.size();
  arrays_.starts =
      starts_->add_lists(static_cast<std::size_t>(lists), ops, std::move(places), lanes_);
  for (std::int64_t i = 0; i < lists; ++i) {
    run_list();
    arrays_.starts += ops;
  }
}

// Brent's search for a cycle (BIT 20, 1980): the state is compared with one saved state, which is
// taken anew after 1, 2, 4, ... lists. All that is paid from a credit of a thirty-second of the ops
// that have been run and as much of those to come, so that a search in vain costs no more.
std::int64_t StreamPeriod::run_with_jumps(std::int64_t lists) {
  const auto ops = static_cast<std::int64_t>(duration_.size());
  const auto values = static_cast<std::int64_t>(values_.size());
  credit_ = lists * ops / 32;
  std::int64_t done = 0;
  std::int64_t until_saved = 1;
  std::int64_t since_saved = 0;
  std::int64_t safe = lists_without_overflow();
  Saved saved = save();
  while (done < lists && safe > 1) {
    run_list();
    ++done;
    ++since_saved;
    --safe;
    credit_ += ops / 32;
    if (credit_ > 0 && shifted_alike(saved)) {
      const std::int64_t times = (lists - done) / since_saved;
      jump(saved, times);
      done += times * since_saved;
      break;
    }
    // An op by itself takes as long as a dozen in an array.
    if (since_saved == 1 && done < lists && pay(12 * ops + 4 * values)) {
      Saved last = save();
      ++done;
      ++since_saved;
      --safe;
      if (shifts_for_ever(saved)) {
        jump(last, lists - done);
        return lists;
      }
    }
    if (since_saved >= until_saved && pay(values)) {
      saved = save();
      until_saved *= 2;
      since_saved = 0;
    }
  }
  return done + run_lists(lists - done);
}

bool StreamPeriod::pay(std::int64_t cost) {
  if (credit_ < cost) return false;
  credit_ -= cost;
  return true;
}

// The operations of a list are maxima and sums with constants: if all times are later by one and
// the same amount than they were, they will be so again after as many lists.
bool StreamPeriod::shifted_alike(const Saved& before) {
  const std::int64_t shift = values_.front() - before.values.front();
  const auto is_shifted = [&](std::size_t i) { return values_[i] - before.values[i] == shift; };
  // What was not yet in step is probably still not.
  if (!is_shifted(last_mismatch_)) return false;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (is_shifted(i)) continue;
    last_mismatch_ = i;
    credit_ -= 2 * static_cast<std::int64_t>(i);
    return false;
  }
  return true;
}

// Runs the list once more. Lanes may drift apart, each at its own rate: a stage that is slower than
// the one that feeds it falls behind for ever. Let s be the state one list ago, s + d the present
// one, and f(s) what a list makes of a state, so f(s) = s + d. True if f(s + d) = s + 2d and the
// winner of no comparison changes as d is added again: of a lane and the input it takes, the one
// that is later grows by no less than the other. Then every time in the list is linear in the
// number of times that d is added, so f(s + k * d) = s + (k + 1) * d for every k >= 1. A lane that
// starts when its input is there must grow as much as the input does, so its gaps stay what they
// are.
bool StreamPeriod::shifts_for_ever(const Saved& before) {
  const Saved present = save();
  std::vector<std::int64_t> shift(values_.size());
  for (std::size_t i = 0; i < shift.size(); ++i) shift[i] = values_[i] - before.values[i];
  std::vector<std::int64_t> new_shift = shift;
  bool holds = true;
  for (const KernelRun& run : runs_) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      const auto lane = static_cast<std::size_t>(run.lane + i);
      if (run.input >= 0) {
        const auto input = static_cast<std::size_t>(run.input + i);
        holds = holds && (values_[input] > values_[lane] ? new_shift[input] == new_shift[lane]
                                                         : new_shift[input] <= new_shift[lane]);
      }
      const KernelRun one = {.count = 1,
                             .lane = run.lane + i,
                             .input = run.input < 0 ? -1 : run.input + i,
                             .output = run.output < 0 ? -1 : run.output + i,
                             .op = run.op + i};
      kernel_(&one, &one + 1, arrays_);
      if (run.output >= 0) new_shift[static_cast<std::size_t>(run.output + i)] = new_shift[lane];
    }
  }
  for (std::size_t i = 0; i < shift.size() && holds; ++i) {
    holds = new_shift[i] == shift[i] && values_[i] == present.values[i] + shift[i];
  }
  return holds;
}

// Adds `times` times what has changed since then.
void StreamPeriod::jump(const Saved& before, std::int64_t times) {
  const auto go_on = [times](std::int64_t& now, std::int64_t then) {
    now = (Ticks{now} + Ticks{now - then} * times).count;
  };
  for (std::size_t i = 0; i < values_.size(); ++i) go_on(values_[i], before.values[i]);
  for (std::size_t i = 0; i < communication_.size(); ++i) {
    go_on(communication_[i], before.communication[i]);
  }
}

}  // namespace pipesim
