#include "sim/io/kineto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

// In the order of RangeCategory.
constexpr std::array<std::string_view, 3> kCategories = {"gpu_user_annotation", "user_annotation",
                                                         "cpu_op"};

/// How many other names a message shows.
constexpr std::size_t kMostNames = 5;

struct NamedOp {
  OpKind kind = OpKind::forward;
  RangePlace place;
};

std::optional<NamedOp> op_of(std::string_view name, std::span<const OpRanges> ranges) {
  for (const OpRanges& range : ranges) {
    for (const RangePattern& pattern : range.patterns) {
      if (const auto place = pattern.match(name)) return NamedOp{range.kind, *place};
    }
  }
  return std::nullopt;
}

class TraceReader {
 public:
  using Id = JsonTree::Id;

  TraceReader(const ConfigText& file, std::span<const OpRanges> ranges)
      : file_(file), ranges_(ranges) {}

  void read() {
    // The args of a kernel may have a key twice; that is no concern of ours.
    JsonFaults of_syntax;
    const Id root = tree_.parse({.name = file_.name, .text = file_.text}, of_syntax);
    const std::optional<Id> events = find_events(root);
    if (events) {
      for (const Id event : tree_.children(*events)) read_event(event);
    }
    faults_.throw_if_any();
  }

  /// By category.
  std::array<std::vector<CostRow>, kCategories.size()> rows;
  /// The first names that are no op's, of the categories that may have them.
  std::vector<std::string> other_names;

 private:
  void report(Id id, std::string pointer, std::string what, std::string allowed) {
    faults_.add(tree_, tree_.position(id),
                {.pointer = std::move(pointer),
                 .value = tree_.excerpt(id),
                 .what = std::move(what),
                 .allowed = std::move(allowed)});
  }

  std::optional<Id> find_events(Id root) {
    std::optional<Id> events = root;
    if (tree_.kind(root) == JsonKind::object) {
      events = tree_.find(root, "traceEvents");
      if (const auto info = tree_.find(root, "distributedInfo")) read_rank(*info);
    }
    if (events && tree_.kind(*events) == JsonKind::array) return events;
    report(events.value_or(root), "/traceEvents", "no array of events",
           "a trace of the PyTorch profiler");
    return std::nullopt;
  }

  void read_rank(Id info) {
    const auto rank = tree_.find(info, "rank");
    if (rank) rank_ = parse_index(tree_.raw(*rank));
  }

  std::string text_of(Id event, std::string_view key) const {
    const auto value = tree_.find(event, key);
    return value && tree_.kind(*value) == JsonKind::string ? tree_.string(*value) : "";
  }

  void read_event(Id event) {
    const std::string pointer = fmt::format("/traceEvents/{}", event_++);
    if (tree_.kind(event) != JsonKind::object) {
      return report(event, pointer, tree_.described(event), "an event, which is an object");
    }
    if (text_of(event, "ph") != "X") return;
    const auto category = range_category(text_of(event, "cat"));
    if (!category) return;
    const std::string name = text_of(event, "name");
    const auto op = op_of(name, ranges_);
    if (!op) return add_other_name(*category, name);
    const auto stage = op->place.stage ? op->place.stage : stage_of_rank(event, pointer);
    const auto time = duration(event, pointer);
    if (!stage || !time) return;
    rows[static_cast<std::size_t>(*category)].push_back(
        {.stage = *stage, .kind = op->kind, .microbatch = op->place.microbatch, .time = *time});
  }

  void add_other_name(RangeCategory category, const std::string& name) {
    if (category == RangeCategory::cpu_op || other_names.size() > kMostNames) return;
    if (std::find(other_names.begin(), other_names.end(), name) == other_names.end()) {
      other_names.push_back(name);
    }
  }

  std::optional<Stage> stage_of_rank(Id event, const std::string& pointer) {
    if (rank_) return Stage{*rank_};
    const auto pid = tree_.find(event, "pid");
    const auto rank = pid ? parse_index(tree_.raw(*pid)) : std::nullopt;
    if (rank) return Stage{*rank};
    report(pid.value_or(event), pointer + "/pid", "no rank for a range without a stage in its name",
           "distributedInfo.rank, or a rank as pid");
    return std::nullopt;
  }

