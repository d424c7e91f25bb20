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
}

LoadedConfig SweepPointReader::read(const std::vector<SweepValue>& values) {
  if (!tree_ || uses_ == kMostUses) {
    tree_ = std::make_shared<JsonTree>(sweep_.tree_);
    uses_ = 0;
  }
  ++uses_;
  std::vector<Override> overrides;
  overrides.reserve(values.size());
  for (const std::size_t axis : order_) {
    overrides.push_back({.option = values[axis].axis->option,
                         .path = values[axis].axis->path,
                         .value = values[axis].text});
  }
  JsonFaults faults;
  apply_overrides(*tree_, sweep_.root_, overrides, faults);
  return load_config(tree_, sweep_.root_, schedules_, faults);
}

}  // namespace pipesim
