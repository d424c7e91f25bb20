#include "sim/io/picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/report.hpp"
#include "sim/io/view_text.hpp"

namespace pipesim {

namespace {

constexpr bool takes_no_time(OpKind kind) {
  return kind == OpKind::barrier || kind == OpKind::release;
}

/// The stages of each device, ascending, in whichever flow.
std::vector<std::vector<Stage>> stages_by_device(const Problem& problem) {
  std::vector<std::set<Stage>> stages(static_cast<std::size_t>(problem.devices));
  for (const std::vector<Device>& flow : problem.placement.device_of) {
    for (std::size_t stage = 0; stage < flow.size(); ++stage) {
      stages[static_cast<std::size_t>(flow[stage].value)].insert(Stage{stage});
    }
  }
  std::vector<std::vector<Stage>> result;
  result.reserve(stages.size());
  for (const std::set<Stage>& of_device : stages) {
    result.emplace_back(of_device.begin(), of_device.end());
  }
  return result;
}

class PictureMaker {
 public:
  PictureMaker(const TaskGraph& graph, const Timeline& timeline, const Report& report,
               const PictureView& view)
      : graph_(graph),
        timeline_(timeline),
        problem_(graph.problem()),
        stages_(stages_by_device(problem_)),
        critical_(report.critical_path->tasks) {
    std::sort(critical_.begin(), critical_.end());
    picture_.title = report.config.schedule + parameters_of(report.config);
    picture_.time_unit = report.config.time_unit;
    picture_.t_total = report.metrics.t_total;
    picture_.from = view.from.value_or(Ticks{0});
    picture_.to = std::min(view.to.value_or(picture_.t_total), picture_.t_total);
    picture_.bubble_ratio = report.metrics.bubble_ratio;
    picture_.bubble_fraction = report.metrics.bubble_fraction;
    for (const std::int64_t peak : report.peak_memory) {
      picture_.peak_memory = std::max(picture_.peak_memory, peak);
    }
    picture_.devices = problem_.devices;
    picture_.microbatches = problem_.whole_microbatches();
    picture_.slices = problem_.slices;
    picture_.flows = problem_.placement.flows();
    picture_.memory = report.memory;
    for (const std::vector<Stage>& stages : stages_) {
      picture_.chunks = std::max(picture_.chunks, static_cast<std::int32_t>(stages.size()));
    }
    picture_.shades = picture_.flows > 1 ? picture_.flows : picture_.chunks;
    row_of_device_.assign(graph.devices(), kNoRow);
    for (std::size_t device = 0; device < graph.devices(); ++device) {
      const bool is_shown =
          view.devices.empty() ||
          std::binary_search(view.devices.begin(), view.devices.end(), Device{device});
      if (!is_shown) continue;
      row_of_device_[device] = picture_.rows.size();
      picture_.rows.emplace_back().device = Device{device};
    }
  }

  Picture make() {
    for (TaskId task = 0; task < graph_.size(); ++task) add(task);
    add_idle();
    std::vector<std::vector<MemoryPoint>> memory = memory_profile(graph_, timeline_);
    for (PictureRow& row : picture_.rows) {
      const auto by_start = [](const Block& left, const Block& right) {
        return std::pair(left.start, left.task) < std::pair(right.start, right.task);
      };
      std::sort(row.blocks.begin(), row.blocks.end(), by_start);
      std::sort(row.beside.begin(), row.beside.end(), by_start);
      row.memory = std::move(memory[static_cast<std::size_t>(row.device.value)]);
    }
    name_undrawn();
    picture_.looks.assign(looks_.begin(), looks_.end());
    return std::move(picture_);
  }

 private:
  static constexpr std::size_t kNoRow = ~std::size_t{0};

  PictureRow* row(Device device) {
    const std::size_t index = row_of_device_[static_cast<std::size_t>(device.value)];
    return index == kNoRow ? nullptr : &picture_.rows[index];
  }

