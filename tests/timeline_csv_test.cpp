#include "sim/io/timeline_csv.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/error.hpp"
#include "tests/problems.hpp"
#include "tests/random_runs.hpp"
#include "tests/written_text.hpp"

using namespace pipesim;

namespace {

const std::string kHeader = "device,lane,op,stage,microbatch,start,end,released_by\n";

// 1f1b, p=2, m=2, F=2 ms, B=4 ms, drawn by hand.
const std::string kSmall = kHeader +
                           "0,compute,F,0,0,0,2,\n"
                           "0,compute,F,0,1,2,4,0F0\n"
                           "0,compute,B,0,0,8,12,1B0\n"
                           "0,compute,B,0,1,14,18,1B1\n"
                           "1,compute,F,1,0,2,4,0F0\n"
                           "1,compute,B,1,0,4,8,1F0\n"
                           "1,compute,F,1,1,8,10,1B0\n"
                           "1,compute,B,1,1,10,14,1F1\n";

Problem small_problem() { return test::equal_stages(2, 2, 2'000'000'000, 4'000'000'000); }

Timeline small_timeline() {
  return simulate(small_problem(), test::program_of("1f1b", small_problem()));
}

std::string to_csv(const Timeline& timeline, TimeUnit unit = TimeUnit::ms) {
  // Compute spans name their device by their lane.
  return test::written_text(
      [&](OutputFile& file) { write_timeline_csv(Problem{}, timeline, unit, file); });
}

std::string to_csv(const test::Run& run, const Timeline& timeline, TimeUnit unit) {
  return test::written_text(
      [&](OutputFile& file) { write_timeline_csv(run.problem, timeline, unit, file); });
}

/// p=2, m=2, F=2, B=4 ticks, 3 on the link: a pair of forward 1 and backward 0 on the last stage.
test::Run run_with_transfers() {
  Problem problem = test::equal_stages(2, 2, 2, 4);
  problem.communication.mode = TransferMode::async;
  problem.communication.intra = {.latency = Ticks{1}, .occupancy = Ticks{3}};
  const Stage first{0};
  const Stage last{1};
  Program program = {
      {{forward(first, 0), forward(first, 1), backward(first, 0), backward(first, 1)},
       {forward(last, 0), overlapped(forward(last, 1), backward(last, 0)), backward(last, 1)}}};
  return {.problem = std::move(problem), .program = std::move(program)};
}

const std::string kTransfers = kHeader +
                               "0,compute,F,0,0,0,2,\n"
                               "0,compute,F,0,1,2,4,0F0\n"
                               "0,compute,B,0,0,19,23,1SEND_B0\n"
                               "0,compute,B,0,1,23,27,0B0\n"
                               "1,compute,F,1,0,6,8,0SEND_F0\n"
                               "1,compute,F;B,1;1,1;0,9,15,0SEND_F1\n"
                               "1,compute,B,1,1,15,19,(1F1;1B0)\n"
                               "0,send,SEND_F,0,0,2,5,0F0\n"
                               "0,send,SEND_F,0,1,5,8,0SEND_F0\n"
                               "1,send,SEND_B,1,0,15,18,(1F1;1B0)\n"
                               "1,send,SEND_B,1,1,19,22,1B1\n";

Timeline from_csv(const std::string& text, const Problem& problem = small_problem(),
                  TimeUnit unit = TimeUnit::ms) {
  return read_timeline_csv({.name = "t.csv", .text = text}, problem, unit);
}

/// The messages of the faults, a line each; "" if there are none.
std::string faults_of(const std::string& text) {
  try {
    from_csv(text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::bad_input);
    return error.what();
  }
  return "";
}

/// The fault of one row under the full header.
std::string fault_of_row(const std::string& row) { return faults_of(kHeader + row + "\n"); }

bool same(const Timeline& left, const Timeline& right) {
  return left.lane_begin == right.lane_begin &&
         std::equal(left.spans.begin(), left.spans.end(), right.spans.begin(), right.spans.end(),
                    [](const Span& a, const Span& b) {
                      return a.op == b.op && a.overlapped == b.overlapped && a.start == b.start &&
                             a.end == b.end && a.released_by == b.released_by;
                    });
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin) + 1;
    lines.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return lines;
}

