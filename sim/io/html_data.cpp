#include "sim/io/html_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/explanation.hpp"
#include "sim/io/json_text.hpp"
#include "sim/io/page_text.hpp"
#include "sim/io/palette.hpp"
#include "sim/io/report_values.hpp"
#include "sim/io/timeline_rows.hpp"

namespace pipesim {

namespace {

/// A JSON array that is written as it grows.
class Column {
 public:
  void add(std::int64_t value) {
    constexpr std::int64_t kMostExact = std::int64_t{1} << 53;
    const bool is_exact = -kMostExact <= value && value <= kMostExact;
    if (!text_.empty()) text_ += ',';
    const std::string_view quote = is_exact ? "" : "\"";
    fmt::format_to(std::back_inserter(text_), "{0}{1}{0}", quote, value);
  }
  void add_json(std::string_view json) {
    if (!text_.empty()) text_ += ',';
    text_ += json;
  }
  std::string text() const { return "[" + text_ + "]"; }

 private:
  std::string text_;
};

/// The same steps in different words: an entry of `ops`.
using OpEntry =
    std::tuple<Op, std::optional<Op>, std::int32_t, std::pair<std::int32_t, std::int32_t>>;

class RunWriter {
 public:
  explicit RunWriter(const DrawnRun& run) : run_(run), picture_(*run.picture) {
    find_ids();
    find_ticks();
  }

  std::string json() {
    Column devices;
    for (const PictureRow& row : picture_.rows) devices.add_json(device(row));
    Column undrawn;
    for (const auto& [task, step] : picture_.undrawn) undrawn.add_json(json_string(token(step)));
    return fmt::format(
        R"({{"title":{},"tTotal":"{}","tick":"{}","slices":{},"chunks":{},"flows":{},"memory":{},)"
        R"("ops":{},"whys":{},"undrawn":{},{},"onFront":{},"peak":{},"peakText":{},)"
        R"("devices":{}}})",
        json_string(picture_.title), picture_.t_total.count, tick_, picture_.slices,
        picture_.chunks, picture_.flows, memory_rules(), ops_.text(), whys_.text(), undrawn.text(),
        all_idle_times(), run_.is_on_front, json_string(format_ratio(highest_peak(*run_.report))),
        json_string(format_amount(picture_.memory, picture_.peak_memory)), devices.text());
  }

 private:
  void find_ids() {
    for (const PictureRow& row : picture_.rows) {
      for (const auto* blocks : {&row.blocks, &row.beside}) {
        for (const Block& block : *blocks) {
          if (block.task >= id_of_task_.size()) id_of_task_.resize(block.task + 1, kNoId);
          std::int64_t& id = id_of_task_[block.task];
          if (id == kNoId) id = ids_;
          ++ids_;
        }
      }
    }
    std::int64_t index = 0;
    for (const auto& [task, step] : picture_.undrawn) undrawn_.emplace(task, index++);
  }

  void find_ticks() {
    const auto take = [this](Ticks time) { tick_ = std::gcd(tick_, time.count); };
    for (const PictureRow& row : picture_.rows) {
      for (const auto* blocks : {&row.blocks, &row.beside}) {
        for (const Block& block : *blocks) {
          take(block.start);
          take(block.end);
        }
      }
      for (const IdlePart& part : row.idle) {
        take(part.begin);
        take(part.end);
      }
      for (const MemoryPoint& point : row.memory) {
        take(point.time);
        memory_tick_ = std::gcd(memory_tick_, point.amount);
      }
    }
    tick_ = std::max<std::int64_t>(tick_, 1);
    memory_tick_ = std::max<std::int64_t>(memory_tick_, 1);
  }

  std::int64_t reference(TaskId task) const {
    if (task == kNoTask) return 0;
    if (const auto undrawn = undrawn_.find(task); undrawn != undrawn_.end()) {
      return 2 * undrawn->second + 1;
    }
    return 2 * (id_of_task_[task] + 1);
  }

  static std::string op_words(const Op& op) {
    return fmt::format(R"("{}",{})", letters(op.kind), op.stage.value);
  }