  bool overlaps(Ticks start, Ticks end) const {
    return start < end && start < picture_.to && end > picture_.from;
  }

  void add(TaskId task) {
    const Span& span = timeline_.spans[task];
    if (!overlaps(span.start, span.end) || takes_no_time(span.op.kind)) return;
    const Device device = graph_.device(task);
    const bool blocks_both =
        is_send(span.op.kind) && problem_.communication.mode == TransferMode::rendezvous;
    if (blocks_both) {
      const Stage stage = receiving_stage(span.op);
      add_block(problem_.device(stage, span.op.microbatch), stage, &PictureRow::blocks, task);
    }
    const bool is_beside =
        (is_send(span.op.kind) && !blocks_both) ||
        (span.op.kind == OpKind::grad_sync && problem_.iterations.overlap_grad_sync);
    add_block(device, span.op.stage, is_beside ? &PictureRow::beside : &PictureRow::blocks, task);
  }

  static Stage receiving_stage(const Op& send) {
    return Stage{send.stage.value + (send.kind == OpKind::send_forward ? 1 : -1)};
  }

  void add_block(Device device, Stage stage, std::vector<Block> PictureRow::*list, TaskId task) {
    PictureRow* const shown = row(device);
    if (!shown) return;
    const Span& span = timeline_.spans[task];
    looks_.insert(look(span.op.kind));
    if (span.overlapped) looks_.insert(look(span.overlapped->kind));
    (shown->*list)
        .push_back({.task = task,
                    .released_by = span.released_by,
                    .step = {.op = span.op, .overlapped = span.overlapped},
                    .chunk = chunk(device, stage),
                    .shade = shade(device, stage, span.op.microbatch),
                    .overlapped_shade = span.overlapped ? shade(device, span.overlapped->stage,
                                                                span.overlapped->microbatch)
                                                        : 0,
                    .is_critical = std::binary_search(critical_.begin(), critical_.end(), task),
                    .start = span.start,
                    .end = span.end});
  }

  std::int32_t chunk(Device device, Stage stage) const {
    const std::vector<Stage>& stages = stages_[static_cast<std::size_t>(device.value)];
    const auto found = std::lower_bound(stages.begin(), stages.end(), stage);
    return static_cast<std::int32_t>(std::distance(stages.begin(), found));
  }

  std::int32_t shade(Device device, Stage stage, Microbatch microbatch) const {
    return picture_.flows > 1 ? problem_.flow(microbatch).value : chunk(device, stage);
  }

  void add_idle() {
    std::vector<std::vector<IdlePart>> idle = idle_parts(graph_, timeline_);
    for (PictureRow& shown : picture_.rows) {
      std::vector<IdlePart>& parts = idle[static_cast<std::size_t>(shown.device.value)];
      std::erase_if(parts,
                    [this](const IdlePart& part) { return !overlaps(part.begin, part.end); });
      Ticks idle_time;
      for (const IdlePart& part : parts) {
        idle_time += std::min(part.end, picture_.to) - std::max(part.begin, picture_.from);
      }
      shown.idle_share = {idle_time.count,
                          std::max<std::int64_t>(1, (picture_.to - picture_.from).count)};
      shown.idle = std::move(parts);
    }
  }

