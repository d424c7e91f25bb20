// What other implementations of the schedules order, and how long that takes. The records and
// where they come from: tests/golden/README.md.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "sim/error.hpp"
#include "tests/golden_records.hpp"
#include "tests/places.hpp"
#include "tests/schedule_run.hpp"

using namespace pipesim;
using test::GoldenRecord;
using test::ScheduleRun;

namespace {

/// The recorded order, as it is.
ScheduleRun run_recorded_order(const GoldenRecord& record) {
  static const Schedule& custom = *find_schedule(builtin_schedules(), "custom");
  return test::run_schedule(custom, test::problem_of(record),
                            {{"order", record.order}, {"placement", record.placement}});
}

void check_times(const GoldenRecord& record, const ScheduleRun& run) {
  if (record.makespan) CHECK(run.makespan.count == record.makespan->count);
  if (record.span) CHECK(run.span.count == record.span->count);
}

void check_memory(const GoldenRecord& record, const ScheduleRun& run) {
  if (!record.peak.empty()) CHECK(run.peak == record.peak);
  if (!record.peak_memory.empty()) CHECK(run.peak_memory == record.peak_memory);
  if (record.limit) CHECK(std::ranges::max(run.peak_memory) <= *record.limit);
}

std::set<std::string> recorded_files() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(test::source_directory()) / "tests/golden/records")) {
    names.insert(entry.path().stem());
  }
  return names;
}

/// What must be the same in a schedule of ours.
enum class Same {
  order,  ///< token for token, and so times and memory
  span    ///< the span is no longer, and the limit is kept
};

/// Which schedule of ours makes the records of a file.
struct Mapping {
  std::string file;
  std::string schedule;
  Parameters (*parameters)(const GoldenRecord&) = [](const GoldenRecord&) { return Parameters{}; };
  std::string rule{};  ///< only the records of this one
  Same same = Same::order;
  /// Whether our schedule refuses what the other implementation refuses, or runs it.
  bool refuses = false;
  /// Numbers of records that only our schedule refuses.
  std::set<int> only_we_refuse{};
};

Parameters stages(const GoldenRecord& record) { return {{"v", record.stages_per_device}}; }

Parameters groups(const GoldenRecord& record) {
  Parameters parameters = stages(record);
  if (record.group) parameters.emplace("group", *record.group);
  return parameters;
}

Parameters overlapped_groups(const GoldenRecord& record) {
  Parameters parameters = groups(record);
  parameters.emplace("extra_warmup", 1);
  return parameters;
}

Parameters light(const GoldenRecord&) { return {{"variant", "light"}}; }

const std::vector<Mapping> kMappings = {
    {.file = "pytorch_1F1B_runtime", .schedule = "1f1b"},
    {.file = "megatron_1f1b", .schedule = "1f1b"},
    {.file = "victarry_prev_async_1f1b", .schedule = "1f1b"},
    {.file = "hetero_victarry_prev_async_1f1b", .schedule = "1f1b"},
    {.file = "hetero_sailsg_addtime_gpipe_1f1b", .schedule = "1f1b", .rule = "1F1B"},
    {.file = "hetero_sailsg_addtime_gpipe_1f1b", .schedule = "gpipe", .rule = "GPipe"},
    {.file = "zb_repo_1f1b_interleaved", .schedule = "1f1b", .rule = "1F1B"},
    {.file = "large_makespan_and_order_hash", .schedule = "1f1b", .rule = "1F1B"},
    {.file = "pytorch_GPipe_runtime", .schedule = "gpipe"},
    {.file = "minpp_eager1f1b", .schedule = "eager_1f1b"},
    {.file = "pytorch_Interleaved1F1B", .schedule = "interleaved_1f1b", .parameters = groups},
    {.file = "megatron_interleaved",
     .schedule = "interleaved_1f1b",
     .parameters = groups,
     .refuses = true},
    // Groups of 5 for m=8, p=4: Megatron's rule for given groups, which is ours, refuses them.
    {.file = "victarry_prev_async_interleave",
     .schedule = "interleaved_1f1b",
     .parameters = groups,
     .only_we_refuse = {10, 23}},
    {.file = "zb_repo_1f1b_interleaved",
     .schedule = "interleaved_1f1b",
     .parameters = groups,
     .rule = "interleaved"},
    {.file = "large_makespan_and_order_hash",
     .schedule = "interleaved_1f1b",
     .parameters = groups,
     .rule = "interleaved"},
    {.file = "megatron_interleaved_moe_overlap",
     .schedule = "interleaved_1f1b",
     .parameters = overlapped_groups},
    {.file = "pytorch_LoopedBFS", .schedule = "looped_bfs", .parameters = stages},
    {.file = "pytorch_InterleavedZeroBubble",
     .schedule = "interleaved_zero_bubble",
     .parameters = stages,
     .refuses = true},
    {.file = "pytorch_InterleavedZeroBubble_v1",
     .schedule = "interleaved_zero_bubble",
     .parameters = stages},
    {.file = "zb_h1_light", .schedule = "zb_h1", .parameters = light},
    {.file = "pytorch_ZBVZeroBubble", .schedule = "zb_v"},
    {.file = "zb_v_handcrafted", .schedule = "zb_v"},
    {.file = "zb_vhalf_vmin", .schedule = "v_half", .rule = "V-Half"},
    {.file = "zb_vhalf_vmin", .schedule = "v_min", .rule = "V-Min"},
    {.file = "zb_repo_1f1b_interleaved", .schedule = "1f1b_v", .rule = "1F1B-V"},
    {.file = "deepseek_DualPipe", .schedule = "dualpipe"},
    {.file = "deepseek_DualPipeV", .schedule = "dualpipe_v"},
    {.file = "pytorch_DualPipeV", .schedule = "dualpipe_v"},
    {.file = "zb_auto_heuristic", .schedule = "zb_auto", .same = Same::span},
    {.file = "zb_auto_hetero_tight", .schedule = "zb_auto", .same = Same::span},
    {.file = "large_makespan_and_order_hash",
     .schedule = "zb_auto",
     .rule = "ZB-auto",
     .same = Same::span},
    {.file = "zb_v", .schedule = "v_zb", .same = Same::span},
    {.file = "large_makespan_and_order_hash",
     .schedule = "v_zb",
     .rule = "ZB-V",
     .same = Same::span},
};