  std::int64_t op_index(const Block& block) {
    const auto without_microbatch = [](Op op) {
      op.microbatch = Microbatch{0};
      return op;
    };
    const Op first = without_microbatch(block.step.op);
    const std::optional<Op> second = block.step.overlapped
                                         ? std::optional(without_microbatch(*block.step.overlapped))
                                         : std::nullopt;
    const std::pair shades(block.shade, block.overlapped_shade);
    const auto [entry, is_new] =
        op_indices_.emplace(OpEntry{first, second, block.chunk, shades}, op_indices_.size());
    if (is_new) {
      const bool has_microbatch = is_ordered(first.kind) || is_send(first.kind);
      std::string words =
          fmt::format("[{},{},{},{},{}", op_words(first), block.chunk,
                      static_cast<int>(look(first.kind)), block.shade, has_microbatch ? 1 : 0);
      if (second) {
        words += fmt::format(",{},{},{}", op_words(*second), static_cast<int>(look(second->kind)),
                             block.overlapped_shade);
      }
      ops_.add_json(words + "]");
    }
    return static_cast<std::int64_t>(entry->second);
  }

  std::string lane(const std::vector<Block>& blocks) {
    Column gap, length, op, microbatch, second, by, critical;
    Ticks end;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const Block& block = blocks[i];
      gap.add((block.start - end).count / tick_);
      length.add((block.end - block.start).count / tick_);
      end = block.end;
      op.add(op_index(block));
      microbatch.add(block.step.op.microbatch.value);
      if (block.step.overlapped) second.add(block.step.overlapped->microbatch.value);
      by.add(reference(block.released_by));
      if (block.is_critical) critical.add(static_cast<std::int64_t>(i));
    }
    return fmt::format(
        R"({{"gap":{},"length":{},"op":{},"microbatch":{},"second":{},"by":{},"critical":{}}})",
        gap.text(), length.text(), op.text(), microbatch.text(), second.text(), by.text(),
        critical.text());
  }

  std::int64_t why(const IdlePart& part) {
    const auto [entry, is_new] = why_indices_.emplace(
        std::pair(part.cause, part.on.value_or(Device{-1})), why_indices_.size());
    if (is_new) {
      whys_.add_json(
          fmt::format("[{},{}]", static_cast<int>(part.cause), json_string(idle_reason(part))));
    }
    return static_cast<std::int64_t>(entry->second);
  }

  std::string idle(const std::vector<IdlePart>& parts) {
    Column gap, length, why_of, next, by;
    Ticks end;
    for (const IdlePart& part : parts) {
      gap.add((part.begin - end).count / tick_);
      length.add((part.end - part.begin).count / tick_);
      end = part.end;
      why_of.add(why(part));
      next.add(reference(part.next));
      by.add(reference(part.released_by));
    }
    return fmt::format(R"({{"gap":{},"length":{},"why":{},"next":{},"by":{}}})", gap.text(),
                       length.text(), why_of.text(), next.text(), by.text());
  }

  /// Of the picture's part, the last of an instant, and none that changes nothing.
  std::vector<MemoryPoint> memory_steps(const std::vector<MemoryPoint>& points) const {
    std::vector<MemoryPoint> steps;
    for (const MemoryPoint& point : points) {
      if (point.time >= picture_.to) break;
      const bool replaces =
          !steps.empty() && (steps.back().time == point.time || point.time <= picture_.from);
      if (replaces) steps.pop_back();
      if (steps.empty() || steps.back().amount != point.amount) steps.push_back(point);
    }
    return steps;
  }

  std::string memory(const PictureRow& row) const {
    Column gap, change;
    MemoryPoint before{};
    std::int64_t peak = 0;
    for (const MemoryPoint& step : memory_steps(row.memory)) {
      gap.add((step.time - before.time).count / tick_);
      change.add((step.amount - before.amount) / memory_tick_);
      before = step;
    }
    for (const MemoryPoint& point : row.memory) peak = std::max(peak, point.amount);
    return fmt::format(R"({{"gap":{},"change":{},"peak":{}}})", gap.text(), change.text(),
                       json_string(format_amount(picture_.memory, peak)));
  }

  std::string device(const PictureRow& row) {
    // Each numbers the ops that it meets first; the order of arguments is the compiler's.
    const std::string blocks = lane(row.blocks);
    const std::string beside = lane(row.beside);
    return fmt::format(R"({{"device":{},"blocks":{},"beside":{},"idle":{},"memory":{}}})",
                       row.device.value, blocks, beside, idle(row.idle), memory(row));
  }

