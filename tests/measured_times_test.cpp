#include "sim/io/measured_times.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/config_costs.hpp"
#include "sim/io/kineto.hpp"
#include "sim/io/range_pattern.hpp"

using namespace pipesim;

namespace {

MeasuredTimes measured(const std::string& rows) {
  const std::string table = "stage,kind,time\n" + rows;
  return measured_times(parse_measured_times("t.csv", table, TimeUnit::ps), "t.csv");
}

template <class Function>
std::string fault_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "no fault";
}

std::string pattern_fault(const std::string& text) {
  return fault_of([&] { RangePattern(text, "--forward-range"); });
}

std::string event(const std::string& category, const std::string& name, const std::string& duration,
                  const std::string& pid = "7") {
  return R"({"ph": "X", "cat": ")" + category + R"(", "name": ")" + name + R"(", "pid": )" + pid +
         R"(, "tid": 1, "ts": 10.000, "dur": )" + duration + "}";
}

KinetoTimes kineto(const std::string& events, const std::string& before = "",
                   std::vector<OpRanges> ranges = default_ranges(),
                   std::optional<RangeCategory> category = std::nullopt) {
  const std::vector<ConfigText> files = {
      {.name = "t.json", .text = "{" + before + "\"traceEvents\": [\n" + events + "\n]}"}};
  return read_kineto(files, ranges, category);
}

std::vector<OpRanges> forwards_called(const std::string& name) {
  return {{.kind = OpKind::forward, .patterns = {RangePattern(name)}}};
}

