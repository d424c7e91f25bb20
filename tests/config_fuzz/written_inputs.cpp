#include "tests/config_fuzz/written_inputs.hpp"

#include <fmt/format.h>

#include <fstream>

#include "schedules/schedule.hpp"

namespace pipesim::test {

void write_inputs(const DrawnConfig& config) {
  for (const auto& [path, contents] : config.files) {
    std::ofstream(path, std::ios::binary) << contents;
  }
}

LoadedConfig read_written(const DrawnConfig& config) {
  static const std::vector<ScheduleSignature> kKnown = signatures(builtin_schedules());
  write_inputs(config);
  return read_config(ConfigText{.name = "drawn.json", .text = config.document.dump()}, {}, kKnown);
}

std::string text_of(const DrawnConfig& config) {
  std::string text = config.document.dump();
  for (const auto& [path, contents] : config.files) {
    text += fmt::format("\n--- {}\n{}", path, contents);
  }
  return text;
}

}  // namespace pipesim::test
