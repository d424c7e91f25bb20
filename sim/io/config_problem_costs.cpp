// How long ops take: t_f and its kin, or a costs file, by stage and where it differs by microbatch.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>

#include "sim/io/config_problem.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kKinds = static_cast<std::size_t>(OpKind::recompute) + 1;

}  // namespace

std::size_t microbatches_of(const Problem& problem) {
  return static_cast<std::size_t>(problem.microbatches);
}

void set_durations(Problem& problem, std::size_t stage, std::size_t microbatch,
                   const StageCosts& costs) {
  const std::size_t stages = static_cast<std::size_t>(problem.stages());
  const std::array<Ticks, kKinds> times = {costs.forward, costs.backward,
                                           costs.backward - costs.weight.value_or(Ticks{}),
                                           costs.weight.value_or(Ticks{}), costs.recompute};
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    problem.durations[(kind * stages + stage) * microbatches_of(problem) + microbatch] =
        times[kind];
  }
}

void make_room_for_durations(Problem& problem) {
  problem.durations.resize(kKinds * static_cast<std::size_t>(problem.stages()) *
                           microbatches_of(problem));
}

StageCosts costs_of(const Problem& problem, std::size_t stage, std::size_t microbatch) {
  StageCosts costs = problem.costs[stage];
  if (problem.durations.empty()) return costs;
  const auto duration = [&](OpKind kind) {
    return problem.duration(
        Op{.kind = kind, .stage = Stage{stage}, .microbatch = Microbatch{microbatch}});
  };
  costs.forward = duration(OpKind::forward);
  costs.backward = duration(OpKind::backward);
  if (costs.weight) costs.weight = duration(OpKind::backward_weight);
  costs.recompute = duration(OpKind::recompute);
  return costs;
}

namespace {

/// A costs file on a placement.
class CostTableReader {
 public:
  CostTableReader(const RunConfig& config, std::size_t stages)
      : config_(config), general_(stages), specific_(stages) {}

  void fill(Problem& problem) {
    for (const CostRow& row : config_.costs.rows) place(row);
    throw_if_faulty();
    const bool differs = std::any_of(specific_.begin(), specific_.end(),
                                     [](const auto& stage) { return !stage.empty(); });
    problem.costs.resize(general_.size());
    if (differs) make_room_for_durations(problem);
    for (std::size_t stage = 0; stage < general_.size(); ++stage)
      fill_stage(problem, stage, differs);
    throw_if_faulty();
  }

 private:
  using Cells = std::array<std::optional<Ticks>, kKinds>;

  void report(int line, std::string what, std::string allowed) {
    Fault fault{.what = std::move(what), .allowed = std::move(allowed)};
    fault.place = line == 0 ? config_.costs.file : fmt::format("{}:{}:1", config_.costs.file, line);
    fault.line = line;
    fault.column = line == 0 ? 0 : 1;
    faults_.push_back(std::move(fault));
  }

  void throw_if_faulty() {
    if (!faults_.empty()) throw Error(std::move(faults_));
  }

  void place(const CostRow& row) {
    const auto stage = static_cast<std::size_t>(row.stage.value);
    if (stage >= general_.size()) {
      return report(row.line, fmt::format("there is no stage {}", stage),
                    fmt::format("stages 0 to {}", general_.size() - 1));
    }
    const auto kind = static_cast<std::size_t>(row.kind);
    if (!row.microbatch) {
      general_[stage][kind] = row.time;
    } else if (row.microbatch->value >= config_.m) {
      report(row.line, fmt::format("there is no microbatch {}", row.microbatch->value),
             fmt::format("microbatches 0 to {}", config_.m - 1));
    } else {
      specific_[stage][row.microbatch->value][kind] = row.time;
    }
  }

  // What holds for most microbatches is worked out once.
  void fill_stage(Problem& problem, std::size_t stage, bool differs) {
    const auto step = static_cast<std::size_t>(config_.m);
    StageCosts general;
    const bool all_differ = specific_[stage].size() == step;
    bool is_known =
        !all_differ && complete(general_[stage], fmt::format("stage {}", stage), general);
    if (!all_differ && !is_known) return;
    StageCosts longest = general;
    for (std::size_t microbatch = 0; differs && microbatch < step; ++microbatch) {
      StageCosts costs = general;
      if (!specific(stage, microbatch, costs)) continue;
      if (!is_known) longest = costs;
      is_known = true;
      if (longest.weight.has_value() != costs.weight.has_value()) {
        report(0, fmt::format("stage {} has W only for some microbatches", stage),
               "W for every microbatch, or for none");
        return;
      }
      raise(longest, costs);
      for (std::size_t at = microbatch; at < microbatches_of(problem); at += step) {
        set_durations(problem, stage, at, costs);
      }
    }
    if (is_known) problem.costs[stage] = longest;
  }

  // Replaces `costs` where the microbatch has rows of its own; false if these are faulty.
  bool specific(std::size_t stage, std::size_t microbatch, StageCosts& costs) {
    const auto found = specific_[stage].find(static_cast<std::int32_t>(microbatch));
    if (found == specific_[stage].end()) return true;
    return complete(merged(general_[stage], found->second),
                    fmt::format("stage {}, microbatch {}", stage, microbatch), costs);
  }

  static Cells merged(Cells cells, const Cells& other) {
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      if (other[kind]) cells[kind] = other[kind];
    }
    return cells;
  }

  static void raise(StageCosts& longest, const StageCosts& costs) {
    longest.forward = std::max(longest.forward, costs.forward);
    longest.backward = std::max(longest.backward, costs.backward);
    if (longest.weight && costs.weight) longest.weight = std::max(*longest.weight, *costs.weight);
    longest.recompute = std::max(longest.recompute, costs.recompute);
  }

