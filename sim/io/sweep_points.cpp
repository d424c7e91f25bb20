#include <algorithm>
#include <numeric>

#include "sim/io/config_overrides.hpp"
#include "sim/io/config_reader.hpp"
#include "sim/io/sweep.hpp"

namespace pipesim {

namespace {

// Every point adds its values to the document, which begins anew when they have become many.
constexpr int kMostUses = 256;

}  // namespace

SweepPointReader::SweepPointReader(const Sweep& sweep, std::span<const ScheduleSignature> schedules)
    : sweep_(sweep), schedules_(schedules), order_(sweep.axes().size()) {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&](std::size_t left, std::size_t right) {
    return sweep.axes()[left].path.size() < sweep.axes()[right].path.size();
  });
  for (const SweepAxis& outer : sweep.axes()) {
    for (const SweepAxis& inner : sweep.axes()) {
      if (inner.path.starts_with(outer.path + ".")) are_apart_ = false;
    }
  }
}

LoadedConfig SweepPointReader::read(const std::vector<SweepValue>& values) {
  if (!tree_ || uses_ == kMostUses) {
    tree_ = std::make_shared<JsonTree>(sweep_.tree_);
    uses_ = 0;
    last_.assign(values.size(), {});
  }
  ++uses_;
  std::vector<Override> overrides;
  for (const std::size_t axis : order_) {
    // The document still has it from the point before.
    if (are_apart_ && last_[axis] == values[axis].text) continue;
    last_[axis] = values[axis].text;
    overrides.push_back({.option = values[axis].axis->option,
                         .path = values[axis].axis->path,
                         .value = values[axis].text});
  }
  JsonFaults faults;
  const std::shared_ptr<JsonTree> tree = tree_;
  apply_overrides(*tree, sweep_.root_, overrides, faults);
  if (!faults.empty()) tree_.reset();  // it does not have the values that were set aside
  return load_config(tree, sweep_.root_, schedules_, faults);
}

}  // namespace pipesim
