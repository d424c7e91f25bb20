#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "schedules/schedule.hpp"
#include "tests/schedules/schedule_runs.hpp"

using namespace pipesim;

namespace {

const Parameters kDoubling = {{"variant", "forward_doubling"}};

Problem chimera(int p, int m, std::int64_t forward = 1, std::int64_t backward = 2) {
  return test::problem_for("chimera", p, m, stage_costs(Ticks{forward}, Ticks{backward}));
}

std::int64_t makespan(const Problem& problem, const Parameters& parameters = {}) {
  return test::metrics_of("chimera", problem, parameters).t_total.count;
}

/// p/2 + 1 + g times `slot`, by device.
std::vector<std::int64_t> full_peaks(int p, std::int64_t slot) {
  std::vector<std::int64_t> peaks;
  peaks.reserve(static_cast<std::size_t>(p));
  for (int i = 0; i < p; ++i) peaks.push_back(slot * (p / 2 + 1 + std::min(i, p - 1 - i)));
  return peaks;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the orders of chimera, p=4, m=4: a unit (2107.06925, section 3.1)") {
    CHECK(test::orders_of(test::program_of("chimera", chimera(4, 4))) ==
          std::vector<std::string>{
              "0F0 0F1 3F2 3B2 3F3 3B3 0B0 0B1",
              "1F0 2F2 1F1 2F3 2B2 1B0 2B3 1B1",
              "1F2 2F0 1F3 2F1 2B0 1B2 2B1 1B3",
              "0F2 0F3 3F0 3B0 3F1 3B1 0B2 0B3",
          });
  }

  TEST_CASE("the orders of chimera, p=4, m=8: two units; the first half of m goes down") {
    const Program program = test::program_of("chimera", chimera(4, 8));
    CHECK(test::order_of(program, 0) ==
          "0F0 0F1 3F4 3B4 3F5 3B5 0B0 0F2 0B1 0F3 3F6 3B6 3F7 3B7 0B2 0B3");
    CHECK(test::order_of(program, 1) ==
          "1F0 2F4 1F1 2F5 2B4 1B0 2B5 1B1 1F2 2F6 1F3 2F7 2B6 1B2 2B7 1B3");
  }

  TEST_CASE("the orders of chimera, p=4, m=5: the last unit has one microbatch, which goes down") {
    CHECK(test::orders_of(test::program_of("chimera", chimera(4, 5))) ==
          std::vector<std::string>{
              "0F0 0F1 3F3 3B3 3F4 3B4 0B0 0F2 0B1 0B2",
              "1F0 2F3 1F1 2F4 2B3 1B0 2B4 1B1 1F2 1B2",
              "1F3 2F0 1F4 2F1 2B0 1B3 2B1 1B4 2F2 2B2",
              "0F3 0F4 3F0 3B0 3F1 3B1 0B3 0B4 3F2 3B2",
          });
  }

  TEST_CASE("the orders of chimera with forward doubling, p=4, m=8 and 3: pairs for microbatches") {
    CHECK(test::orders_of(test::program_of("chimera", chimera(4, 8), kDoubling)) ==
          std::vector<std::string>{
              "0F0 0F1 0F2 0F3 3F4 3F5 3B4 3B5 3F6 3F7 3B6 3B7 0B0 0B1 0B2 0B3",
              "1F0 1F1 2F4 2F5 1F2 1F3 2F6 2F7 2B4 2B5 1B0 1B1 2B6 2B7 1B2 1B3",
              "1F4 1F5 2F0 2F1 1F6 1F7 2F2 2F3 2B0 2B1 1B4 1B5 2B2 2B3 1B6 1B7",
              "0F4 0F5 0F6 0F7 3F0 3F1 3B0 3B1 3F2 3F3 3B2 3B3 0B4 0B5 0B6 0B7",
          });
    CHECK(test::order_of(test::program_of("chimera", chimera(4, 3), kDoubling), 0) ==
          "0F0 0F1 3F2 3B2 0B0 0B1");
  }

  TEST_CASE("chimera, m = Kp: T_total = mT + (p-2)[max(F,B) + (K-1)|B-F|]") {
    for (const auto& [f, b] : {std::pair(1, 1), {1, 2}, {1, 3}, {3, 2}, {7, 11}}) {
      for (int p = 2; p <= 10; p += 2) {
        for (int units = 1; units <= 5; ++units) {
          INFO("p=", p, " K=", units, " F=", f, " B=", b);
          CHECK(makespan(chimera(p, units * p, f, b)) ==
                units * p * (f + b) + (p - 2) * (std::max(f, b) + (units - 1) * std::abs(b - f)));
        }
      }
    }
  }

