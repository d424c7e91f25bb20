#include "sim/io/html_data.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "sim/io/html_report.hpp"
#include "tests/drawn_runs.hpp"
#include "tests/occurrences.hpp"

using namespace pipesim;
using nlohmann::json;
using test::Drawn;

namespace {

/// A report with what a page says besides.
Report full_report(const Drawn& drawn) {
  Report report = drawn.report;
  report.problem = drawn.graph.problem();
  report.metrics = compute_metrics(drawn.graph, drawn.timeline);
  report.peak_memory = peak_memory(drawn.graph, drawn.timeline);
  for (const std::vector<IdlePart>& parts : idle_parts(drawn.graph, drawn.timeline)) {
    report.idle.push_back(idle_times(parts));
  }
  return report;
}

json data_of(const Report& report, const Picture& picture) {
  const DrawnRun run = {.report = &report, .picture = &picture};
  return json::parse(page_data({&run, 1}, {}));
}

/// An integer of a column: a number, or a string where it is beyond 2^53.
std::int64_t integer(const json& value) {
  if (!value.is_string()) return value.get<std::int64_t>();
  const std::int64_t number = std::stoll(value.get<std::string>());
  CHECK((number > (std::int64_t{1} << 53) || number < -(std::int64_t{1} << 53)));
  return number;
}

struct Times {
  Ticks start;
  Ticks end;
};

std::vector<Times> times_of(const json& columns, std::int64_t tick) {
  std::vector<Times> times;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < columns["gap"].size(); ++i) {
    const std::int64_t start = at + integer(columns["gap"][i]) * tick;
    at = start + integer(columns["length"][i]) * tick;
    times.push_back({Ticks{start}, Ticks{at}});
  }
  return times;
}

/// The op of an entry of `ops` from its letters on.
Op op_of(const json& letters, const json& stage, const json& microbatch) {
  return {.kind = op_kind(letters.get<std::string>()).value(),
          .stage = Stage{stage.get<std::int32_t>()},
          .microbatch = Microbatch{microbatch.get<std::int32_t>()}};
}

/// What the page's script makes of a run: the steps of all blocks, in their order.
class ReadRun {
 public:
  explicit ReadRun(const json& run) : run_(run) {
    for (const json& device : run["devices"]) {
      for (const char* const name : {"blocks", "beside"}) read_steps(device[name]);
    }
  }

  const std::vector<Step>& steps() const { return steps_; }

  /// The token of what a reference names; "" for nothing.
  std::string named(const json& reference) const {
    const auto value = reference.get<std::size_t>();
    if (value == 0) return "";
    if (value % 2 == 1) return run_["undrawn"].at((value - 1) / 2).get<std::string>();
    return token(steps_.at(value / 2 - 1));
  }

 private:
  void read_steps(const json& lane) {
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < lane["op"].size(); ++i) {
      const json& entry = run_["ops"].at(lane["op"][i].get<std::size_t>());
      Step step{.op = op_of(entry[0], entry[1], lane["microbatch"][i])};
      if (entry.size() > 6) step.overlapped = op_of(entry[6], entry[7], lane["second"][pairs++]);
      steps_.push_back(step);
    }
    CHECK(pairs == lane["second"].size());
  }

  const json& run_;
  std::vector<Step> steps_;
};

std::string token_of(const Drawn& drawn, TaskId task) {
  return task == kNoTask ? "" : token(drawn.graph.step(task));
}

void check_lane(const json& lane, const std::vector<Block>& blocks, const ReadRun& run,
                std::size_t first, std::int64_t tick, const Drawn& drawn) {
  const std::vector<Times> times = times_of(lane, tick);
  REQUIRE(times.size() == blocks.size());
  std::vector<std::size_t> critical;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CHECK(times[i].start == blocks[i].start);
    CHECK(times[i].end == blocks[i].end);
    CHECK(run.steps()[first + i] == blocks[i].step);
    CHECK(run.named(lane["by"][i]) == token_of(drawn, blocks[i].released_by));
    if (blocks[i].is_critical) critical.push_back(i);
  }
  CHECK(lane["critical"].get<std::vector<std::size_t>>() == critical);
}

