#include "sim/io/trace.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "tests/problems.hpp"
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
      : graph(problem, test::program_of(schedule, problem)),
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

/// The slice of the event's device that has `time` strictly inside, or null.
Json slice_around(const std::vector<Json>& slices, const Json& event) {
  Json found;
  for (const Json& slice : slices) {
    const double time = event.at("ts").get<double>();
    if (slice.at("pid") != event.at("pid")) continue;
    if (slice.at("ts").get<double>() < time && time < end_of(slice)) {
      CHECK(found.is_null());
      found = slice;
    }
  }
  return found;
}

void check_no_overlap(const Traced& trace) {
  std::map<int, Json> before;  // by device
  for (const Json& slice : trace.events("X")) {
    const auto [place, first] = before.try_emplace(slice.at("pid").get<int>(), slice);
    if (first) continue;
    const Json& last = place->second;
    CHECK(end_of(last) <= slice.at("ts").get<double>());
    CHECK(nanoseconds(last.at("ts")) + nanoseconds(last.at("dur")) <= nanoseconds(slice.at("ts")));
    place->second = slice;
  }
}

/// Every arrow joins the two right slices; returns how many there are.
std::size_t check_arrows(const Traced& trace) {
  const std::vector<Json> slices = trace.events("X");
  std::map<std::int64_t, Json> leaving;
  for (const Json& start : trace.events("s")) {
    CHECK(leaving.emplace(start.at("id").get<std::int64_t>(), start).second);
  }
  std::size_t arrows = 0;
  for (const Json& finish : trace.events("f")) {
    const Json& start = leaving.at(finish.at("id").get<std::int64_t>());
    CHECK(finish.at("bp") == "e");
    CHECK(start.at("name") == finish.at("name"));
    CHECK(start.at("cat") == finish.at("cat"));
    CHECK(start.at("ts").get<double>() < finish.at("ts").get<double>());
    const Json producer = slice_around(slices, start);
    const Json consumer = slice_around(slices, finish);
    REQUIRE(!producer.is_null());
    REQUIRE(!consumer.is_null());
    CHECK(producer.at("name") == consumer.at("name"));
    const int step = producer.at("cat") == "forward" ? 1 : -1;
    CHECK(consumer.at("args").at("stage").get<int>() ==
          producer.at("args").at("stage").get<int>() + step);
    ++arrows;
  }
  CHECK(arrows == leaving.size());
  return arrows;
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
    CHECK(leaves.at("id") == 5);
    CHECK(leaves.at("ts") == 1500);
    CHECK(leaves.at("name") == "activation");
    const Json enters = trace.events("f").at(0);  // 0B0 from 1B0
    CHECK(enters.at("id") == 3);
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
    CHECK(trace.events("X").size() == 24);
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
      const std::vector<Json> slices = trace.events("X");
      REQUIRE(slices.size() == trace.timeline.spans.size());
      for (std::size_t i = 0; i < slices.size(); ++i) {
        const Span& span = trace.timeline.spans[i];
        CHECK(slices[i].at("name") == short_name(span.op));
        // Below 2^53 ticks the nearest double tells the tick; dur may be nudged down.
        CHECK(std::llround(slices[i].at("ts").get<double>() * 1e6) == span.start.count);
        const auto duration = std::llround(slices[i].at("dur").get<double>() * 1e6);
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
}
