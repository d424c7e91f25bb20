// What a picture of a run shows, whoever draws it: a row of blocks for each device.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/idle.hpp"
#include "sim/memory.hpp"
#include "sim/program.hpp"
#include "sim/task_graph.hpp"
#include "sim/timeline.hpp"
#include "sim/types.hpp"
#include "sim/units.hpp"

namespace pipesim {

struct Report;

/// How an op looks: a colour, or a letter.
enum class Look : std::uint8_t {
  forward,
  backward,         ///< full
  backward_input,   ///< gradient of the input
  backward_weight,  ///< gradient of the weights
  recompute,
  communication,  ///< between devices, and of gradients
  optimizer
};

inline constexpr int kLooks = 7;

/// Requires no barrier: it takes no time and is not drawn.
Look look(OpKind kind);

/// "forward", "backward", "input gradient", "weight gradient", "recompute", "communication" or
/// "optimizer": for a legend.
std::string_view legend(Look look);

/// 'F', 'B', 'I', 'W', 'R', 'C' or 'O': where there is no colour.
char letter(Look look);

/// A task that takes time, [start, end) in ticks.
struct Block {
  TaskId task = 0;
  TaskId released_by = kNoTask;  ///< the task whose end let it start
  Step step;                     ///< of a pair, both ops
  std::int32_t chunk = 0;        ///< which of its device's stages it is of, in the order of stages
  std::int32_t shade = 0;        ///< its flow, where there are several; else its chunk
  std::int32_t overlapped_shade = 0;  ///< that of the other op of a pair
  bool is_critical = false;           ///< on the critical path that the report names
  Ticks start;
  Ticks end;
};

/// What one device did.
struct PictureRow {
  Device device;
  /// What occupies it: ops, copies of parked activations, blocking transfers that it takes part
  /// in, gradient reductions and optimizers. By start; none overlaps another.
  std::vector<Block> blocks;
  /// What goes on beside that: transfers that it sends, and gradient reductions. By start; they may
  /// overlap.
  std::vector<Block> beside;
  std::vector<IdlePart> idle;       ///< why it computed nothing, by time
  std::vector<MemoryPoint> memory;  ///< of the whole run; the first at 0, the last of an instant
                                    ///< counts
  Ratio idle_share;                 ///< the part of the picture's time in which it computed nothing
};

/// Which part of a run a picture shows.
struct PictureView {
  std::optional<Ticks> from;    ///< none: 0
  std::optional<Ticks> to;      ///< none: T_total; half-open
  std::vector<Device> devices;  ///< ascending, each once; empty: all
};

/// A picture of one run.
struct Picture {
  std::string title;     ///< the schedule with the parameters that it has: "interleaved_1f1b  v=2"
  TimeUnit time_unit{};  ///< in which the axis is labelled
  Ticks from;            ///< the axis is [from, to)
  Ticks to;
  Ticks t_total;
  Ratio bubble_ratio;              ///< T_total / T_ideal
  Ratio bubble_fraction;           ///< idle device time / (p * T_total)
  std::int64_t peak_memory = 0;    ///< the most that a device ever holds, counted as in `memory`
  std::int32_t devices = 0;        ///< p, whether shown or not
  std::int32_t microbatches = 0;   ///< whole ones, of all steps
  std::int32_t slices = 1;         ///< of a microbatch
  std::int32_t flows = 1;          ///< directions in which microbatches cross the stages
  std::int32_t chunks = 1;         ///< the most stages that a device has
  std::int32_t shades = 1;         ///< flows, where there are several; else chunks
  Memory memory;                   ///< how the rows' memory is counted
  std::vector<Look> looks;         ///< those that its blocks have, in the order of Look
  std::vector<PictureRow> rows;    ///< by device
  std::map<TaskId, Step> undrawn;  ///< what blocks and idle parts name and no row has

  /// In all rows, those beside included.
  std::int64_t blocks() const;
};

/// The picture of a finished run: blocks and idle parts that overlap [from, to), whole even where
/// they stick out, the others left out; a view's `to` behind the end of the run, as in a comparison
/// with a longer one, is its end. Requires the timeline and the report of that graph, and devices
/// that it has.
Picture make_picture(const TaskGraph& graph, const Timeline& timeline, const Report& report,
                     const PictureView& view);

/// Throws Error (bad input, with the option of the command line) unless from < to, from lies before
/// T_total, to not behind it, and the devices are those of the problem.
void require_view(const PictureView& view, const Problem& problem, Ticks t_total, TimeUnit unit);

/// The most blocks that somebody draws, and the config key that asked for it.
struct DrawingLimit {
  std::int64_t blocks = 0;
  std::string pointer;
};

/// About how many blocks a picture will have, as far as that is known before the run: the ops of
/// the devices' share that is shown, where neither from nor to is given; else 0.
std::int64_t expected_blocks(const Problem& problem, const PictureView& view);

/// Throws Error (bad input) if there are more: with their number, the limit, and the options that
/// show a part. To be asked before a run with expected_blocks(), after it with Picture::blocks(),
/// in a comparison with the sum of them.
void require_drawable(std::int64_t blocks, const DrawingLimit& limit);

/// The microbatch of an op as a block shows it: "3", or "3.1" for slice 1 where there are slices.
std::string microbatch_label(const Op& op, std::int32_t slices);

}  // namespace pipesim
