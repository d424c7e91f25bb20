// What a comparison says beside the results of its rows.
#include <algorithm>
#include <tuple>

#include "sim/io/config_problem.hpp"
#include "sim/io/report.hpp"

namespace pipesim {

namespace {

bool counts(const ComparedSchedule& row) { return row.report && !row.report->over_limit; }

Ratio time(const Report& report) { return {report.metrics.t_total.count, 1}; }

/// Whether the first is at least as good in both and better in one.
bool dominates(const Report& left, const Report& right) {
  const bool no_worse = time(left) <= time(right) && highest_peak(left) <= highest_peak(right);
  return no_worse && (time(left) < time(right) || highest_peak(left) < highest_peak(right));
}

}  // namespace

Ratio highest_peak(const Report& report) {
  const std::int64_t peak = *std::max_element(report.peak_memory.begin(), report.peak_memory.end());
  return report.memory.in_bytes ? Ratio{peak, 1} : microbatches(report.memory, peak);
}

bool sends_bytes(const Report& report) { return message_bytes(report.config) > 0; }

Ratio sent(const Report& report) {
  const Traffic& traffic = report.traffic;
  const std::int64_t slices = report.problem.slices;
  if (!sends_bytes(report)) return {traffic.messages + traffic.copies * slices, slices};
  const Int128 bytes =
      Int128{traffic.messages} * share_of_slice(message_bytes(report.config), slices);
  return {bytes + (report.memory.in_bytes ? traffic.copied : 0), 1};
}

std::vector<bool> pareto_front(const std::vector<ComparedSchedule>& compared) {
  std::vector<bool> front;
  front.reserve(compared.size());
  for (const ComparedSchedule& row : compared) {
    front.push_back(counts(row) &&
                    std::none_of(compared.begin(), compared.end(), [&](const auto& other) {
                      return counts(other) && dominates(*other.report, *row.report);
                    }));
  }
  return front;
}

void sort_by_time(std::vector<ComparedSchedule>& compared) {
  const auto group = [](const ComparedSchedule& row) {
    return !row.report ? 2 : counts(row) ? 0 : 1;
  };
  std::stable_sort(compared.begin(), compared.end(),
                   [&](const ComparedSchedule& left, const ComparedSchedule& right) {
                     if (group(left) != group(right)) return group(left) < group(right);
                     if (!left.report || !right.report) return false;
                     if (time(*left.report) != time(*right.report)) {
                       return time(*left.report) < time(*right.report);
                     }
                     return highest_peak(*left.report) < highest_peak(*right.report);
                   });
}

}  // namespace pipesim
