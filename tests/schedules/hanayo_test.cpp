// hanayo: Liu et al., 2308.15762.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "sim/verify_timeline.hpp"
#include "tests/schedules/placed_problems.hpp"

using namespace pipesim;

namespace {

const Schedule& hanayo() { return *find_schedule(builtin_schedules(), "hanayo"); }

Parameters waves(std::int64_t count) { return {{"waves", count}}; }

Problem waved(int p, int m, int count, const StageCosts& costs) {
  return test::problem_for("hanayo", p, m, costs, waves(count));
}

Program program_for(const Problem& problem, int count) {
  return test::program_of("hanayo", problem, waves(count));
}

std::int64_t excess(int p, int m, int count, const StageCosts& costs) {
  const Problem problem = waved(p, m, count, costs);
  return test::excess(problem, program_for(problem, count));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("hanayo, one wave, p=4, m=4") {
    const Program program = program_for(waved(4, 4, 1, test::chunk(1, 2)), 1);
    CHECK(test::order_of(program, 0) ==
          "0F0 0F1 0F2 0F3 7F0 7B0 7F1 7B1 7F2 7B2 7F3 7B3 0B0 0B1 0B2 0B3");
    CHECK(test::order_of(program, 1) ==
          "1F0 1F1 1F2 6F0 1F3 6F1 6B0 6F2 6B1 6F3 6B2 1B0 6B3 1B1 1B2 1B3");
    CHECK(test::order_of(program, 2) ==
          "2F0 2F1 5F0 2F2 5F1 2F3 5F2 5B0 5F3 5B1 2B0 5B2 2B1 5B3 2B2 2B3");
    CHECK(test::order_of(program, 3) ==
          "3F0 4F0 3F1 4F1 3F2 4F2 3F3 4F3 4B0 3B0 4B1 3B1 4B2 3B2 4B3 3B3");
    const Problem by_default = test::problem_for("hanayo", 4, 4, test::chunk(1, 2));
    CHECK(test::order_of(test::program_of("hanayo", by_default), 2) == test::order_of(program, 2));
  }

  TEST_CASE("hanayo, two waves, p=2, m=2") {
    const Program program = program_for(waved(2, 2, 2, test::chunk(1, 2)), 2);
    CHECK(test::order_of(program, 0) ==
          "0F0 0F1 3F0 4F0 3F1 4F1 7F0 7B0 7F1 7B1 4B0 3B0 4B1 3B1 "
          "0B0 0B1");
  }

  TEST_CASE("a stage of an even chunk is on device s mod p, of an odd one on p-1-(s mod p)") {
    for (int p = 1; p <= 5; ++p) {
      for (int count = 1; count <= 3; ++count) {
        const Placement placement = wave_placement(p, count);
        REQUIRE(placement.stages() == 2 * count * p);
        for (int s = 0; s < placement.stages(); ++s) {
          const int device = (s / p) % 2 == 0 ? s % p : p - 1 - s % p;
          CHECK(placement.device_of.front()[static_cast<std::size_t>(s)] == Device{device});
        }
      }
      CHECK(v_placement(p).device_of == wave_placement(p, 1).device_of);
    }
  }

  TEST_CASE("B = 2F: 4(p-1) + (K-1)(2p-3) stage forwards more than the work, m = Kp") {
    for (int p = 2; p <= 8; ++p) {
      for (int count = 1; count <= 4; ++count) {
        for (int groups = 1; groups <= 6; ++groups) {
          CHECK(excess(p, groups * p, count, test::chunk(1, 2)) ==
                4 * (p - 1) + (groups - 1) * (2 * p - 3));
          CHECK(excess(p, groups * p, count, test::chunk(5, 10)) ==
                5 * (4 * (p - 1) + (groups - 1) * (2 * p - 3)));
        }
      }
    }
  }

  TEST_CASE("B = F: 2(p-1) stage forwards more than the work, m = Kp") {
    for (int p = 1; p <= 8; ++p) {
      for (int count = 1; count <= 3; ++count) {
        for (const int groups : {1, 2, 3, 5, 12}) {
          CHECK(excess(p, groups * p, count, test::chunk(3, 3)) == 3 * 2 * (p - 1));
        }
      }
    }
  }

  TEST_CASE("known times, F = 1 and B = 2 for a device: one wave, two waves") {
    const auto t_total = [](int p, int m, int count) {
      // A stage's forward is one tick, so a device's takes 2 * count.
      const Problem problem = waved(p, m, count, test::chunk(1, 2));
      const Ticks total = total_time(simulate(problem, program_for(problem, count)));
      return static_cast<double>(total.count) / (2 * count);
    };
    CHECK(t_total(4, 4, 1) == 18);
    CHECK(t_total(4, 4, 2) == 15);
    CHECK(t_total(4, 8, 1) == 32.5);
    CHECK(t_total(4, 8, 2) == 28.25);
    CHECK(t_total(4, 16, 1) == 61.5);
    CHECK(t_total(4, 16, 2) == 54.75);
    CHECK(t_total(8, 16, 1) == 68.5);
    CHECK(t_total(8, 16, 2) == 58.25);
    CHECK(t_total(8, 32, 1) == 129.5);
    CHECK(t_total(8, 32, 2) == 112.75);
  }

  TEST_CASE("peaks: 2Wp stages' activations, for m = p (2W-1)p+1+i on device i") {
    for (int p = 1; p <= 6; ++p) {
      for (int count = 1; count <= 3; ++count) {
        for (const std::int64_t backward : {1, 2}) {
          for (int m = 1; m <= 3 * p + 1; ++m) {
            const Problem problem = waved(p, m, count, test::chunk(1, backward));
            const Metrics metrics = test::metrics_of(problem, program_for(problem, count));
            const std::int64_t bound = std::int64_t{2} * count * std::min(p, m);
            CHECK(peak(hanayo(), problem, waves(count), Device{0}) == bound);
            CHECK(metrics.peak_activations() == bound);
            for (int i = 0; m == p && backward == 2 && i < p; ++i) {
              CHECK(metrics.devices[static_cast<std::size_t>(i)].peak_activations ==
                    (2 * count - 1) * p + 1 + i);
            }
          }
        }
      }
    }
  }

  TEST_CASE("any number of microbatches runs, with any ratio of backward to forward") {
    for (int p = 1; p <= 5; ++p) {
      for (int count = 1; count <= 3; ++count) {
        for (int m = 1; m <= 3 * p + 1; ++m) {
          for (const std::int64_t backward : {0, 1, 3, 7}) {
            const Problem problem = waved(p, m, count, test::chunk(2, backward));
            const Program program = program_for(problem, count);
            CHECK_FALSE(verify_timeline(problem, program, simulate(problem, program)).has_value());
          }
        }
      }
    }
  }

  TEST_CASE("hanayo refuses more stages than anything can run") {
    CHECK_THROWS_WITH(
        place(hanayo(), 1 << 20, waves(2)),
        "/schedule/waves: 2 waves over p = 1048576 devices are 4194304 stages; at most 2097152 "
        "stages");
  }

  TEST_CASE("hanayo says when it takes a backward for as short as a forward") {
    const Plan planned = plan(hanayo(), waved(4, 8, 1, test::chunk(2, 2)), {});
    CHECK(planned.parameters == Parameters{{"backward_slots", std::int64_t{1}}});
    CHECK(planned.notes ==
          std::vector<std::string>{
              "backward_slots=1 filled in: no backward takes longer than its forward"});
    Problem problem = waved(4, 8, 1, test::chunk(2, 2));
    problem.costs.back().backward = Ticks{3};
    CHECK(plan(hanayo(), problem, {}).notes.empty());
    const Parameters given = {{"backward_slots", std::int64_t{2}}};
    CHECK(plan(hanayo(), waved(4, 8, 1, test::chunk(2, 2)), given).parameters == given);
  }

  TEST_CASE("the program is loops, of a size that does not depend on m") {
    for (const int p : {1, 2, 3, 4, 6}) {
      for (const int count : {1, 2, 3}) {
        const auto lines = [&](int m) {
          return test::lines(program_for(waved(p, m, count, test::chunk(1, 2)), count));
        };
        CHECK(lines(10 * p) == lines(1000 * p));
        CHECK(lines(20 * p + 1) == lines(1000 * p + 1));
      }
    }
    const Problem longest =
        waved(4, std::numeric_limits<std::int32_t>::max(), 1, test::chunk(1, 2));
    CHECK(step_count(hanayo().build(longest, {}).lanes[0]) ==
          4 * std::int64_t{longest.microbatches});
  }
}