  // Works out a stage's costs from the kinds that are given; false, and a fault, if they are not
  // enough or contradict each other.
  bool complete(const Cells& cells, const std::string& where, StageCosts& costs) {
    const auto has = [&](OpKind kind) { return cells[static_cast<std::size_t>(kind)].has_value(); };
    const auto time = [&](OpKind kind) {
      return cells[static_cast<std::size_t>(kind)].value_or(Ticks{});
    };
    const bool has_input = has(OpKind::backward_input);
    const bool has_parts = has_input && has(OpKind::backward_weight);
    if (!has(OpKind::forward)) {
      report(0, fmt::format("{} has no F", where), "F for every stage");
      return false;
    }
    if (!has(OpKind::backward) && !has_parts) {
      report(0, fmt::format("{} has no B", where), "B, or both I and W, for every stage");
      return false;
    }
    const Ticks input = time(OpKind::backward_input);
    Ticks weight = time(OpKind::backward_weight);
    const Ticks backward = has(OpKind::backward) ? time(OpKind::backward) : input + weight;
    if (has_input && !has_parts && input <= backward) weight = backward - input;
    const Ticks parts = input + weight;
    if (parts > backward || (has_input && parts != backward)) {
      report(0, fmt::format("{} has a B that is not I and W together", where),
             "B = I + W, or only two of them");
      return false;
    }
    costs = stage_costs(time(OpKind::forward), backward);
    if (has_input || has(OpKind::backward_weight)) costs.weight = weight;
    if (has(OpKind::recompute)) costs.recompute = time(OpKind::recompute);
    return true;
  }

  const RunConfig& config_;
  std::vector<Cells> general_;                           // by stage
  std::vector<std::map<std::int32_t, Cells>> specific_;  // by stage and microbatch
  std::vector<Fault> faults_;
};

void set_fused(const RunConfig& config, const StageMap& map, std::vector<StageCosts>& costs) {
  if (!config.t_fb) return;
  const std::vector<Ticks> fused = map.spread(*config.t_fb, "/t_fb");
  for (std::size_t stage = 0; stage < fused.size(); ++stage) costs[stage].fused = fused[stage];
}

}  // namespace

std::vector<StageCosts> make_costs(const RunConfig& config, const StageMap& map) {
  std::vector<Ticks> forward = map.spread(config.t_f, "/t_f");
  std::vector<Ticks> backward = map.spread(config.t_b, "/t_b");
  forward.front() += config.first.forward;
  forward.back() += config.last.forward;
  backward.front() += config.first.backward;
  backward.back() += config.last.backward;
  std::vector<StageCosts> costs;
  costs.reserve(map.stages());
  for (std::size_t stage = 0; stage < map.stages(); ++stage) {
    costs.push_back(stage_costs(forward[stage], backward[stage]));
  }
  if (config.t_w) {
    std::vector<Ticks> weight = map.spread(*config.t_w, "/t_w");
    weight.front() += config.first.weight;
    weight.back() += config.last.weight;
    for (std::size_t stage = 0; stage < map.stages(); ++stage) {
      if (weight[stage] > backward[stage]) {
        throw Error(Fault{.pointer = "/t_w",
                          .what = fmt::format("stage {} has t_w {}, t_b {}", stage,
                                              format_time(weight[stage], config.time_unit),
                                              format_time(backward[stage], config.time_unit)),
                          .allowed = "at most t_b, of which it is a part"});
      }
      costs[stage].weight = weight[stage];
    }
  }
  if (config.t_r) {
    const std::vector<Ticks> recompute = map.spread(*config.t_r, "/t_r");
    for (std::size_t stage = 0; stage < map.stages(); ++stage) {
      costs[stage].recompute = recompute[stage];
    }
  }
  set_fused(config, map, costs);
  return costs;
}

void apply_cost_table(const RunConfig& config, const StageMap& map, Problem& problem) {
  CostTableReader(config, map.stages()).fill(problem);
  if (config.t_fb && !problem.durations.empty()) {
    throw Error(Fault{.pointer = "/t_fb",
                      .what = "t_fb beside costs that differ by microbatch",
                      .allowed = "one of the two: a fused pair has two microbatches"});
  }
  set_fused(config, map, problem.costs);
}

void apply_microbatch_scale(const RunConfig& config, Problem& problem) {
  const std::vector<Decimal>& scale = config.variation.microbatch_scale;
  if (scale.empty()) return;
  if (scale.size() != static_cast<std::size_t>(config.m)) {
    throw Error(Fault{.pointer = "/variation/microbatch_scale",
                      .what = fmt::format("array of {}", scale.size()),
                      .allowed = fmt::format("an array of m = {} values", config.m)});
  }
  Problem unscaled = problem;
  make_room_for_durations(problem);
  for (std::size_t stage = 0; stage < problem.costs.size(); ++stage) {
    for (std::size_t microbatch = 0; microbatch < microbatches_of(problem); ++microbatch) {
      const Decimal factor = scale[microbatch % scale.size()];
      StageCosts costs = costs_of(unscaled, stage, microbatch);
      costs.forward = scaled(costs.forward, factor);
      costs.backward = scaled(costs.backward, factor);
      if (costs.weight) costs.weight = scaled(*costs.weight, factor);
      costs.recompute = scaled(costs.recompute, factor);
      set_durations(problem, stage, microbatch, costs);
    }
  }
}

}  // namespace pipesim
