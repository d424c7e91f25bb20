// What takes longer than a quick test may.
#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/memory.hpp"
#include "sim/verify_timeline.hpp"
#include "tests/problems.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

using namespace pipesim;

namespace {

void check_agreement(const Schedule& schedule, const Problem& devices) {
  const Problem problem = test::placed(schedule, devices);
  const Parameters parameters = plan(schedule, problem, {}).parameters;
  const Program program = build(schedule, problem, parameters);
  const TaskGraph graph(problem, program);
  const Timeline timeline = simulate(graph);
  const auto violation = verify_timeline(problem, program, timeline);
  const bool over_limit = violation && violation->rule == TimelineRule::memory;
  CHECK_MESSAGE((!violation || over_limit), (violation ? violation->detail : ""));
  if (over_limit) CHECK(find_over_limit(graph, timeline));
  const std::vector<Ticks> longest = longest_path_starts(graph);
  bool equal = true;
  for (TaskId task = 0; task < graph.size(); ++task) {
    equal = equal && timeline.spans[task].start == longest[task];
  }
  CHECK(equal);
}

/// The most memory that a run of pipesim took, in KiB.
std::int64_t peak_memory(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), PIPESIM_BINARY);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, PIPESIM_BINARY, nullptr, nullptr, argv.data(), environ) == 0);
  int status = 0;
  rusage usage{};
  REQUIRE(wait4(child, &status, 0, &usage) == child);
  REQUIRE(status == 0);
  return usage.ru_maxrss;
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

  TEST_CASE("the trace writer's memory does not grow with the trace") {
    const std::vector<std::string> run = {"-p",       "4",     "-m",       "200000",     "--t-f",
                                          "2",        "--t-b", "4",        "--schedule", "gpipe",
                                          "--format", "json",  "--output", "/dev/null"};
    std::vector<std::string> with_trace = run;
    with_trace.insert(with_trace.end(), {"--trace", "/dev/null"});
    constexpr std::int64_t kMostMore = 16'384;
    CHECK(peak_memory(with_trace) <= peak_memory(run) + kMostMore);
  }
}
