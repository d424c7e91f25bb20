#include "sim/progress.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/io/timeline_csv.hpp"
#include "sim/io/trace.hpp"
#include "sim/variation.hpp"
#include "tests/problems.hpp"
#include "tests/written_text.hpp"
#include "tools/progress.hpp"

using namespace pipesim;
using namespace pipesim::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kWide = 200;

std::string text_of(const std::vector<WorkPart>& parts, std::size_t columns = kWide) {
  return progress_text(parts, columns);
}

WorkPart tasks(std::int64_t done, std::chrono::duration<double> elapsed) {
  return {.what = "simulating",
          .total = 100'000'000,
          .unit = "tasks",
          .done = done,
          .elapsed = elapsed};
}

/// Keeps what it is told.
class Recorder final : public Progress {
 public:
  void begin(std::string_view what, std::int64_t total, std::string_view unit) override {
    parts_.push_back({.what = std::string(what), .total = total, .unit = std::string(unit)});
    ++open_;
  }
  void advance(std::int64_t units) override {
    const std::lock_guard lock(mutex_);
    parts_.back().done += units;
  }
  void end() override { --open_; }

  const std::vector<WorkPart>& parts() const { return parts_; }
  int open() const { return open_; }

 private:
  std::mutex mutex_;
  std::vector<WorkPart> parts_;
  int open_ = 0;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("progress: what, how much of it, how fast and how long to go") {
    CHECK(text_of({tasks(42'000'000, 2s)}) == "simulating  42 %  21.0 M tasks/s  3 s left");
    CHECK(text_of({tasks(99'999'999, 2s)}) == "simulating  99 %  50.0 M tasks/s  1 s left");
    CHECK(text_of({tasks(100'000'000, 10s)}) == "simulating  100 %  10.0 M tasks/s  0 s left");
    CHECK(text_of({tasks(200'000'000, 10s)}) == "simulating  100 %  10.0 M tasks/s  0 s left");
    CHECK(text_of({tasks(65'536, 70s)}) == "simulating  0 %  936 tasks/s  1 d 5 h left");
    CHECK(text_of({tasks(1'000'000, 72s)}) == "simulating  1 %  13.9 k tasks/s  1 h 58 min left");
    CHECK(text_of({tasks(50'000'000, 125s)}) == "simulating  50 %  400 k tasks/s  2 min 5 s left");
    CHECK(text_of({tasks(1, 1h)}) == "simulating  0 %  0.02 tasks/min  100 d or more left");
    CHECK(text_of({tasks(99'960'000, 100s)}).find("  1.00 M tasks/s  ") != std::string::npos);
  }

  TEST_CASE("progress: the number of the unit under way, where it is small") {
    const auto trial = [](std::int64_t done) {
      return text_of({{.what = "running trial",
                       .total = 1000,
                       .unit = "trials",
                       .done = done,
                       .elapsed = 26s}});
    };
    CHECK(trial(312) == "running trial 313 of 1000  31 %  12.0 trials/s  58 s left");
    CHECK(trial(1000) == "running trial 1000 of 1000  100 %  38.5 trials/s  0 s left");
    CHECK(trial(13) == "running trial 14 of 1000  1 %  30.0 trials/min  32 min 54 s left");
    CHECK(text_of({{.what = "simulating", .total = 10'000, .done = 0}}) == "simulating");
    CHECK(trial(0) == "running trial 1 of 1000  26 s");
  }

  TEST_CASE("progress: without a total, the time that it has taken, from a second on") {
    const auto search = [](std::chrono::duration<double> elapsed) {
      return text_of({{.what = "looking for the steady state", .elapsed = elapsed}});
    };
    CHECK(search(999ms) == "looking for the steady state");
    CHECK(search(1s) == "looking for the steady state  1 s");
    CHECK(search(3661s) == "looking for the steady state  1 h 1 min");
  }

  TEST_CASE("progress: parts within parts, with the numbers of the outermost that has some") {
    const WorkPart all = {
        .what = "comparing", .total = 24, .unit = "schedules", .done = 2, .elapsed = 1s};
    const WorkPart one = {.what = "zb_v", .elapsed = 500ms};
    CHECK(text_of({all, one, tasks(42'000'000, 100ms)}) ==
          "comparing 3 of 24: zb_v: simulating  8 %  2.00 schedules/s  11 s left");
    CHECK(text_of({one, tasks(42'000'000, 2s)}) ==
          "zb_v: simulating  42 %  21.0 M tasks/s  3 s left");
    CHECK(text_of({one, {.what = "measuring", .elapsed = 2s}}) == "zb_v: measuring  2 s");
  }

  TEST_CASE("progress: never wider than the terminal") {
    const std::vector<WorkPart> wide = {{.what = "writing a/rather/long/name/of/a/trace.json",
                                         .total = 1'000'000,
                                         .unit = "tasks",
                                         .done = 500'000,
                                         .elapsed = 1s}};
    CHECK(text_of(wide, 60) == "writing a/rather/long/name...  50 %  500 k tasks/s  1 s left");
    for (std::size_t columns = 0; columns < 90; ++columns) {
      CHECK(text_of(wide, columns).size() <= columns);
    }
    CHECK(text_of(wide, 20) == "writing a/rather/...");
    CHECK(text_of({{.what = "writing 图画.svg"}}, 16) == "writing 图画.svg");
    CHECK(text_of({{.what = "writing 图画.svg"}}, 15) == "writing 图画...");
    CHECK(text_of({{.what = "writing 图画.svg"}}, 14) == "writing 图...");
    CHECK(text_of({{.what = "writing 图画.svg"}}, 2) == "..");
  }

  TEST_CASE("progress: the engine and the writers report their tasks, and change nothing") {
    const Problem problem = equal_stages(4, 20'000, 1, 2);
    const TaskGraph graph(problem, program_of("1f1b", problem));
    REQUIRE(graph.size() == 160'000);
    Recorder recorder;
    const Timeline timeline = simulate(graph, {.progress = &recorder});
    CHECK(total_time(timeline) == total_time(simulate(graph)));
    REQUIRE(recorder.parts().size() == 1);
    const WorkPart& simulated = recorder.parts().front();
    CHECK(simulated.total == 160'000);
    CHECK(simulated.done == 2 * 65'536);
    const auto all_reported = [&](const auto& write) {
      Recorder written;
      const auto text = [&](Progress* progress) {
        return written_text([&](OutputFile& file) { write(file, Phase(progress, "writing")); });
      };
      CHECK(text(&written) == text(nullptr));
      CHECK(written.parts().front().done == 160'000);
      CHECK(written.open() == 0);
    };
    all_reported([&](OutputFile& file, const Phase& phase) {
      write_timeline_csv(problem, timeline, TimeUnit::ms, file, phase);
    });
    all_reported([&](OutputFile& file, const Phase& phase) {
      write_trace(graph, timeline, file, {}, phase);
    });
  }

  TEST_CASE("progress: trials are reported by every thread, also where one fails") {
    const Problem problem = equal_stages(2, 4, 1000, 2000);
    const Program program = program_of("1f1b", problem);
    Recorder recorder;
    TrialOptions options = {
        .jitter = {JitterKind::lognormal, 0.3}, .trials = 500, .jobs = 4, .progress = &recorder};
    run_trials(problem, program, options);
    REQUIRE(recorder.parts().size() == 1);
    CHECK(recorder.parts().front().total == 500);
    CHECK(recorder.parts().front().done == 500);
    CHECK(recorder.open() == 0);
    options.jitter.cv = -1;
    CHECK_THROWS_AS(run_trials(problem, program, options), Error);
    CHECK(recorder.parts().back().done == 0);
    CHECK(recorder.open() == 0);
  }
}