void check_idle(const json& idle, const std::vector<IdlePart>& parts, const ReadRun& run,
                const json& whys, std::int64_t tick, const Drawn& drawn) {
  const std::vector<Times> times = times_of(idle, tick);
  REQUIRE(times.size() == parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CHECK(times[i].start == parts[i].begin);
    CHECK(times[i].end == parts[i].end);
    const json& why = whys.at(idle["why"][i].get<std::size_t>());
    CHECK(why[0] == static_cast<int>(parts[i].cause));
    if (parts[i].cause == IdleCause::dependency) {
      CHECK(why[1] == fmt::format("device {} has not yet done what it waits for",
                                  parts[i].on.value_or(Device{}).value));
    }
    CHECK(run.named(idle["next"][i]) == token_of(drawn, parts[i].next));
    CHECK(run.named(idle["by"][i]) == token_of(drawn, parts[i].released_by));
  }
}

/// At the picture's begin, and after every change in it, a device holds what the page says.
void check_memory(const json& memory, const PictureRow& row, const Picture& picture,
                  std::int64_t tick, std::int64_t amount_tick) {
  std::vector<MemoryPoint> shown;
  MemoryPoint at{};
  for (std::size_t i = 0; i < memory["gap"].size(); ++i) {
    at.time += Ticks{integer(memory["gap"][i]) * tick};
    at.amount += integer(memory["change"][i]) * amount_tick;
    shown.push_back(at);
  }
  const auto held = [](const std::vector<MemoryPoint>& points, Ticks time) {
    std::int64_t amount = -1;
    for (const MemoryPoint& point : points) {
      if (point.time <= time) amount = point.amount;
    }
    return amount;
  };
  CHECK(held(shown, picture.from) == held(row.memory, picture.from));
  for (const MemoryPoint& point : row.memory) {
    if (point.time < picture.from || point.time >= picture.to) continue;
    CHECK(held(shown, point.time) == held(row.memory, point.time));
  }
}

