#include "sim/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sim/task_graph.hpp"
#include "tools/memory.hpp"

using namespace pipesim;
using namespace std::chrono_literals;

namespace {

constexpr int kJobs[] = {1, 2, 3, 16};

/// What parallel_for() throws if these indices throw their number, while the others take time.
std::string thrown(const std::vector<std::int64_t>& failing, int jobs) {
  std::vector<std::atomic<int>> calls(100);
  try {
    parallel_for(100, jobs, [&](std::int64_t index) {
      ++calls[static_cast<std::size_t>(index)];
      for (const std::int64_t one : failing) {
        if (index != one) continue;
        throw std::runtime_error(std::to_string(index));
      }
      std::this_thread::sleep_for(100us);
    });
  } catch (const std::runtime_error& error) {
    for (std::int64_t index = 0; index <= std::stoll(error.what()); ++index) {
      CHECK(calls[static_cast<std::size_t>(index)] == 1);
    }
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("parallel_for: each index once; with one job in their order") {
    for (const int jobs : kJobs) {
      CAPTURE(jobs);
      std::vector<std::atomic<int>> calls(1000);
      parallel_for(1000, jobs,
                   [&](std::int64_t index) { ++calls[static_cast<std::size_t>(index)]; });
      for (const std::atomic<int>& called : calls) CHECK(called == 1);
    }
    std::vector<std::int64_t> order;
    parallel_for(1000, 1, [&](std::int64_t index) { order.push_back(index); });
    std::vector<std::int64_t> expected(1000);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(order == expected);
    parallel_for(0, 2, [&](std::int64_t) { order.clear(); });
    CHECK(order.size() == 1000);
  }

  TEST_CASE("parallel_for: as many at once as there are jobs, also beyond the processors") {
    for (const int jobs : {1, 2, processors() + 2}) {
      std::atomic<int> running = 0;
      std::atomic<int> most = 0;
      parallel_for(4 * std::int64_t{jobs}, jobs, [&](std::int64_t) {
        const int now = ++running;
        int before = most;
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        // Until all have been here at once, or for long enough to see that there are no more.
        for (int waits = 0; most < jobs + 1 && waits < (most < jobs ? 1000 : 5); ++waits) {
          std::this_thread::sleep_for(5ms);
        }
        --running;
      });
      CHECK(most == jobs);
    }
  }

  TEST_CASE("parallel_for: the lowest index that throws is the one that has thrown") {
    for (const int jobs : kJobs) {
      CAPTURE(jobs);
      CHECK(thrown({}, jobs) == "nothing");
      CHECK(thrown({0}, jobs) == "0");
      CHECK(thrown({99}, jobs) == "99");
      CHECK(thrown({50, 51, 52, 75, 99}, jobs) == "50");
      CHECK(thrown({49, 50, 98}, jobs) == "49");
    }
  }

  TEST_CASE("jobs_that_fit: together in the memory, but at least one") {
    constexpr std::int64_t kMany = std::int64_t{1} << 61;
    CHECK(jobs_that_fit(4, 100, 400 * kBytesPerTask) == 4);
    CHECK(jobs_that_fit(4, 100, 400 * kBytesPerTask - 1) == 3);
    CHECK(jobs_that_fit(4, 100, 1000 * kBytesPerTask) == 4);
    CHECK(jobs_that_fit(4, 100, 100 * kBytesPerTask) == 1);
    CHECK(jobs_that_fit(4, 100, 0) == 1);
    CHECK(jobs_that_fit(4, kMany, 100) == 1);
    CHECK(jobs_that_fit(4, 0, 100 * kBytesPerTask) == 4);
  }

  TEST_CASE("parallel_for: one inside another") {
    std::atomic<int> calls = 0;
    parallel_for(8, 2, [&](std::int64_t) {
      static thread_local bool is_waiting = false;
      CHECK_FALSE(is_waiting);  // whoever waits for the inner calls takes no outer one
      is_waiting = true;
      parallel_for(8, 2, [&](std::int64_t) {
        std::this_thread::sleep_for(1ms);
        ++calls;
      });
      is_waiting = false;
    });
    CHECK(calls == 64);
  }

  TEST_CASE("parallel_in_order: pieces are taken in their order, each once") {
    for (const int jobs : kJobs) {
      CAPTURE(jobs);
      std::int64_t begun = 0;
      std::vector<std::int64_t> taken;
      parallel_in_order(
          jobs,
          [&]() -> std::optional<Piece> {
            if (begun == 200) return std::nullopt;
            begun += 2;
            return Piece{begun - 2, begun};
          },
          [&](Piece piece) -> std::function<void()> {
            if (piece.begin % 7 == 0) std::this_thread::sleep_for(200us);
            return [&taken, piece] {
              for (std::int64_t i = piece.begin; i < piece.end; ++i) taken.push_back(i);
            };
          });
      std::vector<std::int64_t> all(200);
      std::iota(all.begin(), all.end(), 0);
      CHECK(taken == all);
    }
  }

  TEST_CASE(
      "parallel_in_order: the first piece that throws ends the work, all before it are taken") {
    for (const int jobs : kJobs) {
      for (const bool in_work : {true, false}) {
        CAPTURE(jobs);
        std::int64_t begun = 0;
        std::int64_t taken = 0;
        const auto fail = [](std::int64_t piece) {
          if (piece == 20 || piece == 23) throw std::runtime_error(std::to_string(piece));
        };
        CHECK_THROWS_WITH_AS(parallel_in_order(
                                 jobs,
                                 [&]() -> std::optional<Piece> {
                                   if (begun == 1000) return std::nullopt;
                                   ++begun;
                                   return Piece{begun - 1, begun};
                                 },
                                 [&](Piece piece) -> std::function<void()> {
                                   if (in_work) fail(piece.begin);
                                   // What lies between the filters is freed (LeakSanitizer).
                                   return [&, piece, text = std::string(100, 'x')] {
                                     fail(piece.begin);
                                     ++taken;
                                   };
                                 }),
                             "20", std::runtime_error);
        CHECK(taken == 20);
        CHECK(begun < 1000);
      }
    }
  }
}
