// Windows of traces: how they are written, and that a windowed trace is a part of the whole one.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sim/engine.hpp"
#include "sim/io/trace.hpp"
#include "tests/problems.hpp"
#include "tests/random_runs.hpp"
#include "tests/written_text.hpp"

using namespace pipesim;
using Json = nlohmann::json;

namespace {

constexpr std::int64_t kUnit = 100'000;

/// The faults of a window's text, one a line; "" if it has none.
std::string faults(const std::string& text) {
  std::string lines;
  parse_trace_window(text, TimeUnit::ms,
                     [&](const Fault& fault) { lines += message(fault) + "\n"; });
  return lines;
}

TraceWindow window(const std::string& text) {
  return parse_trace_window(text, TimeUnit::ms, [](const Fault& fault) { FAIL(message(fault)); });
}

std::string refusal(const std::function<void()>& require) {
  try {
    require();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// A run, what it looks like as a whole and what a window shows of it.
struct Run {
  const TaskGraph& graph;
  const Timeline& timeline;
  TraceWindow window;

  std::vector<Json> events(const TraceWindow& shown) const {
    return Json::parse(test::written_text(
                           [&](OutputFile& file) { write_trace(graph, timeline, file, shown); }))
        .at("traceEvents");
  }

  bool has(Device device) const {
    if (window.devices.empty()) return true;
    for (const IndexRange& range : window.devices) {
      if (range.first <= device.value && device.value <= range.last) return true;
    }
    return false;
  }

  bool has(const Span& span) const {
    const Ticks from = window.from.value_or(Ticks{0});
    const Ticks to = window.to.value_or(total_time(timeline) + Ticks{1});
    const bool is_instant = span.start == span.end;
    if (span.start >= to || (is_instant ? span.start < from : span.end <= from)) return false;
    if (window.microbatches.empty()) return true;
    std::vector<Op> ops = {span.op};
    if (span.overlapped) ops.push_back(*span.overlapped);
    for (const Op& op : ops) {
      if (op.kind >= OpKind::grad_sync) continue;
      const std::int32_t whole = op.microbatch.value / graph.problem().slices;
      for (const IndexRange& range : window.microbatches) {
        if (range.first <= whole && whole <= range.last) return true;
      }
    }
    return false;
  }

  bool has(TaskId task) const { return has(timeline.spans[task]) && has(graph.device(task)); }
};

/// What tells a slice, but for its duration: that depends on where its track begins.
std::string slice_text(Json event) {
  event.erase("ph");
  event.erase("dur");
  event.erase("s");
  return event.dump();
}

/// By phase, in the file's order.
std::map<std::string, std::vector<std::string>> texts(const std::vector<Json>& events) {
  std::map<std::string, std::vector<std::string>> result;
  for (const Json& event : events) {
    const std::string phase = event.at("ph");
    const bool is_slice = phase == "X" || phase == "i";
    result[is_slice ? "slice" : phase].push_back(is_slice ? slice_text(event) : event.dump());
  }
  return result;
}

/// The events of a phase, one a line.
std::string text_of(const std::map<std::string, std::vector<std::string>>& events,
                    const std::string& phase) {
  const auto found = events.find(phase);
  return found == events.end() ? "" : fmt::format("{}", fmt::join(found->second, "\n"));
}

Ticks time_of(const Json& event) { return Ticks{std::llround(event.at("ts").get<double>() * 1e6)}; }

/// The events of the whole trace that the window shows, counters as they are within it.
std::vector<Json> shown_events(const Run& run, const std::vector<Json>& whole) {
  const Json from = Json::parse(format_time(run.window.from.value_or(Ticks{0}), TimeUnit::us));
  std::vector<Json> shown;
  std::map<std::string, std::size_t> counter_begins;  // by device and name: where in `shown`
  // Whose slices stand in the file in what order is the writer's; names tell tasks.
  std::multimap<std::string, TaskId> tasks;
  for (TaskId task = 0; task < run.graph.size(); ++task) {
    const Span& span = run.timeline.spans[task];
    tasks.emplace(short_name(span.op) + "/" + std::to_string(span.op.stage.value), task);
  }
  std::map<std::pair<int, int>, bool> has_slices;
  for (const Json& event : whole) {
    const std::string phase = event.at("ph");
    const Device device{event.at("pid").get<int>()};
    if (!run.has(device)) continue;
    if (phase == "X" || phase == "i") {
      std::string name = event.at("name");
      name = name.substr(0, name.find('+'));
      const auto [begin, end] = tasks.equal_range(name + "/" + event.at("args").at("stage").dump());
      bool is_shown = false;
      for (auto task = begin; task != end; ++task) {
        const Span& span = run.timeline.spans[task->second];
        is_shown = is_shown || (span.start == time_of(event) && run.has(span));
      }
      if (!is_shown) continue;
      has_slices[{device.value, event.at("tid").get<int>()}] = true;
    } else if (phase == "s" || phase == "t" || phase == "f") {
      const bool is_gradient = event.at("name") == "gradient";
      const auto to =
          static_cast<TaskId>((event.at("id").get<std::int64_t>() - (is_gradient ? 2 : 1)) / 2);
      Op op = run.graph.op(to);
      const Role kind = is_gradient ? Role::gradient : Role::forward;
      if (role(op.kind) != kind) op = *run.graph.overlapped(to);
      const Stage producer{op.stage.value + (is_gradient ? 1 : -1)};
      if (!run.has(to) || !run.has(run.graph.find(kind, producer, op.microbatch))) continue;
      const Op send = {.kind = is_gradient ? OpKind::send_backward : OpKind::send_forward,
                       .stage = producer,
                       .microbatch = op.microbatch};
      if (phase == "t" && !run.has(run.timeline.spans[run.graph.find_transfer(send)])) continue;
    } else if (phase == "C") {
      const Ticks to = run.window.to.value_or(total_time(run.timeline) + Ticks{1});
      if (time_of(event) >= to) continue;
      const std::string key = event.at("pid").dump() + event.at("name").dump();
      if (time_of(event) <= run.window.from.value_or(Ticks{0})) {
        const auto [place, is_new] = counter_begins.try_emplace(key, shown.size());
        if (is_new) shown.emplace_back();
        shown[place->second] = event;
        shown[place->second]["ts"] = from;
        continue;
      }
    }
    shown.push_back(event);
  }
  // Threads other than 0 are named where they have a slice.
  std::erase_if(shown, [&](const Json& event) {
    return event.at("ph") == "M" && event.at("tid") != 0 &&
           !has_slices.contains({event.at("pid").get<int>(), event.at("tid").get<int>()});
  });
  return shown;
}

std::vector<IndexRange> draw_ranges(std::mt19937_64& random, std::int64_t count) {
  std::vector<IndexRange> ranges;
  for (std::int64_t i = test::draw(random, 0, 2); i > 0; --i) {
    const auto first = static_cast<std::int32_t>(test::draw(random, 0, count - 1));
    const auto last = static_cast<std::int32_t>(test::draw(random, first, count - 1));
    ranges.push_back({.first = first, .last = last});
  }
  return ranges;
}

/// In a run whose times are multiples of a unit: at one of them, or between.
TraceWindow draw_window(std::mt19937_64& random, const Problem& problem, Ticks t_total) {
  const std::int64_t step = test::draw(random, 0, 1) == 0 ? kUnit : 1;
  const std::int64_t steps = t_total.count / step;
  TraceWindow drawn;
  if (test::draw(random, 0, 3) > 0) {
    drawn.from = Ticks{step * test::draw(random, 0, std::max<std::int64_t>(0, steps - 1))};
  }
  if (test::draw(random, 0, 3) > 0) {
    const std::int64_t from = drawn.from.value_or(Ticks{0}).count / step;
    drawn.to = Ticks{step * test::draw(random, from + 1, steps + 1)};
  }
  drawn.microbatches = draw_ranges(random, problem.whole_microbatches());
  drawn.devices = draw_ranges(random, problem.devices);
  return drawn;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("trace window: parts in any order, lists as elsewhere") {
    const TraceWindow all = window("devices=0,2-3,from=1,microbatches=4-15,to=2.5s");
    CHECK(all.from == Ticks{1'000'000'000});
    CHECK(all.to == Ticks{2'500'000'000'000});
    CHECK(all.devices == std::vector<IndexRange>{{0, 0}, {2, 3}});
    CHECK(all.microbatches == std::vector<IndexRange>{{4, 15}});
    CHECK(window("to=1us") == TraceWindow{.to = Ticks{1'000'000}});
  }

  TEST_CASE("trace window: what is wrong with each part is said") {
    const std::string parts =
        "; from=TIME, to=TIME, microbatches=LIST and devices=LIST, such as from=1ms,devices=0,2-5";
    CHECK(faults("devces=1") ==
          "\"devces\" is no part of a window" + parts + " (did you mean \"devices\"?)\n");
    CHECK(faults("3") == "\"3\" is no part of a window" + parts + "\n");
    CHECK(faults("from") == "\"from\" has no value" + parts + "\n");
    CHECK(faults("from=1,") == "\"\" is no part of a window" + parts + "\n");
    CHECK(faults("from=1,from=2") == "\"from\" stands there twice; each part once\n");
    CHECK(faults("from=soon,to=-1") ==
          "\"soon\" is no time of a run; a number of ms of at least 0, or one with its unit: "
          "2.5ms\n"
          "\"-1\" is no time of a run; a number of ms of at least 0, or one with its unit: "
          "2.5ms\n");
    CHECK(faults("devices=0,x,microbatches=3-1") ==
          "\"x\" is neither a device nor a range; numbers and ranges of them: 0,2-5\n"
          "\"3-1\" is neither a microbatch nor a range; numbers and ranges of them: 0,2-5\n");
    CHECK(faults("devices=") ==
          "\"\" is neither a device nor a range; numbers and ranges of them: 0,2-5\n");
    CHECK(faults("from=2s,to=2s") == "to=2000 ms does not lie behind from; more than 2000 ms\n");
    CHECK(faults("to=0") == "to=0 ms does not lie behind from; more than 0 ms\n");
  }

  TEST_CASE("trace window: it lies in the run") {
    Problem problem = test::equal_stages(4, 8, 1, 1);
    problem.iterations.count = 2;
    const std::string at = "/output/trace_window: ";
    CHECK(refusal([&] { require_window(window("devices=3,microbatches=15"), problem); }) == "");
    CHECK(refusal([&] { require_window(window("devices=2-4,microbatches=16,0"), problem); }) ==
          at + "there is no microbatch 16; 0 to 15\n" + at + "there is no device 4; 0 to 3");
    const Ticks end{66'000'000'000};
    const auto in_run = [&](const std::string& text) {
      return refusal([&] { require_window(window(text), end, TimeUnit::ms); });
    };
    CHECK(in_run("from=65.9,to=66") == "");
    CHECK(in_run("from=66") == at + "at 66 ms the run has ended; 0 to less than T_total, 66 ms");
    CHECK(in_run("to=66.1") ==
          at + "66.1 ms lies behind the end of the run; at most T_total, 66 ms");
  }

  // p=2, m=2, F=2 ms, B=4 ms: device 0 runs F0 0-2, F1 2-4, B0 8-12, B1 14-18.
  TEST_CASE("trace window: whole slices that overlap it, counters from its begin") {
    const Problem problem = test::equal_stages(2, 2, 2'000'000'000, 4'000'000'000);
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const Timeline timeline = simulate(graph);
    const Run run{graph, timeline, window("from=4,to=14,devices=0")};
    std::string seen;
    for (const Json& event : run.events(run.window)) {
      if (event.at("ph") == "M") continue;
      const std::string value = event.at("ph") == "C" ? event.at("args").dump() : "";
      seen += event.at("name").get<std::string>() + "@" + event.at("ts").dump() + value + " ";
    }
    CHECK(seen == R"(B0@8000 live activations@4000{"microbatches":2} )"
                  R"(live activations@12000{"microbatches":1} )");
  }

  TEST_CASE("trace window: a part of the whole trace, random runs and windows") {
    std::size_t arrows = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const test::Run drawn =
          seed % 3 == 0 ? test::random_run_with_step_ends(random) : test::random_run(random);
      const TaskGraph graph(drawn.problem, drawn.program);
      Timeline timeline = simulate(graph);
      // Long enough that no rounding takes an arrow away.
      for (Span& span : timeline.spans) {
        span.start = span.start * kUnit;
        span.end = span.end * kUnit;
      }
      const Run run{graph, timeline, draw_window(random, drawn.problem, total_time(timeline))};
      const auto seen = texts(run.events(run.window));
      const auto expected = texts(shown_events(run, run.events({})));
      for (const std::string phase : {"M", "slice", "s", "t", "f", "C"}) {
        CAPTURE(phase);
        CHECK(text_of(seen, phase) == text_of(expected, phase));
      }
      if (seen.contains("s")) arrows += seen.at("s").size();
    }
    CHECK(arrows > 100);
  }

  TEST_CASE("the size of a trace is at least what is said before the run") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const test::Run drawn = test::random_run_with_step_ends(random);
      const TaskGraph graph(drawn.problem, drawn.program);
      const Timeline timeline = simulate(graph);
      const auto bytes = static_cast<std::int64_t>(
          test::written_text([&](OutputFile& file) { write_trace(graph, timeline, file); }).size());
      const std::int64_t least =
          least_trace_bytes(drawn.problem, drawn.program, TraceFiles::one, {});
      CHECK(least <= bytes);
      CHECK(least >= 100 * static_cast<std::int64_t>(graph.compute_tasks()));
      CHECK(least_trace_bytes(drawn.problem, drawn.program, TraceFiles::one, {.from = Ticks{1}}) ==
            0);
    }
  }
}
