// What is to be run: devices, stages and where they live, microbatches, costs, communication,
// limits. A problem says nothing about order; that is a schedule's decision.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/communication.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// Where each virtual stage lives, for every flow.
struct Placement {
  /// device_of[flow][stage]; every flow has the same number of stages.
  std::vector<std::vector<Device>> device_of;

  int flows() const { return static_cast<int>(device_of.size()); }
  int stages() const { return static_cast<int>(device_of.front().size()); }
};

/// One flow of p * v stages, stage s on device s mod p (Megatron: 2104.04473, section 2.2).
Placement loop_placement(int devices, int stages_per_device);

/// One flow of 2p stages: there and back, stages i and 2p-1-i on device i (2401.10241v1,
/// section 6).
Placement v_placement(int devices);

/// One flow of 2p stages a wave, each wave there and back as v_placement() (Hanayo: 2308.15762,
/// section 3).
Placement wave_placement(int devices, int waves);

/// Two flows of p stages in opposite directions: stage s on device s, and on device p-1-s
/// (Chimera: 2107.06925, section 3.1).
Placement bidirectional_placement(int devices);

/// The time one microbatch takes on one stage. Requires input + weight = backward where both
/// ways of running the backward are used.
struct StageCosts {
  Ticks forward;
  Ticks backward;                 ///< input and weight gradient together
  std::optional<Ticks> weight{};  ///< the weight gradient alone; none: it cannot be split off
  /// A forward of this stage and a backward overlapped in one op; none: one after the other.
  std::optional<Ticks> fused{};
  Ticks recompute{};  ///< the forward once more

  /// What an op of that kind takes. Requires a compute kind, and a cost for it.
  Ticks duration(OpKind kind) const;

  friend bool operator==(const StageCosts&, const StageCosts&) = default;
};

/// Costs of a stage whose recomputation takes as long as its forward: the default of t_r.
StageCosts stage_costs(Ticks forward, Ticks backward, std::optional<Ticks> weight = std::nullopt);

/// What one microbatch's activations and a stage's state take on a device, in Memory's unit.
struct StageMemory {
  std::int64_t activation = 0;  ///< taken when the forward starts (the recomputation, where the
                                ///< stage recomputes)
  std::int64_t kept_for_weight = 0;  ///< what is left of it after the input gradient, until the
                                     ///< weight gradient ends; at most activation
  std::int64_t input = 0;       ///< kept from a forward that will be recomputed until its backward
  std::int64_t resident = 0;    ///< parameters and optimizer state, all the time
  std::int64_t parameters = 0;  ///< of it, what every further version of the weights takes again
};

/// How memory is counted. Without bytes the unit is 1/units_per_microbatch of the activations of
/// one microbatch on all stages of one device.
struct Memory {
  bool in_bytes = false;
  std::int64_t units_per_microbatch = 2;  ///< only where not in bytes
  std::vector<StageMemory> stages;        ///< by stage
  std::int64_t message = 0;  ///< of one transfer, buffered at its sender while it is under way and
                             ///< at its receiver until the op that needs it starts
  std::optional<std::int64_t> limit;  ///< the most a device may hold, in the unit
};

/// Several training steps after another. With a flush the gradients of a step are reduced and the
/// optimizer runs before a device's next step; without, the steps are one long step.
struct Iterations {
  std::int32_t count = 1;          ///< steps with a flush between them, of `microbatches` each
  std::int32_t joined = 1;         ///< steps without a flush that `microbatches` holds; divides it
  std::vector<Ticks> grad_sync;    ///< by stage: the reduction of its gradients; empty: none
  bool overlap_grad_sync = false;  ///< beside the compute lane, from the stage's last backward on
  std::vector<Ticks> optimizer;    ///< by device; empty: none
  bool barrier = false;            ///< every optimizer waits for every reduction of its step

  bool has_tasks() const { return !grad_sync.empty() || !optimizer.empty() || barrier; }
};

/// Where devices may park activations that they will need later (BPipe, ICML 2023): an EVICT copies
/// those of one stage and microbatch to the keeper, a LOAD copies them back. A copy blocks the
/// device that parks, not the keeper.
struct Parking {
  std::vector<Device> keeper;    ///< by device; empty: nobody parks
  std::vector<Ticks> copy_time;  ///< by stage: of an EVICT or a LOAD; empty: none
};