void check_run(const Drawn& drawn, const Report& report, const Picture& picture) {
  const json data = data_of(report, picture);
  const json& run = data["runs"][0];
  const std::int64_t tick = std::stoll(run["tick"].get<std::string>());
  const std::int64_t amount = std::stoll(run["memory"]["tick"].get<std::string>());
  const ReadRun read(run);
  CHECK(static_cast<std::int64_t>(read.steps().size()) == picture.blocks());
  CHECK(data["from"] == std::to_string(picture.from.count));
  CHECK(data["to"] == std::to_string(picture.to.count));
  REQUIRE(run["devices"].size() == picture.rows.size());
  std::size_t first = 0;
  for (std::size_t i = 0; i < picture.rows.size(); ++i) {
    const json& device = run["devices"][i];
    const PictureRow& row = picture.rows[i];
    CHECK(device["device"] == row.device.value);
    check_lane(device["blocks"], row.blocks, read, first, tick, drawn);
    first += row.blocks.size();
    check_lane(device["beside"], row.beside, read, first, tick, drawn);
    first += row.beside.size();
    check_idle(device["idle"], row.idle, read, run["whys"], tick, drawn);
    check_memory(device["memory"], row, picture, tick, amount);
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("page data: it is the picture, whole or in part") {
    test::for_random_runs(20261, 200, [](const Drawn& drawn, std::mt19937_64& random) {
      const Report report = full_report(drawn);
      check_run(drawn, report, drawn.picture());
      const std::int64_t end = report.metrics.t_total.count;
      const std::int64_t from = test::draw(random, 0, end - 1);
      const PictureView part = {.from = Ticks{from},
                                .to = Ticks{test::draw(random, from + 1, end)},
                                .devices = {Device{0}}};
      check_run(drawn, report, drawn.picture(part));
    });
  }

  TEST_CASE("page data: the idle time of causes and devices is the devices' idle time") {
    test::for_random_runs(20262, 100, [](const Drawn& drawn, std::mt19937_64&) {
      const Report report = full_report(drawn);
      const json run = data_of(report, drawn.picture())["runs"][0];
      std::int64_t all = 0;
      for (std::size_t device = 0; device < report.metrics.devices.size(); ++device) {
        std::int64_t sum = 0;
        for (const json& time : run["idle"][device]) sum += std::stoll(time.get<std::string>());
        CHECK(sum == report.metrics.devices[device].idle.count);
        all += sum;
      }
      for (const json& time : run["idleSum"]) all -= std::stoll(time.get<std::string>());
      CHECK(all == 0);
    });
  }

  TEST_CASE("page data: times beyond what a JavaScript number holds are exact") {
    // Odd and without a common divisor, so that no larger tick makes them small.
    constexpr std::int64_t kForward = (std::int64_t{1} << 57) + 1;
    constexpr std::int64_t kBackward = (std::int64_t{1} << 57) + 3;
    Problem problem = test::equal_stages(2, 3, kForward, kBackward);
    const Drawn drawn({.problem = problem, .program = test::program_of("1f1b", problem)});
    const Report report = full_report(drawn);
    check_run(drawn, report, drawn.picture());
    const json run = data_of(report, drawn.picture())["runs"][0];
    CHECK(run["devices"][0]["blocks"]["length"][0] == std::to_string(kForward));
  }

  TEST_CASE("page: what a config or a schedule says cannot become part of the page") {
    const std::string attack = "</script><script>alert(1)</script><!--";
    const Problem problem = test::equal_stages(2, 2, 1, 2);
    const Drawn drawn({.problem = problem, .program = test::program_of("1f1b", problem)});
    Report report = full_report(drawn);
    report.config.schedule = attack;
    report.config.costs.file = attack;
    report.notes = {attack};
    report.schedule_summary = attack;
    const Picture picture = make_picture(drawn.graph, drawn.timeline, report, PictureView{});
    const std::string page = run_page(report, picture, {});
    CHECK(test::occurrences(page, attack) == 0);
    CHECK(test::occurrences(page, "<script") == 2);
    CHECK(test::occurrences(page, "</script") == 2);
    CHECK(test::occurrences(page, "<!--") == 0);
    CHECK(test::occurrences(page, "&lt;/script&gt;&lt;script&gt;alert(1)") >= 3);
    std::vector<ComparedSchedule> compared(2);
    compared[0].schedule = attack;
    compared[0].report = report;
    compared[0].picture = picture;
    compared[1].schedule = attack;
    compared[1].reason = attack;
    const std::string comparison = comparison_page(compared, {});
    CHECK(test::occurrences(comparison, attack) == 0);
    CHECK(test::occurrences(comparison, "<script") == 2);
  }

  TEST_CASE("page: all notes of a run stand in it") {
    const Problem problem = test::equal_stages(2, 2, 1, 2);
    const Drawn drawn({.problem = problem, .program = test::program_of("1f1b", problem)});
    Report report = full_report(drawn);
    report.config.t_f.values = {Ticks{1}};
    report.config.t_b.values = {Ticks{2}};
    report.notes = {"one is said", "another too"};
    const std::string page = run_page(report, drawn.picture(), {});
    for (const std::string& note : report.notes) CHECK(test::occurrences(page, note) == 1);
  }

  TEST_CASE("page: nothing in it is loaded from elsewhere") {
    const Problem problem = test::equal_stages(2, 2, 1, 2);
    const Drawn drawn({.problem = problem, .program = test::program_of("1f1b", problem)});
    Report report = full_report(drawn);
    report.config.schedule = "1f1b";
    report.config.t_f.values = {Ticks{1}};
    report.config.t_b.values = {Ticks{2}};
    const std::string page = run_page(report, drawn.picture(), {});
    CHECK(test::occurrences(page, "http") ==
          test::occurrences(page, "http-equiv") +
              test::occurrences(page, "http://www.w3.org/2000/svg"));
    CHECK(test::occurrences(page, "default-src 'none'") == 1);
    for (const char* const part : {"src=", "href=", "url(", "@import", "fetch(", "eval("}) {
      CAPTURE(part);
      CHECK(test::occurrences(page, part) == 0);
    }
    CHECK(page == run_page(report, drawn.picture(), {}));
  }

  TEST_CASE("page: one that is too large is refused with its size") {
    const auto refusal = [](std::int64_t bytes, PageSize size) -> std::string {
      try {
        require_page_size(bytes, size);
      } catch (const Error& error) {
        return error.what();
      }
      return "";
    };
    const std::string end =
        " MB is too large; at most 50 MB: --from and --to, or --devices, show a part";
    CHECK(refusal(kMostPageBytes, PageSize::exact) == "");
    CHECK(refusal(kMostPageBytes + 1, PageSize::exact) == "/output/html: a page of 50.1" + end);
    CHECK(refusal(73'400'000, PageSize::least) == "/output/html: a page of at least 73.4" + end);
  }
}
