// The plug-in point: what a schedule is. README.md beside this file shows how to add one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/parameters.hpp"
#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// Whether a schedule runs a backward as one op or as its two gradients.
enum class BackwardPass { full, split, mixed };

/// "full", "split" or "mixed".
std::string_view name(BackwardPass pass);

struct ScheduleInfo {
  std::string_view name;     ///< as configs write it: "1f1b"
  std::string_view summary;  ///< one line
  std::string_view source;   ///< paper and section of the rule
  std::string_view placement = "one stage a device";
  /// The memory class: the most activations a device i ever holds, as a formula in p, m, v and the
  /// parameters, counted as Schedule::peak counts them.
  std::string_view peak = "m";
  BackwardPass backward = BackwardPass::full;
  int copies = 1;       ///< of the parameters, for directions that share the devices
  bool flushes = true;  ///< false: asynchronous, steps follow each other without a flush
  /// Whether making the order takes time and memory for every op of the run: it is found by trying,
  /// or given op by op.
  bool unrolls = false;
  std::vector<ParameterSpec> parameters;
};

/// The parameters of a run with those that the schedule chose itself filled in.
struct Plan {
  Parameters parameters;
  std::vector<std::string> notes;  ///< what was chosen and why, a sentence each
};

/// A schedule is a literal: data about it and pure functions. A null function means the default
/// that is named with it.
struct Schedule {
  ScheduleInfo info;
  /// Where the stages live; default: one stage on each of the `devices`.
  Placement (*place)(int devices, const Parameters& parameters) = nullptr;
  /// The relative costs of the slices into which a microbatch is cut; default: one slice.
  Integers (*slices)(const Parameters& parameters) = nullptr;
  /// By device, the one that keeps what it evicts; default: nobody parks activations.
  std::vector<Device> (*keepers)(int devices, const Parameters& parameters) = nullptr;
  /// How many versions of its weights a device keeps at once; default: one.
  std::int32_t (*weight_versions)(const Problem& problem, const Parameters& parameters,
                                  Device device) = nullptr;
  /// What the schedule chooses itself for this problem, so that a run can say and repeat what it
  /// did; default: the parameters as given, no notes.
  Plan (*plan)(const Problem& problem, const Parameters& parameters) = nullptr;
  /// Throws Error (bad input) with the reason and the numbers if the schedule has no meaning for
  /// the problem; default: every problem will do.
  void (*check)(const Problem& problem, const Parameters& parameters) = nullptr;
  /// What info.peak says for this device: a bound on (stage, microbatch) pairs whose forward has
  /// started and whose last backward part has not ended. Requires what build() requires; default:
  /// microbatches times the device's stages.
  std::int64_t (*peak)(const Problem& problem, const Parameters& parameters,
                       Device device) = nullptr;
  /// The order. Requires parameters from plan() and a problem that check() accepts.
  Program (*build)(const Problem& problem, const Parameters& parameters) = nullptr;
};

/// The schedules that one run knows, in the order in which they are listed.
using Registry = std::vector<const Schedule*>;

/// Every schedule of schedules.def, in that order.
Registry builtin_schedules();

/// The schedule of that name, or null.
const Schedule* find_schedule(const Registry& registry, std::string_view name);

/// Whether the order must be given: there is no rule that makes it from a problem.
bool needs_order(const Schedule& schedule);

/// What a config reader must know of each schedule.
std::vector<ScheduleSignature> signatures(const Registry& registry);

/// A schedule's functions with their defaults.
Placement place(const Schedule& schedule, int devices, const Parameters& parameters);
Integers slices(const Schedule& schedule, const Parameters& parameters);
/// The problem with the keepers and the weight versions of the schedule. Requires parameters from
/// plan().
Problem with_state(const Schedule& schedule, Problem problem, const Parameters& parameters);
Plan plan(const Schedule& schedule, const Problem& problem, const Parameters& parameters);
std::int64_t peak(const Schedule& schedule, const Problem& problem, const Parameters& parameters,
                  Device device);
/// check(), then build(), the recomputations put in; not yet validated.
Program order(const Schedule& schedule, const Problem& problem, const Parameters& parameters);
/// order(), then validate_program().
Program build(const Schedule& schedule, const Problem& problem, const Parameters& parameters);

}  // namespace pipesim
