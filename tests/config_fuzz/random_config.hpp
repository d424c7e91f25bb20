// Random configs over every section and schedule, most of them valid.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "tests/config_fuzz/drawn_config.hpp"
#include "tests/config_fuzz/quantity_draws.hpp"

namespace pipesim::test {

/// What sections need to know of the schedule.
struct ConfigShape {
  const Schedule* schedule = nullptr;
  Parameters parameters{};
  std::int32_t p = 1;
  std::int32_t m = 1;
  Placement placement{};

  std::int64_t stages() const { return placement.stages(); }
  bool splits() const { return schedule->info.backward != BackwardPass::full; }
  bool flushes() const { return schedule->info.flushes; }
};

/// A config of any schedule. Its input files, if it has any, are in the directory, and what it
/// writes as well.
DrawnConfig random_config(std::mt19937_64& random, const std::string& directory);

/// The parts of it: sizes, the schedule with its parameters, and what takes how long.
ConfigShape draw_shape(QuantityDraws& draws, Json& document);
void draw_costs(QuantityDraws& draws, const ConfigShape& shape, const std::string& directory,
                DrawnConfig& config);
void draw_model(QuantityDraws& draws, const ConfigShape& shape, Json& document);
void draw_p2p(QuantityDraws& draws, const ConfigShape& shape, Json& document);
void draw_memory(QuantityDraws& draws, const ConfigShape& shape, Json& document);
void draw_iterations(QuantityDraws& draws, const ConfigShape& shape, Json& document);
void draw_variation(QuantityDraws& draws, const ConfigShape& shape, Json& document);
void draw_output(QuantityDraws& draws, const ConfigShape& shape, const std::string& directory,
                 Json& document);
void draw_sweep(QuantityDraws& draws, const ConfigShape& shape, Json& document);

/// One value for all, one for each device, or one for each stage.
Json draw_spread(QuantityDraws& draws, const ConfigShape& shape,
                 const std::function<Json(QuantityDraws&)>& value);

/// The config whose schedule is the custom one with the order of the given config's; the config
/// itself if it has no order that can be given.
DrawnConfig with_custom_order(QuantityDraws& draws, const DrawnConfig& config,
                              const std::string& directory);

}  // namespace pipesim::test