  TEST_CASE("chimera, F=1, B=2: its bubble grows with m, with forward doubling it does not") {
    CHECK(makespan(chimera(4, 4)) == 16);
    CHECK(makespan(chimera(4, 8)) == 30);
    CHECK(makespan(chimera(4, 12)) == 44);
    CHECK(makespan(chimera(4, 16)) == 58);
    CHECK(makespan(chimera(4, 20)) == 72);
    CHECK(makespan(chimera(8, 16)) == 66);
    CHECK(makespan(chimera(8, 32)) == 126);
    CHECK(makespan(chimera(4, 8), kDoubling) == 27);
    CHECK(makespan(chimera(4, 16), kDoubling) == 51);
    CHECK(makespan(chimera(8, 16), kDoubling) == 57);
    CHECK(makespan(chimera(8, 32), kDoubling) == 105);
  }

  TEST_CASE("chimera with forward doubling, m = 2pK, B = 2F: T_total = mT + (p/2-1)T") {
    for (int p = 2; p <= 8; p += 2) {
      for (int units = 1; units <= 4; ++units) {
        const int m = 2 * p * units;
        for (const std::int64_t f : {1, 5}) {
          CHECK(makespan(chimera(p, m, f, 2 * f), kDoubling) == 3 * f * (m + p / 2 - 1));
        }
      }
    }
  }

  TEST_CASE("chimera, m = Kp + r, F = B = 1: T_total = 2pK + 2p - 2 + 2 ceil(r/2)") {
    for (int p = 2; p <= 8; p += 2) {
      for (int m = 1; m <= 4 * p; ++m) {
        INFO("p=", p, " m=", m);
        const int rest = m % p;
        const int expected =
            rest == 0 ? 2 * m + p - 2 : 2 * (m - rest) + 2 * p - 2 + rest + rest % 2;
        CHECK(makespan(chimera(p, m, 1, 1)) == expected);
      }
    }
  }

  TEST_CASE("chimera with latency, B = 2F, c <= F: + c[(3p-5) + (K-1)(2p-4)]") {
    for (const int p : {4, 8}) {
      for (int units = 1; units <= 2; ++units) {
        for (const std::int64_t c : {1, 3, 4}) {
          Problem problem = chimera(p, units * p, 4, 8);
          const std::int64_t without = makespan(problem);
          problem.communication.intra.latency = Ticks{c};
          problem.communication.inter.latency = Ticks{c};
          CHECK(makespan(problem) == without + c * (3 * p - 5 + (units - 1) * (2 * p - 4)));
        }
      }
    }
  }

  TEST_CASE("chimera holds p/2 + 1 + min(i, p-1-i) activations, doubled twice that, at most m") {
    for (int p = 2; p <= 8; p += 2) {
      for (int m = 1; m <= 6 * p; ++m) {
        for (const auto& [f, b] : {std::pair(1, 2), {5, 3}}) {
          for (const std::int64_t slot : {1, 2}) {
            INFO("p=", p, " m=", m, " slot=", slot);
            const Parameters parameters = slot == 2 ? kDoubling : Parameters{};
            const Problem problem = chimera(p, m, f, b);
            const auto held =
                test::activations_of(test::metrics_of("chimera", problem, parameters));
            const auto bounds = test::peaks_of("chimera", problem, parameters);
            const auto full = full_peaks(p, slot);
            for (std::size_t i = 0; i < held.size(); ++i) {
              CHECK(bounds[i] == std::min<std::int64_t>(full[i], m));
              CHECK(held[i] <= bounds[i]);
              if (m % (slot * p) == 0) CHECK(held[i] == full[i]);
            }
          }
        }
      }
    }
  }

  TEST_CASE("chimera refuses an odd p") {
    CHECK_THROWS_WITH(test::program_of("chimera", chimera(5, 5)),
                      "/p: chimera needs an even p: 5 % 2 = 1; an even number of devices");
  }

  TEST_CASE("chimera's program is as long for any m with the same last unit") {
    const Schedule& schedule = *find_schedule(builtin_schedules(), "chimera");
    for (const Parameters& parameters : {Parameters{}, kDoubling}) {
      const auto lines = [&](int m) {
        return test::lines(schedule.build(chimera(4, m), parameters));
      };
      CHECK(lines(103) == lines(10007));
      CHECK(lines(103) == lines(2147483647));
      CHECK(lines(103) < 4 * 60);
    }
  }
}