/// From `from` until `to` (half-open) an op that starts on the device takes `factor` times as long,
/// rounded half up to a tick.
struct Straggler {
  Device device;
  std::int64_t numerator = 1;
  std::int64_t denominator = 1;
  Ticks from;
  Ticks to;
};

/// A pipeline-parallel training run. Invariants are established by validate_problem().
struct Problem {
  std::int32_t devices = 0;  ///< p
  std::int32_t microbatches =
      0;  ///< m, of one step over all flows; slices of them where slices > 1
  /// Parts of a sequence into which a microbatch is cut (Seq1F1B, 2406.03488): its slices pass the
  /// stages one after another, forward in order and backward in reverse; divides microbatches.
  std::int32_t slices = 1;
  Iterations iterations;
  Placement placement;
  std::vector<StageCosts> costs;  ///< by stage
  std::vector<bool> recompute;    ///< by stage; empty: no stage recomputes
  Communication communication;
  Memory memory;
  Parking parking;
  std::vector<std::int32_t> weight_versions;  ///< kept by device; empty: one each
  /// What a schedule may plan with: the most microbatches whose activations a device may hold at
  /// once; none: no limit, or one in bytes.
  std::optional<std::int64_t> memory_limit;
  Ticks launch_overhead;  ///< of every step of a compute lane
  std::vector<Straggler> stragglers;
  /// Costs that differ by microbatch: by kind (F, B, I, W, R), stage and microbatch of one step,
  /// kind-major; empty: `costs` holds for all.
  std::vector<Ticks> durations;

  /// Microbatches of all steps, numbered through: step r has [r * m, (r + 1) * m).
  std::int32_t total_microbatches() const { return microbatches * iterations.count; }
  /// Whole microbatches of all steps.
  std::int32_t whole_microbatches() const { return total_microbatches() / slices; }
  /// Training steps of the whole run, and the microbatches of one of them.
  std::int32_t steps() const { return iterations.count * iterations.joined; }
  std::int32_t step_microbatches() const { return microbatches / iterations.joined; }
  int stages() const { return placement.stages(); }
  /// The flow of a microbatch: the first ones are flow 0's, the next ones flow 1's. Flows share
  /// the microbatches equally, flow 0 has one more if they are odd.
  Flow flow(Microbatch microbatch) const;
  /// The first microbatch of a flow in step 0.
  Microbatch first_microbatch(Flow flow) const {
    return Microbatch{flow == Flow{0} ? 0 : microbatches - microbatches / 2};
  }
  Device device(Stage stage, Microbatch microbatch) const;
  /// The device that computes an op; of a send, the sender.
  Device device(const Op& op) const { return device(op.stage, op.microbatch); }
  /// What an op takes by itself, without overhead. Requires a kind that a program orders, and a
  /// cost for it.
  Ticks duration(const Op& op) const;
  /// What a step of a compute lane takes if no straggler slows it, the launch overhead of what it
  /// computes included. A
  /// fused pair whose ops differ by microbatch takes its `fused` in proportion to them.
  Ticks duration(const Op& op, const std::optional<Op>& overlapped) const;
  /// A duration as it is if it starts at that time on that device.
  Ticks slowed(Ticks duration, Device device, Ticks start) const;
  bool recomputes(Stage stage) const {
    return !recompute.empty() && recompute[static_cast<std::size_t>(stage.value)];
  }
  /// From one device to another; nothing inside a device.
  Link link(Device from, Device to) const;
};

/// How many versions of its weights a device keeps.
std::int32_t weight_versions(const Problem& problem, Device device);

/// Throws Error (bad input) unless p and m are at least 1, every stage has costs of at least 0
/// and a device in 0..p-1, every device has a stage, and some device has work to do (T_ideal is
/// not 0).
void validate_problem(const Problem& problem);

/// The number of ops of the problem if no backward is split: 2 * m * S, and m for each stage that
/// recomputes.
std::int64_t op_count(const Problem& problem);

}  // namespace pipesim
