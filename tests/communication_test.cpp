#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/analysis.hpp"
#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

struct Mode {
  TransferMode mode = TransferMode::free;
  RecvPosting posting = RecvPosting::eager;
};

Problem with_link(Problem problem, Mode mode, Link link) {
  problem.communication.mode = mode.mode;
  problem.communication.recv_posting = mode.posting;
  problem.communication.intra = link;
  return problem;
}

Ticks t_total(const std::string& schedule, const Problem& problem) {
  return total_time(simulate(problem, test::program_of(schedule, problem)));
}

/// "F0 0-2, SEND_F0 2-3" for each device: what it computes, then what it sends.
std::vector<std::string> rows(const Problem& problem, const Timeline& timeline) {
  std::vector<std::string> result(timeline.devices());
  for (const Span& span : timeline.spans) {
    std::string& row = result[static_cast<std::size_t>(problem.device(span.op).value)];
    row += (row.empty() ? "" : ", ") + short_name(span.op) + " " +
           std::to_string(span.start.count) + "-" + std::to_string(span.end.count);
  }
  return result;
}

constexpr Link kHop{.latency = Ticks{1}, .occupancy = Ticks{0}};

}  // namespace

TEST_SUITE("unit") {
  // F=1, B=2, c=0.5 in units of two ticks.
  TEST_CASE("p=4, m=8 with a latency of half a forward: 41 free, 61.5 blocking, GPipe 50") {
    const Problem problem = test::equal_stages(4, 8, 2, 4);
    const auto run = [&](const std::string& schedule, Mode mode) {
      return t_total(schedule, with_link(problem, mode, kHop)).count;
    };
    CHECK(run("1f1b", {TransferMode::free}) == 82);
    CHECK(run("1f1b", {TransferMode::async}) == 82);
    CHECK(run("1f1b", {TransferMode::rendezvous}) == 123);
    CHECK(run("gpipe", {TransferMode::rendezvous}) == 100);
    CHECK(run("gpipe", {TransferMode::rendezvous, RecvPosting::just_in_time}) == 100);
  }

  TEST_CASE("receives posted just in time deadlock 1f1b under rendezvous wherever p, m >= 2") {
    for (int p = 1; p <= 4; ++p) {
      for (int m = 1; m <= 4; ++m) {
        const Problem problem =
            with_link(test::equal_stages(p, m, 2, 4),
                      {TransferMode::rendezvous, RecvPosting::just_in_time}, kHop);
        CAPTURE(p);
        CAPTURE(m);
        if (p >= 2 && m >= 2) {
          CHECK_THROWS_AS(t_total("1f1b", problem), Error);
        } else {
          CHECK(t_total("1f1b", problem) > Ticks{0});
        }
      }
    }
  }

  // RULES: Megatron's and GPipe's closed forms under latency.
  TEST_CASE("latency c: 1f1b (m+p-1)T + c[2(p-1)(m+p)/p - 2] for p | m, gpipe (m+p-1)T + 2(p-1)c") {
    for (int p = 2; p <= 6; ++p) {
      for (int k = 1; k <= 5; ++k) {
        for (const std::int64_t c : {1, 3, 7}) {
          const std::int64_t m = std::int64_t{p} * k;
          const Problem problem =
              with_link(test::equal_stages(p, p * k, 20, 40), {TransferMode::free},
                        {.latency = Ticks{c}, .occupancy = Ticks{0}});
          const std::int64_t base = (m + p - 1) * 60;
          CAPTURE(p);
          CAPTURE(m);
          CAPTURE(c);
          CHECK(t_total("1f1b", problem).count ==
                base + c * (2 * (p - std::int64_t{1}) * (m + p) / p - 2));
          CHECK(t_total("gpipe", problem).count == base + 2 * (p - std::int64_t{1}) * c);
        }
      }
    }
  }

  // p=2, m=2, F=2, B=4, a transfer of 3 ticks on the wire and 1 tick of latency, drawn by hand.
  TEST_CASE("gpipe, p=2, m=2, start by start in each mode") {
    const Link link{.latency = Ticks{1}, .occupancy = Ticks{3}};
    const Problem problem = test::equal_stages(2, 2, 2, 4);
    const auto drawn = [&](TransferMode mode) {
      const Problem linked = with_link(problem, {mode}, link);
      return rows(linked, simulate(linked, test::program_of("gpipe", linked)));
    };
    using Rows = std::vector<std::string>;
    CHECK(drawn(TransferMode::free) ==
          Rows{"F0 0-2, F1 2-4, B0 18-22, B1 22-26", "F0 6-8, F1 8-10, B0 10-14, B1 14-18"});
    CHECK(drawn(TransferMode::async) ==
          Rows{"F0 0-2, F1 2-4, B0 19-23, B1 23-27, SEND_F0 2-5, SEND_F1 5-8",
               "F0 6-8, F1 9-11, B0 11-15, B1 15-19, SEND_B0 15-18, SEND_B1 19-22"});
    CHECK(drawn(TransferMode::single_stream) ==
          Rows{"F0 0-2, F1 2-4, B0 20-24, B1 24-28, SEND_F0 2-6, SEND_F1 6-10",
               "F0 6-8, F1 10-12, B0 12-16, B1 16-20, SEND_B0 16-20, SEND_B1 20-24"});
    CHECK(drawn(TransferMode::rendezvous) ==
          Rows{"F0 0-2, F1 6-8, B0 22-26, B1 30-34, SEND_F0 2-6, SEND_F1 8-12",
               "F0 6-8, F1 12-14, B0 14-18, B1 22-26, SEND_B0 18-22, SEND_B1 26-30"});
  }
}