  void name_undrawn() {
    std::vector<bool> is_drawn(graph_.size());
    for (const PictureRow& shown : picture_.rows) {
      for (const Block& block : shown.blocks) is_drawn[block.task] = true;
      for (const Block& block : shown.beside) is_drawn[block.task] = true;
    }
    const auto name = [&](TaskId task) {
      if (task != kNoTask && !is_drawn[task]) picture_.undrawn.emplace(task, graph_.step(task));
    };
    for (const PictureRow& shown : picture_.rows) {
      for (const Block& block : shown.blocks) name(block.released_by);
      for (const Block& block : shown.beside) name(block.released_by);
      for (const IdlePart& part : shown.idle) {
        name(part.next);
        name(part.released_by);
      }
    }
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  const Problem& problem_;
  std::vector<std::vector<Stage>> stages_;  // by device
  std::vector<TaskId> critical_;            // ascending
  std::vector<std::size_t> row_of_device_;
  std::set<Look> looks_;
  Picture picture_;
};

/// Throws it, if there is one, as a fault of that option.
void require_none(std::optional<Fault> fault, const std::string& option) {
  if (!fault) return;
  fault->place = "command line: " + option;
  throw Error(*std::move(fault));
}

}  // namespace

Look look(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return Look::forward;
    case OpKind::backward:
      return Look::backward;
    case OpKind::backward_input:
      return Look::backward_input;
    case OpKind::backward_weight:
      return Look::backward_weight;
    case OpKind::recompute:
      return Look::recompute;
    case OpKind::optimizer:
      return Look::optimizer;
    default:
      PIPESIM_CHECK(!takes_no_time(kind));
      return Look::communication;
  }
}

char letter(Look look) {
  constexpr std::string_view kLetters = "FBIWRCO";
  static_assert(kLetters.size() == kLooks);
  return kLetters[static_cast<std::size_t>(look)];
}

std::string_view legend(Look look) {
  switch (look) {
    case Look::forward:
      return "forward";
    case Look::backward:
      return "backward";
    case Look::backward_input:
      return "input gradient";
    case Look::backward_weight:
      return "weight gradient";
    case Look::recompute:
      return "recompute";
    case Look::communication:
      return "communication";
    case Look::optimizer:
      return "optimizer";
  }
  return "";
}

std::int64_t Picture::blocks() const {
  std::size_t count = 0;
  for (const PictureRow& row : rows) count += row.blocks.size() + row.beside.size();
  return static_cast<std::int64_t>(count);
}

Picture make_picture(const TaskGraph& graph, const Timeline& timeline, const Report& report,
                     const PictureView& view) {
  PIPESIM_CHECK(timeline.spans.size() == graph.size());
  return PictureMaker(graph, timeline, report, view).make();
}

void require_view(const PictureView& view, const Problem& problem, Ticks t_total, TimeUnit unit) {
  if (view.from) require_none(begin_fault(*view.from, t_total, unit), "--from");
  if (view.to) require_none(end_fault(*view.to, t_total, unit), "--to");
  const Ticks from = view.from.value_or(Ticks{0});
  if (view.to && *view.to <= from) {
    const std::string to = shown_time(*view.to, unit);
    require_none(Fault{.value = to,
                       .what = fmt::format("{} does not lie behind --from", to),
                       .allowed = fmt::format("more than {}", shown_time(from, unit))},
                 "--to");
  }
  if (!view.devices.empty()) {
    require_none(index_fault(view.devices.back().value, "device", problem.devices), "--devices");
  }
}

std::int64_t expected_blocks(const Problem& problem, const PictureView& view) {
  if (view.from || view.to) return 0;
  const auto all = static_cast<std::size_t>(problem.devices);
  const std::size_t shown = view.devices.empty() ? all : std::min(view.devices.size(), all);
  return static_cast<std::int64_t>(Int128{op_count(problem)} * static_cast<Int128>(shown) /
                                   problem.devices);
}

void require_drawable(std::int64_t blocks, const DrawingLimit& limit) {
  if (blocks <= limit.blocks) return;
  throw Error(Fault{.pointer = limit.pointer,
                    .value = fmt::format("{}", blocks),
                    .what = fmt::format("a picture of {} blocks is too large", blocks),
                    .allowed = fmt::format("at most {}: --from and --to, or --devices, show a part",
                                           limit.blocks)});
}

std::string microbatch_label(const Op& op, std::int32_t slices) {
  if (slices == 1) return fmt::format("{}", op.microbatch.value);
  return fmt::format("{}.{}", op.microbatch.value / slices, op.microbatch.value % slices);
}

}  // namespace pipesim
