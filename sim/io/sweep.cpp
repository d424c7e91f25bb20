#include "sim/io/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/io/config_overrides.hpp"
#include "sim/io/config_reader.hpp"
#include "sim/io/config_values.hpp"
#include "sim/io/json_text.hpp"

namespace pipesim {

namespace {

constexpr std::string_view kAxisAllowed = "PATH=VALUES, such as m=4:256:x2";
constexpr std::string_view kSectionAllowed =
    "an array of values, or a text such as \"4:256:x2\" or \"gpipe,1f1b\"";

/// The first fault of an error, at its place.
Fault at_place(const Error& error, const std::string& place, std::string pointer = "") {
  Fault fault = error.faults().front();
  fault.place = place;
  fault.pointer = std::move(pointer);
  return fault;
}

std::string command_line(std::string_view option) {
  return fmt::format("command line: {}", option);
}

bool is_section(std::string_view path, std::string_view section) {
  return path.starts_with(section) &&
         (path.size() == section.size() || path[section.size()] == '.');
}

/// Why a sweep may not vary the path; "" if it may.
std::string_view why_fixed(std::string_view path) {
  if (path.empty() || path.starts_with('.') || path.ends_with('.') ||
      path.find("..") != std::string_view::npos) {
    return "has an empty name";
  }
  if (is_section(path, "output") || is_section(path, "sweep")) return "is not simulated";
  return "";
}

Fault fixed_fault(std::string_view path, std::string_view why) {
  return {.value = std::string(path),
          .what = fmt::format("the path \"{}\" {}", path, why),
          .allowed = "a key of the run, such as m or memory.limit"};
}

}  // namespace

std::string SweepValue::json() const { return is_json(text) ? text : json_string(text); }

std::string SweepValue::plain() const {
  if (!text.starts_with('"') || !is_json(text)) return text;
  JsonTree tree;
  JsonFaults faults;
  return tree.string(tree.parse({.text = text}, faults));
}

std::string SweepValue::named() const {
  if (!text.starts_with('{') || !is_json(text)) return plain();
  JsonTree tree;
  JsonFaults faults;
  const auto name = tree.find(tree.parse({.text = text}, faults), "name");
  return name && tree.kind(*name) == JsonKind::string ? tree.string(*name) : text;
}

Sweep::Sweep(const std::optional<ConfigText>& file, std::span<const Override> overrides,
             const SweepOptions& options) {
  JsonFaults faults;
  root_ = read_document(tree_, file, faults);
  normalise_schedule(tree_, root_);
  apply_overrides(tree_, root_, overrides, faults);
  faults.throw_if_any();
  read_section();
  std::vector<Fault> given;
  for (const AxisOption& option : options.axes) add_option(option, given);
  for (const Override& fixed : overrides) {
    for (const SweepAxis& axis : axes_) {
      if (!is_section(fixed.path, axis.path)) continue;
      given.push_back({.place = command_line(fixed.option),
                       .value = fixed.value,
                       .what = fmt::format("{} varies, so that no point has this value", axis.path),
                       .allowed = "one of the two"});
    }
  }
  if (given.empty() && axes_.empty()) {
    given.push_back({.place = "command line",
                     .what = "nothing varies",
                     .allowed = "--vary PATH=VALUES, such as --vary m=4:256:x2, or a section "
                                "\"sweep\" in the config"});
  }
  if (given.empty()) arrange(given);
  if (!given.empty()) throw Error(std::move(given));
  for (const std::string& text : options.conditions) {
    add_condition(text, command_line("--where"), "");
  }
  bind_conditions();
}

void Sweep::read_section() {
  const auto found = tree_.find(root_, "sweep");
  if (!found) return;
  JsonFaults faults;
  ConfigValues values(tree_, faults);
  const auto section = values.object({*found, "/sweep"}, sweep_keys());
  if (section) {
    for (const char* const key : {"vary", "zip"}) {
      const auto axes = values.find(*section, key);
      if (!axes) continue;
      if (tree_.kind(axes->id) != JsonKind::object) {
        values.add_fault(*axes, tree_.described(axes->id), "an object of paths and values");
        continue;
      }
      for (const JsonTree::Id member : tree_.children(axes->id)) {
        const std::string path(tree_.key(member));
        add_axis({.path = path,
                  .option = fmt::format("sweep.{}.{}", key, path),
                  .text = tree_.kind(member) == JsonKind::string ? tree_.string(member)
                                                                 : canonical_json(tree_, member),
                  .is_list = tree_.kind(member) != JsonKind::string,
                  .is_zipped = std::string_view(key) == "zip"},
                 faults, member);
      }
    }
  }
  const auto where = section ? values.find(*section, "where") : std::nullopt;
  const auto condition =
      where ? values.text(*where, "a condition such as \"m >= p\"") : std::nullopt;
  faults.throw_if_any();
  if (condition) {
    const std::string place = tree_.placed({}, tree_.position(where->id)).place;
    add_condition(*condition, place, "/sweep/where");
  }
  tree_.remove_member(root_, "sweep");
}

// Of the config's section.
void Sweep::add_axis(SweepAxis axis, JsonFaults& faults, JsonTree::Id at) {
  const std::string pointer =
      child_pointer(axis.is_zipped ? "/sweep/zip" : "/sweep/vary", axis.path);
  const auto add_fault = [&](Fault fault) {
    fault.pointer = pointer;
    faults.add(tree_, tree_.position(at), std::move(fault));
  };
  if (const std::string_view why = why_fixed(axis.path); !why.empty()) {
    return add_fault(fixed_fault(axis.path, why));
  }
  const JsonKind kind = tree_.kind(at);
  if (kind != JsonKind::array && kind != JsonKind::string) {
    return add_fault({.value = tree_.excerpt(at),
                      .what = tree_.described(at),
                      .allowed = std::string(kSectionAllowed)});
  }
  try {
    if (kind == JsonKind::string) {
      axis.values = SweepValues::parse(axis.text);
    } else {
      std::vector<std::string> listed;
      for (const JsonTree::Id element : tree_.children(at)) {
        listed.push_back(canonical_json(tree_, element));
      }
      axis.values = SweepValues::list(std::move(listed));
    }
  } catch (const Error& error) {
    return add_fault(error.faults().front());
  }
  const bool is_new = std::none_of(axes_.begin(), axes_.end(),
                                   [&](const SweepAxis& other) { return other.path == axis.path; });
  if (!is_new) return add_fault({.what = axis.path + " varies twice", .allowed = "one of the two"});
  axes_.push_back(std::move(axis));
}

// Of the command line.
void Sweep::add_option(const AxisOption& option, std::vector<Fault>& faults) {
  const std::string_view name = option.is_zipped ? "--zip" : "--vary";
  const std::size_t equals = option.text.find('=');
  if (equals == std::string::npos || equals == 0) {
    faults.push_back({.place = command_line(name),
                      .value = option.text,
                      .what = fmt::format("\"{}\" is not PATH=VALUES", option.text),
                      .allowed = std::string(kAxisAllowed)});
    return;
  }
  SweepAxis axis = {.path = option.text.substr(0, equals),
                    .option = fmt::format("{} {}", name, option.text.substr(0, equals)),
                    .text = option.text.substr(equals + 1),
                    .is_zipped = option.is_zipped};
  const std::string place = command_line(axis.option);
  if (const std::string_view why = why_fixed(axis.path); !why.empty()) {
    faults.push_back(fixed_fault(axis.path, why));
    faults.back().place = place;
    return;
  }
  try {
    axis.values = SweepValues::parse(axis.text);
  } catch (const Error& error) {
    faults.push_back(at_place(error, place));
    return;
  }
  const auto found = std::find_if(axes_.begin(), axes_.end(),
                                  [&](const SweepAxis& other) { return other.path == axis.path; });
  if (found == axes_.end()) {
    axes_.push_back(std::move(axis));
  } else if (found->option.starts_with('-')) {
    faults.push_back({.place = place,
                      .value = axis.text,
                      .what = axis.path + " varies twice",
                      .allowed = "each path once"});
  } else {
    *found = std::move(axis);
  }
}

void Sweep::arrange(std::vector<Fault>& faults) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::size_t zipped = kNone;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const SweepAxis& axis = axes_[i];
    if (!axis.is_zipped || zipped == kNone) {
      if (axis.is_zipped) zipped = digits_.size();
      digits_.push_back({.axes = {i}, .size = axis.values.size()});
      continue;
    }
    Digit& digit = digits_[zipped];
    if (digit.size != axis.values.size()) {
      const SweepAxis& first = axes_[digit.axes.front()];
      faults.push_back({.place = command_line(axis.option),
                        .value = axis.text,
                        .what = fmt::format("{} has {} values beside {} of {}", axis.path,
                                            axis.values.size(), digit.size, first.path),
                        .allowed = "as many values for each path that is zipped"});
    }
    digit.axes.push_back(i);
  }
  size_ = 1;
  for (const Digit& digit : digits_) {
    if (!__builtin_mul_overflow(size_, digit.size, &size_)) continue;
    faults.push_back({.place = "command line",
                      .what = "the grid has 2^63 points or more",
                      .allowed = "fewer points"});
    return;
  }
}

