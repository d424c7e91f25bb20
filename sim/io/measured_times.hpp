// What repeated measurements of the stages of a pipeline come to, as a config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/io/config_sections.hpp"
#include "sim/units.hpp"

namespace pipesim {

struct MeasuredTimes {
  std::vector<Ticks> t_f;  ///< by stage
  std::vector<Ticks> t_b;
  std::vector<Ticks> t_w;                      ///< empty unless every stage has its own
  std::vector<Ticks> t_r;                      ///< likewise
  std::optional<std::int64_t> microbatches{};  ///< the highest that a measurement names, plus 1
  std::optional<Decimal> cv{};                 ///< none: nothing was measured twice
  std::vector<std::string> notes;
};

/// Every time is the median of its stage's and kind's measurements: the middle one, of an even
/// number the mean of the two in the middle, rounded up to a tick. A backward that was not measured
/// whole is its input gradient's and its weight gradient's together.
///
/// `cv` is the standard deviation of the measurements relative to the mean of their group (a stage
/// and a kind), pooled over the groups g of n_g measurements each:
///     cv^2 = sum over g of sum over i of (x_gi / mean_g - 1)^2  /  sum over g of (n_g - 1),
/// that is, each group's squared coefficient of variation, weighted by its degrees of freedom;
/// rounded to 6 places. Groups whose mean is 0 have no part in it.
///
/// Stages are 0 to the highest that is measured. Throws Error (bad input) at `place` that names the
/// stages of which a forward or a backward is missing.
MeasuredTimes measured_times(const std::vector<CostRow>& rows, const std::string& place);

/// A config that holds the times by stage in `unit`, and the spread as jitter. A JSON object, a
/// line a key; `schedule` is the JSON of that key.
std::string config_json(const MeasuredTimes& times, std::int64_t p, std::int64_t m,
                        const std::string& schedule, TimeUnit unit);

}  // namespace pipesim