  std::optional<Ticks> duration(Id event, const std::string& pointer) {
    constexpr std::string_view kAllowed = "microseconds, at least 0";
    const auto value = tree_.find(event, "dur");
    if (value && tree_.kind(*value) == JsonKind::number) {
      const ParsedTime time = parse_time(tree_.raw(*value), TimeUnit::us);
      if (time.ticks) return time.ticks;
    }
    report(value.value_or(event), pointer + "/dur",
           value ? tree_.excerpt(*value) + " is no duration" : "a range without a duration",
           std::string(kAllowed));
    return std::nullopt;
  }

  const ConfigText& file_;
  std::span<const OpRanges> ranges_;
  JsonTree tree_;
  JsonFaults faults_;
  std::optional<std::int32_t> rank_;
  std::size_t event_ = 0;
};

std::string quoted_list(std::vector<std::string> names) {
  const bool has_more = names.size() > kMostNames;
  if (has_more) names.resize(kMostNames);
  return fmt::format("\"{}\"{}", fmt::join(names, "\", \""), has_more ? ", ..." : "");
}

[[noreturn]] void throw_no_ranges(const std::string& place, std::span<const OpRanges> ranges,
                                  std::optional<RangeCategory> category,
                                  const std::vector<std::string>& other_names) {
  std::vector<std::string> wanted;
  for (const OpRanges& range : ranges) {
    const bool must_be = range.kind == OpKind::forward || range.kind == OpKind::backward;
    if (!must_be) continue;
    for (const RangePattern& pattern : range.patterns) wanted.push_back(pattern.text());
  }
  throw Error(Fault{.place = place,
                    .what = fmt::format(
                        "no {} has the name of an op{}", category ? name(*category) : "annotation",
                        other_names.empty() ? "" : "; there are " + quoted_list(other_names)),
                    .allowed = fmt::format("\"{}\"", fmt::join(wanted, "\", \""))});
}

}  // namespace

std::string_view name(RangeCategory category) {
  return kCategories[static_cast<std::size_t>(category)];
}

std::optional<RangeCategory> range_category(std::string_view name) {
  const auto* const found = std::find(kCategories.begin(), kCategories.end(), name);
  if (found == kCategories.end()) return std::nullopt;
  return static_cast<RangeCategory>(found - kCategories.begin());
}

std::vector<OpRanges> default_ranges() {
  const auto named = [](OpKind kind, const std::string& words, const std::string& letter) {
    return OpRanges{.kind = kind,
                    .patterns = {RangePattern(words + " stage {stage}"),
                                 RangePattern(words + " stage {stage} microbatch {microbatch}"),
                                 RangePattern("PP:{stage}" + letter + "{microbatch}")}};
  };
  return {named(OpKind::forward, "forward", "F"), named(OpKind::backward, "backward", "B"),
          named(OpKind::backward_input, "input gradient", "I"),
          named(OpKind::backward_weight, "weight gradient", "W")};
}

KinetoTimes read_kineto(std::span<const ConfigText> files, std::span<const OpRanges> ranges,
                        std::optional<RangeCategory> category) {
  std::array<std::vector<CostRow>, kCategories.size()> rows;
  std::vector<std::string> other_names;
  for (const ConfigText& file : files) {
    TraceReader reader(file, ranges);
    reader.read();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].insert(rows[i].end(), reader.rows[i].begin(), reader.rows[i].end());
    }
    if (other_names.empty()) other_names = std::move(reader.other_names);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto candidate = static_cast<RangeCategory>(i);
    if (rows[i].empty() || (category && candidate != *category)) continue;
    return {.rows = std::move(rows[i]), .category = candidate};
  }
  const bool is_one = files.size() == 1;
  throw_no_ranges(is_one ? files.front().name : fmt::format("{} traces", files.size()), ranges,
                  category, other_names);
}

}  // namespace pipesim