/// The files that hold no order of a schedule of ours.
const std::set<std::string> kOptima = {"bruteforce_optimal_makespan", "bruteforce_optimal_span",
                                       "zb_ilp_optimal", "zb_ilp_optimal_large"};
const std::set<std::string> kNotOurs = {"zb_group_interleaved"};

/// The case of a record that the other implementation refuses, which may have no costs.
Problem refused_problem(const GoldenRecord& record) {
  Problem problem = test::problem_of(record);
  const StageCosts costs = {.forward = Ticks{1}, .backward = Ticks{2}, .weight = Ticks{1}};
  if (problem.costs.empty()) {
    problem.costs.assign(static_cast<std::size_t>(problem.stages()), costs);
    problem.memory.stages.assign(problem.costs.size(), {.activation = 2, .kept_for_weight = 1});
  }
  return problem;
}

bool is_recorded(const GoldenRecord& record, const StepOrders& order) {
  if (record.sha256.empty()) return order == record.order;
  return test::sha256(test::order_text(order)) == record.sha256;
}

/// "device 1, step 3: 0F2, not 0B0", or nothing if there is no order to compare with.
std::string first_difference(const GoldenRecord& record, const StepOrders& order) {
  for (std::size_t device = 0; device < record.order.size(); ++device) {
    const std::vector<Step>& theirs = record.order[device];
    const std::vector<Step>& ours = order[device];
    for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
      if (ours[i] == theirs[i]) continue;
      return fmt::format("device {}, step {}: {}, not {}", device, i, token(ours[i]),
                         token(theirs[i]));
    }
  }
  return {};
}

/// How many records a schedule of ours meets.
struct Tally {
  int records = 0;
  int same_orders = 0;
  int shorter_spans = 0;
  int rejected = 0;  ///< by the other implementation
  int refused = 0;   ///< by our schedule
};

void compare(const Mapping& mapping, const GoldenRecord& record, const Schedule& schedule,
             Tally& tally) {
  const ScheduleRun run =
      test::run_schedule(schedule, test::problem_of(record), mapping.parameters(record));
  const StepOrders order = test::unrolled(run.program);
  const bool same = is_recorded(record, order);
  ++tally.records;
  tally.same_orders += same ? 1 : 0;
  if (mapping.same == Same::span) {
    const Ticks theirs = record.span.value_or(Ticks{0});
    CHECK(run.span.count <= theirs.count);
    if (record.limit) CHECK(std::ranges::max(run.peak_memory) <= *record.limit);
    tally.shorter_spans += run.span < theirs ? 1 : 0;
    return;
  }
  CHECK_MESSAGE(same, first_difference(record, order));
  check_times(record, run);
  check_memory(record, run);
}

/// The schedule's rule, also where it has no meaning.
Schedule without_check(Schedule schedule) {
  schedule.check = nullptr;
  return schedule;
}

/// What we refuse too: the rule alone still makes what is recorded.
void compare_refused(const Mapping& mapping, const GoldenRecord& record, const Schedule& schedule,
                     Tally& tally) {
  const Problem problem = refused_problem(record);
  const auto run = [&](const Schedule& rule) {
    return test::run_schedule(rule, problem, mapping.parameters(record));
  };
  CHECK_THROWS_AS(run(schedule), Error);
  ++tally.refused;
  if (!record.order.empty()) {
    compare(mapping, record, without_check(schedule), tally);
  } else if (record.makespan) {
    const ScheduleRun rule = run(without_check(schedule));
    check_times(record, rule);
    check_memory(record, rule);
  } else if (record.rejected.ends_with("deadlocks")) {
    CHECK_THROWS_AS(run(without_check(schedule)), Error);
  }
}