  std::string memory_rules() const {
    const Memory& memory = picture_.memory;
    return fmt::format(R"({{"unit":"{}","perUnit":"{}","tick":"{}","limit":{},"limitText":{}}})",
                       memory.in_bytes ? "bytes" : "microbatches",
                       memory.in_bytes ? 1 : memory.units_per_microbatch, memory_tick_,
                       memory.limit ? fmt::format("\"{}\"", *memory.limit) : "null",
                       memory.limit ? json_string(format_amount(memory, *memory.limit)) : "null");
  }

  std::string idle_times(const IdleTimes& times) const {
    Column causes;
    for (const Int128 time : times) {
      causes.add_json(json_string(exact_time(time, picture_.time_unit)));
    }
    return causes.text();
  }

  /// By device, and then all of them together.
  std::string all_idle_times() const {
    Column devices;
    IdleTimes sum{};
    for (const IdleTimes& times : run_.report->idle) {
      devices.add_json(idle_times(times));
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += times[i];
    }
    return fmt::format(R"("idle":{},"idleSum":{})", devices.text(), idle_times(sum));
  }

  static constexpr std::int64_t kNoId = -1;

  const DrawnRun& run_;
  const Picture& picture_;
  std::int64_t ids_ = 0;
  std::vector<std::int64_t> id_of_task_;
  std::map<TaskId, std::int64_t> undrawn_;
  std::int64_t tick_ = 0;
  std::int64_t memory_tick_ = 0;
  std::map<OpEntry, std::size_t> op_indices_;
  Column ops_;
  std::map<std::pair<IdleCause, Device>, std::size_t> why_indices_;
  Column whys_;
};

std::string ground_json(Ground ground, std::int32_t shades) {
  Column looks;
  Column texts;
  for (int i = 0; i < kLooks; ++i) {
    Column fills;
    for (std::int32_t shade = 0; shade < shades; ++shade) {
      fills.add_json(json_string(css(paint(static_cast<Look>(i), shade, shades, ground).fill)));
    }
    looks.add_json(fills.text());
    texts.add_json(json_string(css(paint(static_cast<Look>(i), 0, shades, ground).text)));
  }
  Column idle;
  for (int i = 0; i < kIdleCauses; ++i) {
    idle.add_json(json_string(css(idle_colour(static_cast<IdleCause>(i), ground))));
  }
  const Scenery& scene = scenery(ground);
  return fmt::format(
      R"({{"looks":{},"texts":{},"idle":{},"ground":"{}","ink":"{}","faint":"{}","rule":"{}",)"
      R"("critical":"{}","memory":"{}","limit":"{}"}})",
      looks.text(), texts.text(), idle.text(), css(scene.ground), css(scene.ink), css(scene.faint),
      css(scene.rule), css(scene.critical), css(scene.memory), css(scene.limit));
}

int digits(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::s:
      return 12;
    case TimeUnit::ms:
      return 9;
    case TimeUnit::us:
      return 6;
    case TimeUnit::ns:
      return 3;
    case TimeUnit::ps:
      return 0;
  }
  return 0;
}

}  // namespace

std::string page_data(std::span<const DrawnRun> runs, const PageState& state) {
  PIPESIM_CHECK(!runs.empty());
  Ticks from = runs.front().picture->from;
  Ticks to;
  std::int32_t most_shades = 1;
  Column written;
  for (const DrawnRun& run : runs) {
    from = std::min(from, run.picture->from);
    to = std::max(to, run.picture->to);
    most_shades = std::max(most_shades, run.picture->shades);
    written.add_json(RunWriter(run).json());
  }
  Column causes;
  for (int i = 0; i < kIdleCauses; ++i) {
    causes.add_json(json_string(name(static_cast<IdleCause>(i))));
  }
  Column looks;
  for (int i = 0; i < kLooks; ++i) looks.add_json(json_string(legend(static_cast<Look>(i))));
  const TimeUnit unit = runs.front().picture->time_unit;
  return script_json(fmt::format(
      R"({{"unit":"{}","unitDigits":{},"from":"{}","to":"{}","critical":{},"memory":{},)"
      R"("causes":{},"looks":{},"palette":{{"light":{},"dark":{}}},"runs":{}}})",
      name(unit), digits(unit), from.count, to.count, state.critical, state.memory, causes.text(),
      looks.text(), ground_json(Ground::light, most_shades), ground_json(Ground::dark, most_shades),
      written.text()));
}

}  // namespace pipesim