void Sweep::add_condition(const std::string& text, const std::string& place,
                          const std::string& pointer) {
  try {
    conditions_.push_back(
        {.expression = SweepCondition(text), .place = place, .pointer = pointer, .sources = {}});
  } catch (const Error& error) {
    throw Error(at_place(error, place, pointer));
  }
}

void Sweep::bind_conditions() {
  for (Condition& condition : conditions_) {
    for (const std::string& path : condition.expression.paths()) {
      const auto axis = std::find_if(axes_.begin(), axes_.end(),
                                     [&](const SweepAxis& each) { return each.path == path; });
      const auto index = static_cast<std::size_t>(axis - axes_.begin());
      condition.sources.emplace_back(
          index, axis == axes_.end() ? fixed_value(path, condition) : ConditionValue());
    }
  }
}

ConditionValue Sweep::fixed_value(const std::string& path, const Condition& condition) const {
  for (const SweepAxis& axis : axes_) {
    if (!is_section(path, axis.path) && !is_section(axis.path, path)) continue;
    throw Error(Fault{.place = condition.place,
                      .pointer = condition.pointer,
                      .value = path,
                      .what = fmt::format("{} has no value of its own: {} varies", path, axis.path),
                      .allowed = "the path that varies"});
  }
  std::string pointer;
  for (std::string_view rest = path;; rest.remove_prefix(rest.find('.') + 1)) {
    pointer = child_pointer(pointer, rest.substr(0, rest.find('.')));
    if (rest.find('.') == std::string_view::npos) break;
  }
  JsonTree::Found found = tree_.nearest(root_, pointer);
  if (found.exact && tree_.kind(found.id) == JsonKind::object) {
    if (const auto name = tree_.find(found.id, "name")) found.id = *name;
  }
  const JsonKind kind = tree_.kind(found.id);
  if (!found.exact || kind == JsonKind::object || kind == JsonKind::array) {
    std::vector<std::string> known;
    known.reserve(axes_.size());
    for (const SweepAxis& axis : axes_) known.push_back(axis.path);
    for (const JsonTree::Id member : tree_.children(root_)) known.emplace_back(tree_.key(member));
    throw Error(
        Fault{.place = condition.place,
              .pointer = condition.pointer,
              .value = path,
              .what = fmt::format("{} has no value: it does not vary and the config {}", path,
                                  found.exact ? "has more than one there" : "has none"),
              .allowed = "a path that varies, or a number or text of the config",
              .nearest = nearest_name(path, known)});
  }
  return kind == JsonKind::string ? ConditionValue(tree_.string(found.id))
                                  : condition_value(tree_.raw(found.id));
}

