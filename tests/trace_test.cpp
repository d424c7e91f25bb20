#include "sim/io/trace.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sim/engine.hpp"
#include "tests/problems.hpp"
#include "tests/random_runs.hpp"
#include "tests/written_text.hpp"

using namespace pipesim;
using Json = nlohmann::json;

namespace {

constexpr std::int64_t kMillisecond = 1'000'000'000;

struct Traced {
  TaskGraph graph;
  Timeline timeline;
  std::string text;
  Json document;

  explicit Traced(const std::string& schedule, const Problem& problem)
      : Traced(problem, test::program_of(schedule, problem)) {}
  Traced(const Problem& problem, const Program& program)
      : graph(problem, program),
        timeline(simulate(graph)),
        text(test::written_text([&](OutputFile& file) { write_trace(graph, timeline, file); })),
        document(Json::parse(text)) {}

  std::vector<Json> events(const std::string& phase) const {
    std::vector<Json> found;
    for (const Json& event : document.at("traceEvents")) {
      if (event.at("ph") == phase) found.push_back(event);
    }
    return found;
  }

  /// What was executed, in file order: slices, and instants where it takes no time.
  std::vector<Json> executed() const {
    std::vector<Json> found;
    for (const Json& event : document.at("traceEvents")) {
      if (event.at("ph") == "X" || event.at("ph") == "i") found.push_back(event);
    }
    return found;
  }
};

Traced small_1f1b() {
  return Traced("1f1b", test::equal_stages(2, 2, 2 * kMillisecond, 4 * kMillisecond));
}

/// "0 F0 0 2000": device, name, ts, dur.
std::vector<std::string> slice_rows(const Traced& trace) {
  std::vector<std::string> rows;
  for (const Json& slice : trace.events("X")) {
    rows.push_back(slice.at("pid").dump() + " " + slice.at("name").get<std::string>() + " " +
                   slice.at("ts").dump() + " " + slice.at("dur").dump());
  }
  return rows;
}

/// "0 2000 1": device, ts, value.
std::vector<std::string> counter_rows(const Traced& trace) {
  std::vector<std::string> rows;
  for (const Json& sample : trace.events("C")) {
    rows.push_back(sample.at("pid").dump() + " " + sample.at("ts").dump() + " " +
                   sample.at("args").at("microbatches").dump());
  }
  return rows;
}

double end_of(const Json& slice) {
  return slice.at("ts").get<double>() + slice.at("dur").get<double>();
}

/// Perfetto's clock.
double nanoseconds(const Json& microseconds) {
  return std::trunc(microseconds.get<double>() * 1000.0);
}

/// The slice on the event's thread that has `time` strictly inside, or null.
Json slice_around(const std::vector<Json>& slices, const Json& event) {
  Json found;
  for (const Json& slice : slices) {
    const double time = event.at("ts").get<double>();
    if (slice.at("pid") != event.at("pid") || slice.at("tid") != event.at("tid")) continue;
    if (slice.at("ts").get<double>() < time && time < end_of(slice)) {
      CHECK(found.is_null());
      found = slice;
    }
  }
  return found;
}

void check_no_overlap(const Traced& trace) {
  std::vector<Json> slices = trace.events("X");
  std::stable_sort(slices.begin(), slices.end(), [](const Json& left, const Json& right) {
    return std::pair(left.at("ts").get<double>(), end_of(left)) <
           std::pair(right.at("ts").get<double>(), end_of(right));
  });
  std::map<std::pair<int, int>, Json> before;  // by pid and tid
  std::map<std::pair<int, int>, double> begin;
  for (const Json& slice : slices) {
    const std::pair lane(slice.at("pid").get<int>(), slice.at("tid").get<int>());
    const auto [place, first] = before.try_emplace(lane, slice);
    if (first) begin[lane] = slice.at("ts").get<double>();
    CHECK(slice.at("dur").get<double>() > 0);
    if (first) continue;
    const Json& last = place->second;
    // As speedscope adds: from the lane's first slice on.
    CHECK(last.at("ts").get<double>() - begin[lane] + last.at("dur").get<double>() <=
          slice.at("ts").get<double>() - begin[lane]);
    CHECK(end_of(last) <= slice.at("ts").get<double>());
    CHECK(nanoseconds(last.at("ts")) + nanoseconds(last.at("dur")) <= nanoseconds(slice.at("ts")));
    place->second = slice;
  }
}

std::map<std::int64_t, std::vector<Json>> by_id(const std::vector<Json>& events) {
  std::map<std::int64_t, std::vector<Json>> grouped;
  for (const Json& event : events) grouped[event.at("id").get<std::int64_t>()].push_back(event);
  return grouped;
}

/// "F3" of a pair's "F3+B1" where the arrow is a forward's.
std::string part(const Json& slice, bool is_gradient) {
  std::string name = slice.at("name");
  const std::size_t plus = name.find('+');
  if (plus == std::string::npos) return name;
  return is_gradient ? name.substr(plus + 1) : name.substr(0, plus);
}

/// The microbatch of "F3", "I3" or "SEND_F3".
std::string number(const std::string& name) {
  return name.substr(name.find_first_of("0123456789"));
}

/// Every arrow joins the right slices, by way of both slices of a transfer or directly; returns how
/// many there are.
std::size_t check_arrows(const Traced& trace) {
  const std::vector<Json> slices = trace.events("X");
  const auto leaving = by_id(trace.events("s"));
  const auto passing = by_id(trace.events("t"));
  const auto entering = by_id(trace.events("f"));
  CHECK(leaving.size() == entering.size());
  for (const auto& [id, passes] : passing) CHECK(leaving.contains(id));
  for (const auto& [id, finishes] : entering) {
    REQUIRE(finishes.size() == 1);
    REQUIRE(leaving.at(id).size() == 1);
    std::vector<Json> way = leaving.at(id);
    if (passing.contains(id)) {
      REQUIRE(passing.at(id).size() == 2);
      way.insert(way.end(), passing.at(id).begin(), passing.at(id).end());
    }
    way.push_back(finishes[0]);
    CHECK(finishes[0].at("bp") == "e");
    const bool is_gradient = finishes[0].at("name") == "gradient";
    std::string microbatch;
    for (std::size_t i = 0; i < way.size(); ++i) {
      CHECK(way[i].at("name") == finishes[0].at("name"));
      CHECK(way[i].at("cat") == finishes[0].at("cat"));
      if (i > 0) CHECK(way[i - 1].at("ts").get<double>() < way[i].at("ts").get<double>());
      const Json slice = slice_around(slices, way[i]);
      REQUIRE(!slice.is_null());
      CHECK((slice.at("tid") != 0) == (i > 0 && i + 1 < way.size()));
      const std::string now = number(part(slice, is_gradient));
      if (i > 0) CHECK(now == microbatch);
      microbatch = now;
    }
  }
  return leaving.size();
}

/// "0/1 SEND_F0 2000 3000": pid, tid, name, ts, dur, of slices off thread 0.
std::vector<std::string> transfer_rows(const Traced& trace) {
  std::vector<std::string> rows;
  for (const Json& slice : trace.events("X")) {
    if (slice.at("tid") == 0) continue;
    rows.push_back(slice.at("pid").dump() + "/" + slice.at("tid").dump() + " " +
                   slice.at("name").get<std::string>() + " " + slice.at("ts").dump() + " " +
                   slice.at("dur").dump());
  }
  return rows;
}

/// "0/1 send to next", of threads other than 0.
std::vector<std::string> thread_names(const Traced& trace) {
  std::vector<std::string> names;
  for (const Json& event : trace.events("M")) {
    if (event.at("name") != "thread_name" || event.at("tid") == 0) continue;
    names.push_back(event.at("pid").dump() + "/" + event.at("tid").dump() + " " +
                    event.at("args").at("name").get<std::string>());
  }
  return names;
}

Communication hop(TransferMode mode, std::int64_t latency, std::int64_t occupancy) {
  Communication communication;
  communication.mode = mode;
  communication.intra = {.latency = Ticks{latency * kMillisecond},
                         .occupancy = Ticks{occupancy * kMillisecond}};
  communication.inter = communication.intra;
  return communication;
}

}  // namespace