constexpr const char* kColumnList =
    "the columns device,lane,op,stage,microbatch,start,end,released_by";

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("timeline csv: written") {
    CHECK(to_csv(small_timeline()) == kSmall);
    CHECK(to_csv(small_timeline(), TimeUnit::s).find("\n1,compute,F,1,1,0.008,0.01,1B0\n") !=
          std::string::npos);
  }

  TEST_CASE("timeline csv: read back") {
    CHECK(same(from_csv(kSmall), small_timeline()));
    CHECK(same(from_csv(to_csv(small_timeline(), TimeUnit::ps), small_problem(), TimeUnit::ps),
               small_timeline()));
  }

  TEST_CASE("timeline csv: transfers and pairs") {
    const test::Run run = run_with_transfers();
    const Timeline timeline = simulate(run.problem, run.program);
    CHECK(to_csv(run, timeline, TimeUnit::ps) == kTransfers);
    CHECK(same(from_csv(kTransfers, run.problem, TimeUnit::ps), timeline));
    // One op of a pair names it, too.
    std::string shorter = kTransfers;
    shorter.replace(shorter.find(",(1F1;1B0)"), 10, ",1B0");
    CHECK(same(from_csv(shorter, run.problem, TimeUnit::ps), timeline));
  }

  TEST_CASE("timeline csv: sends of a problem's ops stand where these are, others anywhere") {
    CHECK(fault_of_row("1,send,SEND_F,0,0,0,2,") ==
          "t.csv:2:1: device is \"1\"; 0, the device of 0SEND_F0");
    const Timeline timeline = from_csv(kHeader +
                                       "1,send,SEND_F,7,0,0,2,\n"
                                       "0,sync,OPT,0,0,0,2,\n"
                                       "1,compute,F,1,0,0,2,\n");
    CHECK(timeline.lane_begin == std::vector<std::size_t>{0, 0, 1});
    CHECK(token(timeline.spans.at(0).op) == "1F0");
    CHECK(token(timeline.spans.at(1).op) == "7SEND_F0");
    CHECK(token(timeline.spans.at(2).op) == "0OPT0");
  }

  TEST_CASE("timeline csv: faults of pairs and lanes") {
    CHECK(fault_of_row("0,compute,SEND_F,0,0,0,2,") == "t.csv:2:3: lane is \"compute\"; send");
    CHECK(fault_of_row("0,compute,OPT,0,0,0,2,") == "t.csv:2:3: lane is \"compute\"; sync");
    CHECK(fault_of_row("0,lane,X,0,0,0,2,")
              .starts_with(
                  "t.csv:2:3: lane is \"lane\"; compute, send, sync\nt.csv:2:8: op is \"X\""));
    CHECK(fault_of_row("0,compute,F;SEND_F,0;0,0;0,0,2,")
              .starts_with("t.csv:2:11: op is \"F;SEND_F\""));
    CHECK(fault_of_row("0,compute,F;,0;0,0;0,0,2,").starts_with("t.csv:2:11: op is \"F;\""));
    CHECK(fault_of_row("0,compute,F;B,0,0;0,0,2,") ==
          "t.csv:2:15: stage is \"0\"; two integers from 0 to 2147483647 with a semicolon "
          "between");
    CHECK(fault_of_row("0,compute,F,0,0;1,0,2,") ==
          "t.csv:2:15: microbatch is \"0;1\"; an integer from 0 to 2147483647");
    CHECK(fault_of_row("0,compute,F;B,0;0,1;0;0,0,2,")
              .starts_with("t.csv:2:19: microbatch is \"1;0;0\""));
    for (const std::string token : {"(0F0)", "0F0;0B0", "(0F0;0B0", "(0F0;0B0;0B1)", "()", "("}) {
      CHECK(fault_of_row("0,compute,F,0,0,0,2," + token)
                .starts_with("t.csv:2:21: released_by is \"" + token + "\""));
    }
    CHECK(fault_of_row("0,compute,F,0,0,0,2,(0F0;9B0)")
              .starts_with("t.csv:2:21: released_by is (0F0;9B0), which is no op of this problem"));
  }

  TEST_CASE("timeline csv: line ends, a byte order mark, no final newline") {
    std::string text = kSmall;
    text.pop_back();
    CHECK(same(from_csv(text), small_timeline()));
    CHECK(same(from_csv("\xEF\xBB\xBF" + kSmall), small_timeline()));
    std::string crlf;
    for (const char c : kSmall) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
    CHECK(same(from_csv(crlf), small_timeline()));
  }

  TEST_CASE("timeline csv: columns in another order, without those that may be missing") {
    const Timeline timeline = from_csv(
        "end,start,microbatch,stage,op,device\n"
        "6,2.5,1,0,B,0\n"
        "2.5,0,1,0,F,0\n");
    REQUIRE(timeline.spans.size() == 2);
    CHECK(timeline.lane_begin == std::vector<std::size_t>{0, 2, 2});
    CHECK(token(timeline.spans[0].op) == "0F1");
    CHECK(timeline.spans[0].end == Ticks{2'500'000'000});
    CHECK(timeline.spans[1].start == Ticks{2'500'000'000});
    CHECK(timeline.spans[1].released_by == Span::kNotReleased);
  }

  TEST_CASE("timeline csv: rows by device, start, end, then as they stand") {
    const Timeline timeline = from_csv(kHeader +
                                       "1,compute,F,1,0,0,2,\n"
                                       "0,compute,F,0,3,1,4,\n"
                                       "0,compute,F,0,2,0,5,\n"
                                       "0,compute,F,0,1,0,0,\n"
                                       "0,compute,F,0,0,0,0,\n");
    std::string tokens;
    for (const Span& span : timeline.spans) tokens += token(span.op) + " ";
    CHECK(tokens == "0F1 0F0 0F2 0F3 1F0 ");
    CHECK(timeline.lane_begin == std::vector<std::size_t>{0, 4, 5});
  }

  TEST_CASE("timeline csv: a header alone is a timeline without spans") {
    const Timeline timeline = from_csv(kHeader);
    CHECK(timeline.spans.empty());
    CHECK(timeline.lane_begin == std::vector<std::size_t>{0, 0, 0});
  }

  TEST_CASE("timeline csv: ops that are not in the problem are read as they are") {
    CHECK(token(from_csv(kHeader + "1,compute,B,7,9,0,1,\n").spans.at(0).op) == "7B9");
  }

  TEST_CASE("timeline csv: faults of the header") {
    CHECK(faults_of("") == std::string("t.csv:1:1: the table is empty; ") + kColumnList);
    CHECK(faults_of("device,op,stage,microbatch,start\n") ==
          std::string("t.csv:1:1: no column \"end\"; ") + kColumnList);
    CHECK(faults_of("device,ops,stage,microbatch,start,color\n") ==
          std::string("t.csv:1:8: unknown column \"ops\"; ") + kColumnList +
              " (did you mean \"op\"?)\n" + "t.csv:1:35: unknown column \"color\"; " + kColumnList);
    CHECK(faults_of("device,op,op,stage,microbatch,start,end\n") ==
          "t.csv:1:11: column \"op\" stands twice; each once");
    CHECK(faults_of("device,\"op\"\n") == "t.csv:1:8: a quoted field; fields without quotes");
    CHECK(faults_of(std::string(1000, 'x')).size() < 300);
  }

  TEST_CASE("timeline csv: faults of a row") {
    CHECK(fault_of_row("2,compute,F,0,0,0,2,") ==
          "t.csv:2:1: device is \"2\"; an integer from 0 to 1");
    CHECK(fault_of_row("0,send,F,0,0,0,2,") == "t.csv:2:3: lane is \"send\"; compute");
    CHECK(fault_of_row("0,compute,X,0,0,0,2,") ==
          "t.csv:2:11: op is \"X\"; F, B, I, W, R, SEND_F, SEND_B, SYNC, OPT, BARRIER, RELEASE, or "
          "a pair "
          "(F;B)");
    CHECK(fault_of_row("0,compute,F,-1,0,0,2,") ==
          "t.csv:2:13: stage is \"-1\"; an integer from 0 to 2147483647");
    CHECK(fault_of_row("0,compute,F,0,2147483648,0,2,") ==
          "t.csv:2:15: microbatch is \"2147483648\"; an integer from 0 to 2147483647");
    CHECK(fault_of_row("0,compute,F,0,1.0,0,2,") ==
          "t.csv:2:15: microbatch is \"1.0\"; an integer from 0 to 2147483647");
    CHECK(fault_of_row("0,compute,F,0,0,,2,") ==
          "t.csv:2:17: start is \"\"; a decimal number of ms");
    CHECK(fault_of_row("0,compute,F,0,0,2ms,2,") ==
          "t.csv:2:17: start is \"2ms\"; a decimal number of ms");
    CHECK(fault_of_row("0,compute,F,0,0,-1,2,") == "t.csv:2:17: start is \"-1\"; at least 0");
    CHECK(fault_of_row("0,compute,F,0,0,0,0.0000000001,") ==
          "t.csv:2:19: end is \"0.0000000001\"; whole picoseconds");
    CHECK(fault_of_row("0,compute,F,0,0,0,1e10,") ==
          "t.csv:2:19: end is \"1e10\"; at most 9223372036.854775807 ms");
    CHECK(fault_of_row("0,compute,F,0,0,0,2,F0") ==
          "t.csv:2:21: released_by is \"F0\"; the token of an op (2F0) or a pair ((2F0;1B3)), or "
          "nothing");
    CHECK(fault_of_row("0,compute,F,0,0,0,2,9F2") ==
          "t.csv:2:21: released_by is 9F2, which is no op of this problem; the token of an op "
          "(2F0) or a pair ((2F0;1B3)), or nothing");
    CHECK(fault_of_row("0,compute,F,0,0,0,2") == "t.csv:2:1: 7 fields; 8, as in the header");
    CHECK(fault_of_row("") == "t.csv:2:1: 1 field; 8, as in the header");
    CHECK(fault_of_row("0,\"compute\",F,0,0,0,2,") ==
          "t.csv:2:3: a quoted field; fields without quotes");
  }

  TEST_CASE("timeline csv: all faults at once, in the order of their places") {
    CHECK(faults_of(kHeader + "0,compute,F,0,x,0,y,\n" + "0,compute,F,0,0,0,2,9F9\n" +
                    "5,compute,F,0,0,0,2,\n") ==
          "t.csv:2:15: microbatch is \"x\"; an integer from 0 to 2147483647\n"
          "t.csv:2:19: end is \"y\"; a decimal number of ms\n"
          "t.csv:4:1: device is \"5\"; an integer from 0 to 1");
    try {
      from_csv(kHeader + "0,compute,F,0,x,0,2,\n");
    } catch (const Error& error) {
      CHECK(error.faults().at(0).line == 2);
      CHECK(error.faults().at(0).column == 15);
      CHECK(error.faults().at(0).value == "x");
    }
  }

  TEST_CASE("timeline csv: no more faults than anyone reads") {
    std::string text = kHeader;
    for (int i = 0; i < 2500; ++i) text += "0,compute,F,0,0,0,0.0000000001,\n";
    const std::string said = faults_of(text);
    CHECK(std::count(said.begin(), said.end(), '\n') == 1000);
    CHECK(said.ends_with("\n1500 more faults are not shown"));
  }

  TEST_CASE("timeline csv: random timelines come back as they were, whatever the order of rows") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const Problem problem = test::random_problem(random);
      const Timeline timeline =
          simulate(problem, test::program_of(seed % 2 == 0 ? "1f1b" : "gpipe", problem));
      const auto unit = static_cast<TimeUnit>(test::draw(random, 0, 4));
      const std::string text = to_csv(timeline, unit);
      REQUIRE(same(from_csv(text, problem, unit), timeline));

      std::vector<std::string> lines = lines_of(text);
      std::shuffle(lines.begin() + 1, lines.end(), random);
      const std::string shuffled = std::accumulate(lines.begin(), lines.end(), std::string());
      const Timeline read = from_csv(shuffled, problem, unit);
      // Ops that take no time at one instant may change places; all else is as before.
      CHECK(read.lane_begin == timeline.lane_begin);
      std::vector<std::string> before = lines_of(text);
      std::vector<std::string> after = lines_of(to_csv(read, unit));
      std::sort(before.begin(), before.end());
      std::sort(after.begin(), after.end());
      CHECK(before == after);
    }
  }

  TEST_CASE("timeline csv: random runs over the whole model come back as they were") {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const bool with_ends = seed % 3 == 0;
      const test::Run run =
          with_ends ? test::random_run_with_step_ends(random) : test::random_run(random);
      const Timeline timeline = simulate(run.problem, run.program);
      const auto unit = static_cast<TimeUnit>(test::draw(random, 0, 4));
      const std::string text = to_csv(run, timeline, unit);
      const Timeline read = from_csv(text, run.problem, unit);
      CHECK(to_csv(run, read, unit) == text);
      // Of two barriers with one token it is the first.
      if (!run.problem.iterations.barrier) REQUIRE(same(read, timeline));
      std::vector<std::string> lines = lines_of(text);
      std::shuffle(lines.begin() + 1, lines.end(), random);
      const std::string shuffled = std::accumulate(lines.begin(), lines.end(), std::string());
      std::vector<std::string> before = lines_of(text);
      std::vector<std::string> after =
          lines_of(to_csv(run, from_csv(shuffled, run.problem, unit), unit));
      std::sort(before.begin(), before.end());
      std::sort(after.begin(), after.end());
      CHECK(before == after);
    }
  }
}
