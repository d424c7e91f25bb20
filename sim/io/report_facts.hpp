// What tables for terminals and pages both say of results.
#pragma once

#include <string>
#include <vector>

#include "sim/io/report.hpp"

namespace pipesim {

/// A name, its value and what it means.
struct Fact {
  std::string name;
  std::string value;
  std::string meaning;
};

/// What the ops cost, and the memory limit: "  t_f=2 ms  t_b=4 ms", two spaces before each.
std::string costs_of(const Report& report);

/// "200 trials with jitter, seed 0: mean 70.1 ms, median ..."; "" of a run without trials.
std::string trials_text(const Report& report);

/// What a report begins with: T_total, T_ideal, the bubble under each definition and so on.
std::vector<Fact> report_facts(const Report& report);

/// The idle time of all devices by cause: "fill 12 ms, drain 24 ms", or "none".
std::string idle_text(const Report& report);

/// The values of a comparison, without the schedules' names.
struct ComparisonCells {
  struct Cell {
    std::string text;
    bool is_best = false;  ///< of its column, among the runs that keep the memory limit
  };
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;  ///< as compared; empty where there is no report
  std::string units;                    ///< "peak memory in bytes, sent in bytes between devices"
};
ComparisonCells comparison_cells(const std::vector<ComparedSchedule>& compared);

/// "ok", "over_limit" or "invalid".
std::string status(const ComparedSchedule& compared);

/// What the schedule chose itself, and why it cannot run or breaks the limit.
std::vector<std::string> notes(const ComparedSchedule& compared);

}  // namespace pipesim