void compare_any(const Mapping& mapping, const GoldenRecord& record, const Schedule& schedule,
                 Tally& tally) {
  tally.rejected += record.rejected.empty() ? 0 : 1;
  const bool refused =
      record.rejected.empty() ? mapping.only_we_refuse.contains(record.number) : mapping.refuses;
  if (refused) {
    compare_refused(mapping, record, schedule, tally);
  } else if (record.rejected.empty()) {
    compare(mapping, record, schedule, tally);
  } else {
    CHECK_NOTHROW(
        test::run_schedule(schedule, refused_problem(record), mapping.parameters(record)));
  }
}

Tally compare_all(const Mapping& mapping, const Schedule& schedule) {
  Tally tally;
  for (const GoldenRecord& record : test::golden_records(mapping.file)) {
    if (record.rule != mapping.rule) continue;
    INFO(mapping.file, " record ", record.number, " p=", record.devices, " m=", record.microbatches,
         ": ", mapping.schedule);
    try {
      compare_any(mapping, record, schedule, tally);
    } catch (const Error& error) {
      FAIL_CHECK(std::string(error.what()));
    }
  }
  return tally;
}

std::string notes(const Mapping& mapping, const Tally& tally) {
  std::string text;
  if (mapping.same == Same::span) {
    text += fmt::format("; {} spans shorter than recorded", tally.shorter_spans);
  }
  if (tally.rejected > 0) {
    text += fmt::format("; {} cases that the other implementation refuses", tally.rejected);
  }
  if (tally.refused > 0) {
    text += fmt::format("; {} that ours refuses", tally.refused);
  }
  return text;
}

}  // namespace

TEST_SUITE("golden") {
  TEST_CASE("every recorded order takes the recorded times and memory") {
    int orders = 0;
    for (const std::string& file : recorded_files()) {
      for (const GoldenRecord& record : test::golden_records(file)) {
        if (record.order.empty()) continue;
        INFO(file, " record ", record.number);
        const ScheduleRun run = run_recorded_order(record);
        check_times(record, run);
        check_memory(record, run);
        ++orders;
      }
    }
    MESSAGE(orders << " orders");
  }

  TEST_CASE("our schedules make the recorded orders") {
    for (const Mapping& mapping : kMappings) {
      const Schedule* const schedule = find_schedule(builtin_schedules(), mapping.schedule);
      if (schedule == nullptr) {
        FAIL_CHECK("no schedule " << mapping.schedule << " for " << mapping.file);
        continue;
      }
      const Tally tally = compare_all(mapping, *schedule);
      CHECK(tally.records > 0);
      MESSAGE(fmt::format("{}: {} of {} orders of {}{}{}{}", mapping.schedule, tally.same_orders,
                          tally.records, mapping.file, mapping.rule.empty() ? "" : ", ",
                          mapping.rule, notes(mapping, tally)));
    }
  }

  TEST_CASE("every record is compared with a schedule of ours, or known to have none") {
    std::set<std::string> known = kNotOurs;
    known.insert(kOptima.begin(), kOptima.end());
    for (const Mapping& mapping : kMappings) known.insert(mapping.file + mapping.rule);
    std::set<std::string> recorded;
    for (const std::string& file : recorded_files()) {
      for (const GoldenRecord& record : test::golden_records(file)) {
        recorded.insert(file + record.rule);
      }
    }
    CHECK(recorded == known);
  }

  TEST_CASE("zb_auto is never better than the optimum") {
    const Schedule* const zb_auto = find_schedule(builtin_schedules(), "zb_auto");
    REQUIRE(zb_auto != nullptr);
    for (const std::string& file : kOptima) {
      int records = 0;
      int optimal = 0;
      Ratio worst{1, 1};
      for (const GoldenRecord& record : test::golden_records(file)) {
        INFO(file, " record ", record.number);
        if (!record.optimum_proven) {
          MESSAGE(file << " record " << record.number << " left out: its solver proved no optimum");
          continue;
        }
        const ScheduleRun run = test::run_schedule(
            *zb_auto, test::problem_of(record), {{"objective", record.span ? "span" : "t_total"}});
        CHECK(std::ranges::max(run.peak_memory) <= record.limit.value_or(0));
        const Ticks ours = record.span ? run.span : run.makespan;
        const Ticks optimum = record.span ? *record.span : record.makespan.value_or(Ticks{0});
        CHECK(ours.count >= optimum.count);
        ++records;
        optimal += ours == optimum ? 1 : 0;
        worst = std::max(worst, Ratio{ours.count, optimum.count});
      }
      MESSAGE(file << ": " << optimal << " of " << records << " optimal, the worst "
                   << format_ratio(worst, 4) << " of the optimum");
    }
  }
}
