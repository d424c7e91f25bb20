#include "sim/engine.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/metrics.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

/// "F0 0-2, B0 6-10" for each device.
std::vector<std::string> rows(const Timeline& timeline) {
  std::vector<std::string> result(timeline.devices());
  for (std::size_t lane = 0; lane < timeline.devices(); ++lane) {
    for (const Span* span = timeline.begin(lane); span != timeline.end(lane); ++span) {
      result[lane] += (result[lane].empty() ? "" : ", ") + short_name(span->op) + " " +
                      std::to_string(span->start.count) + "-" + std::to_string(span->end.count);
    }
  }
  return result;
}

Timeline run(const std::string& schedule, const Problem& problem,
             const Parameters& parameters = {}) {
  return simulate(problem, test::program_of(schedule, problem, parameters));
}

}  // namespace

TEST_SUITE("unit") {
  // Drawn by hand.
  TEST_CASE("1f1b, p=2, m=3, F=2, B=4") {
    CHECK(rows(run("1f1b", test::equal_stages(2, 3, 2, 4))) ==
          std::vector<std::string>{"F0 0-2, F1 2-4, B0 8-12, F2 12-14, B1 14-18, B2 20-24",
                                   "F0 2-4, B0 4-8, F1 8-10, B1 10-14, F2 14-16, B2 16-20"});
  }

  TEST_CASE("gpipe, p=2, m=3, F=2, B=4") {
    CHECK(rows(run("gpipe", test::equal_stages(2, 3, 2, 4))) ==
          std::vector<std::string>{"F0 0-2, F1 2-4, F2 4-6, B0 12-16, B1 16-20, B2 20-24",
                                   "F0 2-4, F1 4-6, F2 6-8, B0 8-12, B1 12-16, B2 16-20"});
  }

  TEST_CASE("gpipe that flushes every 2 of 3 microbatches, p=2, F=2, B=4") {
    CHECK(rows(run("gpipe", test::equal_stages(2, 3, 2, 4), {{"flush_every", 2}})) ==
          std::vector<std::string>{"F0 0-2, F1 2-4, B0 10-14, B1 14-18, F2 18-20, B2 26-30",
                                   "F0 2-4, F1 4-6, B0 6-10, B1 10-14, F2 20-22, B2 22-26"});
  }

  TEST_CASE("what released each span, the span before it on its lane first") {
    const Problem problem = test::equal_stages(2, 1, 2, 4);
    const Timeline timeline = run("1f1b", problem);
    // 0F0, 0B0, 1F0, 1B0
    CHECK(timeline.spans[0].released_by == Span::kNotReleased);
    CHECK(timeline.spans[1].released_by == 3);
    CHECK(timeline.spans[2].released_by == 0);
    CHECK(timeline.spans[3].released_by == 2);
  }

  TEST_CASE("ops of no length take their turn at one instant") {
    const Timeline timeline =
        run("1f1b", test::problem_of(2, {{Ticks{0}, Ticks{0}}, {Ticks{1}, Ticks{0}}}));
    CHECK(rows(timeline) == std::vector<std::string>{"F0 0-0, F1 0-0, B0 1-1, B1 2-2",
                                                     "F0 0-1, B0 1-1, F1 1-2, B1 2-2"});
  }

  TEST_CASE("events pop in the order of time, class and push") {
    EventQueue queue;
    queue.push(Ticks{5}, EventClass::start, 0);
    queue.push(Ticks{5}, EventClass::finish, 1);
    queue.push(Ticks{5}, EventClass::finish, 2);
    queue.push(Ticks{5}, EventClass::arrival, 3);
    queue.push(Ticks{4}, EventClass::start, 4);
    std::vector<TaskId> order;
    while (!queue.empty()) order.push_back(queue.pop().task);
    CHECK(order == std::vector<TaskId>{4, 1, 2, 3, 0});
  }

  TEST_CASE("a deadlock names the ops that wait for each other") {
    const Problem problem = test::equal_stages(2, 1, 1, 1);
    const Program program{{{backward(Stage{0}, 0), forward(Stage{0}, 0)},
                           {forward(Stage{1}, 0), backward(Stage{1}, 0)}}};
    try {
      simulate(problem, program);
      FAIL("no deadlock was found");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::run_failed);
      CHECK(
          std::string(error.what()) ==
          "/schedule: deadlock: these ops wait for each other\n"
          "  0B0 on device 0 waits for 0F0 on device 0, whose result it needs\n"
          "  0F0 on device 0 waits for 0B0 on device 0, which stands before it on a lane that both "
          "need");
    }
  }

  TEST_CASE("time that leaves int64 is an error") {
    const Problem problem =
        test::equal_stages(4, 8, 500'000'000'000'000'000, 500'000'000'000'000'000);
    CHECK_THROWS_WITH_AS(simulate(problem, test::program_of("1f1b", problem)),
                         "/m: T_total does not fit in 64 bits of picoseconds; at most "
                         "9223372036854775807 ps, some 106.75 days",
                         Error);
  }

  TEST_CASE("a problem that cannot be run says why") {
    const auto fault = [](const Problem& problem) -> std::string {
      try {
        validate_problem(problem);
      } catch (const Error& error) {
        return error.what();
      }
      return "";
    };
    Problem problem = test::equal_stages(2, 2, 0, 0);
    CHECK(fault(problem) == "/t_f: T_ideal is 0: no op takes any time; at least one time above 0");
    problem = test::equal_stages(2, 0, 1, 1);
    CHECK(fault(problem) == "/m: 0 microbatches; at least 1");
    problem = test::equal_stages(2, 1, 1, 1);
    problem.placement.device_of[0] = {Device{0}, Device{0}};
    CHECK(fault(problem) == "/placement: device 1 has no stage; a stage on every device");
    problem.placement.device_of[0] = {Device{0}, Device{2}};
    CHECK(fault(problem) == "/placement: a stage is on device 2; devices 0 to 1");
    problem = test::equal_stages(2, 1, 1, 1);
    problem.costs.pop_back();
    CHECK(fault(problem) == "/t_f: costs of 1 stages; costs of 2 stages");
  }
}