CostRow row(OpKind kind, int stage, std::int64_t ticks) {
  return {.stage = Stage{stage}, .kind = kind, .time = Ticks{ticks}};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a time is the median: the middle one, or the mean of the two in the middle") {
    const MeasuredTimes times = measured(
        "0,F,9\n0,F,1\n0,F,2\n"           // odd
        "1,F,100\n1,F,3\n1,F,1\n1,F,6\n"  // 3 and 6: 4.5, rounded up
        "0,B,7\n1,B,5\n1,B,7\n");
    CHECK(times.t_f == std::vector<Ticks>{Ticks{2}, Ticks{5}});
    CHECK(times.t_b == std::vector<Ticks>{Ticks{7}, Ticks{6}});
    CHECK(times.t_w.empty());
    CHECK(!times.microbatches);
  }

  TEST_CASE("the median of the longest times does not overflow") {
    const std::string most = "9223372036854775807";
    const MeasuredTimes times = measured("0,F," + most + "\n0,F," + most + "\n0,B,1\n");
    CHECK(times.t_f.front().count == std::numeric_limits<std::int64_t>::max());
  }

  TEST_CASE("cv is pooled over the groups by their degrees of freedom") {
    // Forward 8 and 12: deviations of 0.2, so 0.08 with one degree of freedom; backward 27, 30, 33:
    // deviations of 0.1, so 0.02 with two: sqrt(0.1 / 3).
    CHECK(to_text(measured("0,F,8\n0,F,12\n0,B,27\n0,B,30\n0,B,33\n").cv.value_or(Decimal{-1})) ==
          "0.182574");
    // A single group: the sample standard deviation 2 over the mean 10.
    CHECK(to_text(measured("0,F,8\n0,F,10\n0,F,12\n0,B,5\n").cv.value_or(Decimal{-1})) == "0.2");
    // A slow stage is no spread.
    CHECK(to_text(
              measured("0,F,8\n0,F,8\n1,F,80\n1,F,80\n0,B,1\n1,B,1\n").cv.value_or(Decimal{-1})) ==
          "0");
    CHECK(!measured("0,F,8\n0,B,12\n").cv);
    CHECK(!measured("0,F,0\n0,F,0\n0,B,1\n").cv);
  }

  TEST_CASE("a backward is measured whole, or its two halves are") {
    const MeasuredTimes split = measured("0,F,1\n0,I,3\n0,W,4\n1,F,1\n1,I,5\n1,W,6\n");
    CHECK(split.t_b == std::vector<Ticks>{Ticks{7}, Ticks{11}});
    CHECK(split.t_w == std::vector<Ticks>{Ticks{4}, Ticks{6}});
    const MeasuredTimes mixed = measured("0,F,1\n0,B,9\n1,F,1\n1,I,5\n1,W,6\n");
    CHECK(mixed.t_b == std::vector<Ticks>{Ticks{9}, Ticks{11}});
    CHECK(mixed.t_w.empty());
    CHECK(mixed.notes == std::vector<std::string>{"no t_w: 1 of 2 stages have a weight gradient"});
    const MeasuredTimes recomputed = measured("0,F,1\n0,B,9\n0,R,2\n");
    CHECK(recomputed.t_r == std::vector<Ticks>{Ticks{2}});
  }

  TEST_CASE("stages without a forward or backward are named") {
    CHECK(fault_of([] { measured("2,F,1\n0,B,2\n2,B,2\n"); }) ==
          "t.csv: no forward of stages 0, 1; a forward of every stage from 0 to 2\n"
          "t.csv: no backward of stage 1; a backward of every stage from 0 to 2");
    CHECK(fault_of([] { measured("0,F,1\n0,I,2\n"); }) ==
          "t.csv: no backward of stage 0; a backward of every stage from 0 to 0");
    CHECK(fault_of([] { measured("2147483647,F,1\n2147483647,B,1\n0,B,2\n"); }) ==
          "t.csv: no forward of stages 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2147483637 more; "
          "a forward of every stage from 0 to 2147483647\n"
          "t.csv: no backward of stages 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2147483636 more; "
          "a backward of every stage from 0 to 2147483647");
  }

  TEST_CASE("a table of measurements has its columns in any order and others besides") {
    const auto rows = parse_measured_times(
        "t.csv", "step,time,stage,microbatch,kind\n7,3us,1,4,F\n7,2,0,,B\n", TimeUnit::ns);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].kind == OpKind::forward);
    CHECK(rows[0].stage == Stage{1});
    CHECK(rows[0].microbatch == Microbatch{4});
    CHECK(rows[0].time == Ticks{3'000'000});
    CHECK(rows[1].time == Ticks{2000});
    CHECK(!rows[1].microbatch);
    CHECK(fault_of([] { parse_measured_times("t.csv", "stage,time\n0,1\n", TimeUnit::ms); }) ==
          "t.csv:1:1: \"stage,time\" is no header of measured times; the columns stage, kind and "
          "time, and microbatch if it is known");
    CHECK(fault_of([] {
            parse_measured_times("t.csv", "kind,stage,time\nF,x,1\nG,0,1\nF,0,-1\nF,0\n",
                                 TimeUnit::ms);
          }) ==
          "t.csv:2:3: \"x\" is no stage; an integer from 0\n"
          "t.csv:3:1: \"G\" is no kind; F, B, I, W or R\n"
          "t.csv:4:5: \"-1\" is negative; a time of at least 0\n"
          "t.csv:5:1: 2 fields; 3 fields as in the header");
  }

  TEST_CASE("a pattern tells stage and microbatch from a name") {
    const RangePattern both("F{stage} of {microbatch}.");
    CHECK(both.match("F12 of 3.") == RangePlace{Stage{12}, Microbatch{3}});
    for (const char* const other : {"F12 of 3", "F12 of .", "F of 3.", "xF1 of 3.", "F-1 of 3.", "",
                                    "F12 of 3..", "F99999999999 of 3."}) {
      CHECK(!both.match(other));
    }
    CHECK(RangePattern("{microbatch}").match("7") == RangePlace{std::nullopt, Microbatch{7}});
    CHECK(RangePattern("step").match("step") == RangePlace{});
    CHECK(!RangePattern("step").match("step 1"));
    const std::string allowed = "; a name in which {stage} and {microbatch} stand for numbers";
    CHECK(pattern_fault("") == "--forward-range: an empty name" + allowed);
    CHECK(pattern_fault("F{rank}") == "--forward-range: {rank} stands for nothing" + allowed);
    CHECK(pattern_fault("F{stage") == "--forward-range: {stage stands for nothing" + allowed);
    CHECK(pattern_fault("{stage} {stage}") == "--forward-range: {stage} stands twice" + allowed);
    CHECK(pattern_fault("{stage}{microbatch}") ==
          "--forward-range: two numbers with nothing between them" + allowed);
  }

  TEST_CASE("the default names of ranges, with durations as they are written") {
    const KinetoTimes times =
        kineto(event("user_annotation", "forward stage 2", "1.001") + "," +
               event("user_annotation", "backward stage 1 microbatch 5", "2") + "," +
               event("user_annotation", "input gradient stage 0", "3e1") + "," +
               event("user_annotation", "PP:3W4", "0.500"));
    CHECK(times.category == RangeCategory::user_annotation);
    REQUIRE(times.rows.size() == 4);
    CHECK(times.rows[0] == row(OpKind::forward, 2, 1'001'000));
    CostRow backward = row(OpKind::backward, 1, 2'000'000);
    backward.microbatch = Microbatch{5};
    CHECK(times.rows[1] == backward);
    CHECK(times.rows[2] == row(OpKind::backward_input, 0, 30'000'000));
    CHECK(times.rows[3].kind == OpKind::backward_weight);
    CHECK(times.rows[3].microbatch == Microbatch{4});
    CHECK(times.rows[3].time == Ticks{500'000});
  }

  TEST_CASE("ranges on the GPU are preferred to those on the CPU, unless others are asked for") {
    const std::string events =
        event("cpu_op", "PP:0F0", "1") + "," + event("user_annotation", "PP:0F0", "2") + "," +
        event("gpu_user_annotation", "PP:0F0", "3") + "," + event("kernel", "PP:0F0", "4");
    CHECK(kineto(events).rows == std::vector{[] {
            CostRow forward = row(OpKind::forward, 0, 3'000'000);
            forward.microbatch = Microbatch{0};
            return forward;
          }()});
    CHECK(kineto(events, "", default_ranges(), RangeCategory::cpu_op).rows.front().time ==
          Ticks{1'000'000});
    CHECK(kineto(events, "", default_ranges(), RangeCategory::user_annotation).rows.front().time ==
          Ticks{2'000'000});
  }

  TEST_CASE("a range without a stage in its name is of the stage of its rank") {
    const auto ranges = forwards_called("Forward {microbatch}");
    const std::string events = event("user_annotation", "Forward 3", "1", "2");
    CHECK(kineto(events, "", ranges).rows.front().stage == Stage{2});
    CHECK(kineto(events, R"("distributedInfo": {"rank": 5}, )", ranges).rows.front().stage ==
          Stage{5});
    CHECK(fault_of([&] {
            kineto(event("user_annotation", "Forward 3", "1", "\"Spans\""), "", ranges);
          }) ==
          "t.json:2:67: /traceEvents/0/pid: no rank for a range without a stage in its name; "
          "distributedInfo.rank, or a rank as pid");
  }

  TEST_CASE("what is no trace of the profiler is refused with its place") {
    CHECK(fault_of([] { kineto(event("user_annotation", "PP:0F0", "-1")); }) ==
          "t.json:2:98: /traceEvents/0/dur: -1 is no duration; microseconds, at least 0");
    CHECK(fault_of([] { kineto(event("user_annotation", "PP:0F0", "\"1\"")); }) ==
          "t.json:2:98: /traceEvents/0/dur: \"1\" is no duration; microseconds, at least 0");
    CHECK(fault_of([] { kineto(R"({"ph": "X", "cat": "user_annotation", "name": "PP:0F0"})"); }) ==
          "t.json:2:1: /traceEvents/0/dur: a range without a duration; microseconds, at least 0");
    CHECK(fault_of([] { kineto("5"); }) ==
          "t.json:2:1: /traceEvents/0: 5 is a number; an event, which is an object");
    CHECK(fault_of([] { kineto(event("user_annotation", "train", "1")); }) ==
          "t.json: no annotation has the name of an op; there are \"train\"; "
          "\"forward stage {stage}\", \"forward stage {stage} microbatch {microbatch}\", "
          "\"PP:{stage}F{microbatch}\", \"backward stage {stage}\", "
          "\"backward stage {stage} microbatch {microbatch}\", \"PP:{stage}B{microbatch}\"");
    const auto whole = [](const std::string& text) {
      return fault_of([&] {
        const std::vector<ConfigText> files = {{.name = "t.json", .text = text}};
        read_kineto(files, default_ranges(), std::nullopt);
      });
    };
    CHECK(whole("{}") ==
          "t.json:1:1: /traceEvents: no array of events; a trace of the PyTorch profiler");
    CHECK(whole(R"({"traceEvents": 1})") ==
          "t.json:1:17: /traceEvents: no array of events; a trace of the PyTorch profiler");
    CHECK(whole("[1").rfind("t.json:1:3: ", 0) == 0);
  }

  TEST_CASE("a key that stands twice in the args of a kernel does no harm") {
    CHECK(kineto(R"({"ph": "X", "cat": "kernel", "args": {"stream": 7, "stream": 7}},)" +
                 event("user_annotation", "PP:0F0", "1"))
              .rows.size() == 1);
  }

  TEST_CASE("a written config is one line a key") {
    CHECK(config_json(measured("0,F,8000\n0,F,12000\n0,B,3\n"), 1, 4, "\"gpipe\"", TimeUnit::ns) ==
          "{\n  \"p\": 1,\n  \"m\": 4,\n  \"t_f\": [10],\n  \"t_b\": [0.003],\n"
          "  \"time_unit\": \"ns\",\n  \"schedule\": \"gpipe\",\n"
          "  \"variation\": {\"jitter\": {\"kind\": \"lognormal\", \"cv\": 0.282843}}\n}\n");
    CHECK(config_json(measured("0,F,8\n0,B,3\n"), 1, 4, "\"gpipe\"", TimeUnit::ps)
              .find("variation") == std::string::npos);
  }
}
