// Readers that get any bytes at all: each must take them or refuse them with an Error.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace pipesim::fuzz {

/// Aborts where a property of the reader does not hold. Corpora stand in corpus/NAME.
struct Target {
  std::string_view name;
  void (*run)(const std::string& bytes);
};

void read_config(const std::string& bytes);
void apply_overrides(const std::string& bytes);
void read_pytorch_csv(const std::string& bytes);
void read_layout(const std::string& bytes);
void read_sweep(const std::string& bytes);

inline constexpr std::array kTargets = std::to_array<Target>({{"config", read_config},
                                                              {"override", apply_overrides},
                                                              {"pytorch_csv", read_pytorch_csv},
                                                              {"layout", read_layout},
                                                              {"sweep", read_sweep}});

}  // namespace pipesim::fuzz