TEST_SUITE("unit") {
  // p=2, m=2, F=2 ms, B=4 ms, drawn by hand.
  TEST_CASE("trace: a slice for each op, in microseconds") {
    const Traced trace = small_1f1b();
    CHECK(slice_rows(trace) == std::vector<std::string>{"0 F0 0 2000", "0 F1 2000 2000",
                                                        "0 B0 8000 4000", "0 B1 14000 4000",
                                                        "1 F0 2000 2000", "1 B0 4000 4000",
                                                        "1 F1 8000 2000", "1 B1 10000 4000"});
    const std::vector<Json> slices = trace.events("X");
    CHECK(slices[0].at("args") == Json{{"stage", 0}, {"microbatch", 0}});
    CHECK(slices[2].at("args") == Json{{"stage", 0}, {"microbatch", 0}, {"released_by", "1B0"}});
    CHECK(slices[7].at("args") == Json{{"stage", 1}, {"microbatch", 1}, {"released_by", "1F1"}});
    CHECK(slices[0].at("cat") == "forward");
    CHECK(slices[2].at("cat") == "backward");
    for (const Json& slice : slices) CHECK(slice.at("tid") == 0);
  }

  TEST_CASE("trace: live activations at every change") {
    CHECK(counter_rows(small_1f1b()) == std::vector<std::string>{"0 0 1", "0 2000 2", "0 12000 1",
                                                                 "0 18000 0",  //
                                                                 "1 0 0", "1 2000 1", "1 14000 0"});
  }

  TEST_CASE("trace: devices have names and an order") {
    std::vector<std::string> names;
    for (const Json& event : small_1f1b().events("M")) {
      names.push_back(event.at("pid").dump() + " " + event.at("name").get<std::string>() + " " +
                      event.at("args").dump());
    }
    CHECK(names == std::vector<std::string>{R"(0 process_name {"name":"device 0"})",
                                            R"(0 process_sort_index {"sort_index":0})",
                                            R"(0 thread_name {"name":"compute"})",  //
                                            R"(1 process_name {"name":"device 1"})",
                                            R"(1 process_sort_index {"sort_index":1})",
                                            R"(1 thread_name {"name":"compute"})"});
  }

  TEST_CASE("trace: arrows touch slices well inside") {
    const Traced trace = small_1f1b();
    CHECK(check_arrows(trace) == 4);
    const Json leaves = trace.events("s").at(0);  // 0F0, the consumer 1F0 is task 4
    CHECK(leaves.at("id") == 9);
    CHECK(leaves.at("ts") == 1500);
    CHECK(leaves.at("name") == "activation");
    const Json enters = trace.events("f").at(0);  // 0B0 from 1B0
    CHECK(enters.at("id") == 6);
    CHECK(enters.at("ts") == 9000);
    CHECK(enters.at("name") == "gradient");
  }

  TEST_CASE("trace: one event a line, a slice before its arrows") {
    const Traced trace = small_1f1b();
    CHECK(trace.text.starts_with("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{"));
    CHECK(trace.text.ends_with("}\n]}\n"));
    const auto lines =
        static_cast<std::size_t>(std::count(trace.text.begin(), trace.text.end(), '\n'));
    CHECK(lines == trace.document.at("traceEvents").size() + 2);
    std::string before;
    for (const Json& event : trace.document.at("traceEvents")) {
      const std::string phase = event.at("ph");
      if (phase == "s" || phase == "f") CHECK((before == "X" || before == "f"));
      before = phase;
    }
  }

  TEST_CASE("trace: exact decimals, fine units for short ops") {
    const Traced trace("gpipe", test::equal_stages(1, 2, 1'500'001, 1));
    CHECK(trace.text.find("\"ts\":1.500001,\"dur\":1.500001,") != std::string::npos);
    CHECK(trace.text.find("\"ts\":3.000002,\"dur\":0.000001,") != std::string::npos);
    CHECK(trace.document.at("displayTimeUnit") == "ns");
    const Traced longer("gpipe", test::equal_stages(1, 2, 2'000'000, 0));
    CHECK(longer.document.at("displayTimeUnit") == "ms");
  }

  TEST_CASE("trace: ops that take no time") {
    const Traced trace("1f1b", test::equal_stages(3, 4, 0, kMillisecond));
    CHECK(trace.events("X").size() == 12);
    CHECK(trace.events("i").size() == 12);
    CHECK(check_arrows(trace) == 8);  // of the backwards alone
    check_no_overlap(trace);
    // Two forwards start at 0, and where one activation goes the next one comes.
    std::vector<std::string> of_device_1;
    for (const std::string& row : counter_rows(trace)) {
      if (row.starts_with("1 ")) of_device_1.push_back(row);
    }
    CHECK(of_device_1 == std::vector<std::string>{"1 0 2", "1 4000 1", "1 5000 0"});
  }

  TEST_CASE("trace: longer than the buffer") {
    const Traced trace("gpipe", test::equal_stages(4, 300, 7, 11));
    CHECK(trace.text.size() > 200'000);
    CHECK(trace.events("X").size() == 2400);
  }

  // Sums in doubles go astray at these times: 1.001 * 1000 is less than 1001.
  TEST_CASE("trace: no slice reaches into the next one, whatever the times") {
    const std::int64_t times[] = {1,          3,
                                  7,          333,
                                  1'001,      1'000'007,
                                  33'333'333, 100'000'001,
                                  1'234'567,  333'333'333'333,
                                  20'000,     777'777'777'777};
    for (const std::int64_t forward : times) {
      for (const std::int64_t backward : times) {
        CAPTURE(forward);
        CAPTURE(backward);
        const Traced trace("1f1b", test::equal_stages(3, 12, forward, backward));
        check_no_overlap(trace);
        check_arrows(trace);
      }
    }
  }

  TEST_CASE("trace: a dur is cut where whole nanoseconds would overlap") {
    const Traced trace("1f1b", test::equal_stages(1, 2, 1'000'000, 7'000));
    CHECK(slice_rows(trace) == std::vector<std::string>{"0 F0 0 1", "0 B0 1 0.006999",
                                                        "0 F1 1.007 1", "0 B1 2.007 0.006999"});
    check_no_overlap(trace);
  }

  TEST_CASE("trace: random problems") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      Problem problem = test::random_problem(random);
      const std::int64_t scale = test::draw(random, 1, 10'000'000'000);
      for (StageCosts& costs : problem.costs) {
        costs = {.forward = costs.forward * scale, .backward = costs.backward * scale};
      }
      const Traced trace(seed % 2 == 0 ? "1f1b" : "gpipe", problem);
      const std::vector<Json> slices = trace.executed();
      REQUIRE(slices.size() == trace.timeline.spans.size());
      for (std::size_t i = 0; i < slices.size(); ++i) {
        const Span& span = trace.timeline.spans[i];
        CHECK(slices[i].at("name") == short_name(span.op));
        // Below 2^53 ticks the nearest double tells the tick; dur may be nudged down.
        CHECK(std::llround(slices[i].at("ts").get<double>() * 1e6) == span.start.count);
        const auto duration = std::llround(slices[i].value("dur", 0.0) * 1e6);
        CHECK(duration <= (span.end - span.start).count);
        CHECK(duration >= (span.end - span.start).count - 3);
      }
      check_no_overlap(trace);
      check_arrows(trace);
      std::map<int, int> live;
      for (const Json& sample : trace.events("C")) {
        live[sample.at("pid").get<int>()] = sample.at("args").at("microbatches").get<int>();
      }
      for (const auto& [device, value] : live) CHECK(value == 0);
      CHECK(live.size() == static_cast<std::size_t>(problem.devices));
    }
  }

  TEST_CASE("trace: near the end of time a dur still ends in time") {
    const std::int64_t days = 86'400 * std::int64_t{1'000'000'000'000};
    check_no_overlap(Traced("gpipe", test::equal_stages(2, 3, 10 * days + 1, 12 * days + 7)));
  }

  TEST_CASE("trace: a transfer is a slice on both its devices") {
    Problem problem = test::equal_stages(2, 2, 2 * kMillisecond, 4 * kMillisecond);
    problem.communication = hop(TransferMode::async, 1, 3);
    const Traced trace("gpipe", problem);
    CHECK(transfer_rows(trace) ==
          std::vector<std::string>{"0/1 SEND_F0 2000 3000", "1/2 SEND_F0 2000 3000",
                                   "0/1 SEND_F1 5000 3000", "1/2 SEND_F1 5000 3000",
                                   "1/3 SEND_B0 15000 3000", "0/4 SEND_B0 15000 3000",
                                   "1/3 SEND_B1 19000 3000", "0/4 SEND_B1 19000 3000"});
    CHECK(thread_names(trace) ==
          std::vector<std::string>{"0/1 send to next", "0/4 receive from next",
                                   "1/2 receive from previous", "1/3 send to previous"});
    CHECK(check_arrows(trace) == 4);
    CHECK(trace.events("t").size() == 8);
    check_no_overlap(trace);
    CHECK(trace.events("X").back().at("cat") == "send_backward");
  }

  TEST_CASE("trace: peers further away have threads by their number") {
    Problem problem = test::equal_stages(3, 1, kMillisecond, kMillisecond);
    problem.placement.device_of = {{Device{0}, Device{2}, Device{1}}};
    problem.communication = hop(TransferMode::async, 0, 1);
    const Program program = {{{forward(Stage{0}, 0), backward(Stage{0}, 0)},
                              {forward(Stage{2}, 0), backward(Stage{2}, 0)},
                              {forward(Stage{1}, 0), backward(Stage{1}, 0)}}};
    const Traced trace(problem, program);
    CHECK(thread_names(trace) ==
          std::vector<std::string>{"0/9 send to device 2", "0/10 receive from device 2",
                                   "1/1 send to next", "1/4 receive from next",
                                   "2/2 receive from previous", "2/3 send to previous",
                                   "2/5 send to device 0", "2/6 receive from device 0"});
    check_arrows(trace);
  }

  TEST_CASE("trace: transfers that overlap stand on threads of their own") {
    Problem problem = test::equal_stages(2, 3, kMillisecond, kMillisecond);
    problem.communication = hop(TransferMode::free, 0, 2);
    CHECK(transfer_rows(Traced("gpipe", problem)).empty());
    problem.communication.shared_link = Ticks{kMillisecond};  // of one node: nothing leaves it
    const Traced trace("gpipe", problem);
    CHECK(thread_names(trace) ==
          std::vector<std::string>{"0/1 send to next", "0/4 receive from next",
                                   "0/12 send to next (2)", "0/15 receive from next (2)",
                                   "1/2 receive from previous", "1/3 send to previous",
                                   "1/13 receive from previous (2)", "1/14 send to previous (2)"});
    check_no_overlap(trace);
    CHECK(check_arrows(trace) == 6);
  }

  TEST_CASE("trace: pairs, and activations of a device with several stages") {
    Problem problem = test::equal_stages(1, 2, kMillisecond, kMillisecond);
    const Program program = {
        {{forward(Stage{0}, 0), overlapped(forward(Stage{0}, 1), backward(Stage{0}, 0)),
          backward(Stage{0}, 1)}}};
    const Traced pair(problem, program);
    CHECK(slice_rows(pair) ==
          std::vector<std::string>{"0 F0 0 1000", "0 F1+B0 1000 2000", "0 B1 3000 1000"});
    CHECK(counter_rows(pair) ==
          std::vector<std::string>{"0 0 1", "0 1000 2", "0 3000 1", "0 4000 0"});
    CHECK(pair.events("X").back().at("args").at("released_by") == "(0F1;0B0)");

    problem.placement = loop_placement(1, 2);
    problem.costs.push_back(problem.costs[0]);
    problem.microbatches = 1;
    const Traced chunks(problem, {{{forward(Stage{0}, 0), forward(Stage{1}, 0),
                                    backward(Stage{1}, 0), backward(Stage{0}, 0)}}});
    CHECK(chunks.events("C").at(1).at("args") == Json{{"chunks", 2}});
  }

  TEST_CASE("trace: a short slice of any kind takes the fine unit") {
    Problem problem = test::equal_stages(2, 1, kMillisecond, kMillisecond);
    problem.communication.mode = TransferMode::async;
    CHECK(Traced("gpipe", problem).document.at("displayTimeUnit") == "ms");
    problem.communication.intra.occupancy = Ticks{1'999'999};
    CHECK(Traced("gpipe", problem).document.at("displayTimeUnit") == "ns");
  }

  TEST_CASE("trace: random runs over the whole model") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const test::Run run =
          seed % 3 == 0 ? test::random_run_with_step_ends(random) : test::random_run(random);
      const Traced trace(run.problem, run.program);
      std::size_t slices = 0;
      for (const Span& span : trace.timeline.spans) {
        const bool is_drawn = span.op.kind != OpKind::barrier && span.op.kind != OpKind::release;
        slices += is_send(span.op.kind) ? 2U : is_drawn ? 1U : 0U;
      }
      CHECK(trace.executed().size() == slices);
      check_no_overlap(trace);
      check_arrows(trace);
    }
  }

  TEST_CASE("trace: memory in bytes has a counter of its own") {
    Problem problem = test::equal_stages(2, 2, 2'000'000, 4'000'000);
    problem.memory = {
        .in_bytes = true,
        .units_per_microbatch = 1,
        .stages = {{.activation = 100, .kept_for_weight = 50, .input = 0, .resident = 7},
                   {.activation = 30, .kept_for_weight = 15, .input = 0, .resident = 5}},
        .message = 0,
        .limit = std::nullopt};
    const TaskGraph graph(problem, test::program_of("1f1b", problem));
    const Timeline timeline = simulate(graph);
    const std::string text =
        test::written_text([&](OutputFile& file) { write_trace(graph, timeline, file); });
    std::string seen;
    const nlohmann::json trace = nlohmann::json::parse(text);
    for (const auto& event : trace.at("traceEvents")) {
      if (event.at("name") != "memory") continue;
      seen += event.at("pid").dump() + "@" + event.at("ts").dump() + "=" +
              event.at("args").at("bytes").dump() + " ";
    }
    // Device 0: F0 0-2, F1 2-4, B0 8-12, B1 14-18; device 1: F0 2-4, B0 4-8, F1 8-10, B1 10-14.
    CHECK(seen == "0@0=107 0@2=207 0@12=107 0@18=7 1@0=5 1@2=35 1@8=35 1@14=5 ");
  }
}