std::vector<SweepValue> Sweep::values(std::int64_t point) const {
  std::vector<SweepValue> result(axes_.size());
  for (auto digit = digits_.rbegin(); digit != digits_.rend(); ++digit) {
    for (const std::size_t axis : digit->axes) {
      result[axis] = {.axis = &axes_[axis], .text = axes_[axis].values[point % digit->size]};
    }
    point /= digit->size;
  }
  return result;
}

bool Sweep::has(const std::vector<SweepValue>& values) const {
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    std::vector<ConditionValue> operands;
    operands.reserve(condition.sources.size());
    for (const auto& [axis, fixed] : condition.sources) {
      operands.push_back(axis < values.size() ? condition_value(values[axis].named()) : fixed);
    }
    try {
      return condition.expression.holds(operands);
    } catch (const Error& error) {
      throw Error(at_place(error, condition.place, condition.pointer));
    }
  });
}

bool Sweep::may_have(std::string_view section) const {
  return tree_.find(root_, section).has_value() ||
         std::any_of(axes_.begin(), axes_.end(),
                     [&](const SweepAxis& axis) { return is_section(axis.path, section); });
}

std::string Sweep::output_json() const {
  const auto output = tree_.find(root_, "output");
  return output ? canonical_json(tree_, *output) : "{}";
}

std::vector<std::string> Sweep::input_files() const {
  std::vector<std::string> files;
  const auto add = [&](const JsonTree& tree, std::optional<JsonTree::Id> name) {
    if (name && tree.kind(*name) == JsonKind::string) files.push_back(tree.string(*name));
  };
  add(tree_, tree_.find(root_, "costs"));
  if (const auto schedule = tree_.find(root_, "schedule")) {
    add(tree_, tree_.find(*schedule, "file"));
  }
  for (const SweepAxis& axis : axes_) {
    if (axis.path != "costs" && !is_section(axis.path, "schedule")) continue;
    for (std::int64_t i = 0; i < axis.values.size(); ++i) {
      const SweepValue value = {.axis = &axis, .text = axis.values[i]};
      if (axis.path == "costs" || axis.path == "schedule.file") files.push_back(value.plain());
      if (axis.path != "schedule" || !value.text.starts_with('{')) continue;
      JsonTree tree;
      JsonFaults doubled;
      const JsonTree::Id root = tree.parse({.text = value.text}, doubled);
      add(tree, tree.find(root, "file"));
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

std::string Sweep::definition() const {
  const auto axes = [&](bool is_zipped) {
    std::string members;
    for (const SweepAxis& axis : axes_) {
      if (axis.is_zipped != is_zipped) continue;
      members += fmt::format("{}{}: {}", members.empty() ? "" : ", ", json_string(axis.path),
                             axis.is_list ? axis.text : json_string(axis.text));
    }
    return members;
  };
  std::string conditions;
  for (const Condition& condition : conditions_) {
    conditions += (conditions.empty() ? "" : ", ") + json_string(condition.expression.text());
  }
  std::string order;
  for (const SweepAxis& axis : axes_) {
    order += (order.empty() ? "" : ", ") + json_string(axis.path);
  }
  return fmt::format(R"("config": {}, "vary": {{{}}}, "zip": {{{}}}, "order": [{}], "where": [{}])",
                     canonical_json(tree_, root_), axes(false), axes(true), order, conditions);
}

}  // namespace pipesim
