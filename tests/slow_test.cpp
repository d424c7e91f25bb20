// What takes longer than a quick test may.
#include <doctest/doctest.h>
#include <malloc.h>

#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/io/trace.hpp"
#include "tests/problems.hpp"
#include "tests/run_invariants.hpp"

using namespace pipesim;

namespace {

void check_agreement(const Schedule& schedule, const Problem& devices) {
  const Problem problem = test::placed(schedule, devices);
  const Parameters parameters = plan(schedule, problem, {}).parameters;
  const Program program = build(schedule, problem, parameters);
  const TaskGraph graph(problem, program);
  const Timeline timeline = simulate(graph);
  test::check_verified(graph, program, timeline);
  test::check_longest_paths(graph, timeline);
}

/// "VmRSS" or "VmHWM", its highest value, of this process in KiB; not measured with sanitizers.
[[maybe_unused]] std::int64_t resident(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string name;
  while (status >> name && name != field + ":") status.ignore(1000, '\n');
  std::int64_t size = 0;
  status >> size;
  return size;
}

}  // namespace

TEST_SUITE("slow") {
  TEST_CASE("engine = longest path = checker, on larger random problems") {
    constexpr std::uint64_t kSeed = 424242;
    MESSAGE("seed " << kSeed);
    std::mt19937_64 random(kSeed);
    for (int round = 0; round < 60; ++round) {
      std::vector<StageCosts> costs(static_cast<std::size_t>(test::draw(random, 1, 40)));
      for (StageCosts& stage : costs) {
        stage = {.forward = Ticks{test::draw(random, 0, 1'000'000'000'000)},
                 .backward = Ticks{test::draw(random, 1, 1'000'000'000'000)}};
      }
      Problem problem = test::problem_of(static_cast<int>(test::draw(random, 1, 120)), costs);
      if (round % 2 == 0) problem.memory_limit = test::draw(random, 1, 120);
      for (const Schedule* schedule : test::general_schedules()) {
        if (test::accepts(*schedule, test::placed(*schedule, problem))) {
          check_agreement(*schedule, problem);
        }
      }
    }
  }

  TEST_CASE("a million tasks") {
    const Problem problem = test::equal_stages(64, 8192, 2'000'000'000, 4'000'000'000);
    for (const char* const name : {"gpipe", "1f1b"}) {
      check_agreement(*find_schedule(builtin_schedules(), name), problem);
    }
  }

#ifdef NDEBUG
  TEST_CASE("the trace writer's memory does not grow with the trace") {
    const Problem problem = test::equal_stages(4, 250'000, 2'000'000'000, 4'000'000'000);
    const TaskGraph graph(problem, test::program_of("gpipe", problem));
    const Timeline timeline = simulate(graph);
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5";  // the highest value from here on
    const std::int64_t before = resident("VmRSS");
    OutputFile file("/dev/null", "/output");
    CHECK(write_trace(graph, timeline, file) == 2'000'000);
    constexpr std::int64_t kMostMore = 16'384;
    CHECK(resident("VmHWM") - before <= kMostMore);
    CHECK(resident("VmHWM") >= before);
  }
#endif
}
