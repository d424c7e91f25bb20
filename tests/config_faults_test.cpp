#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "sim/io/config.hpp"
#include "tests/configs.hpp"

using namespace pipesim;
using test::faults_of;
using test::overridden;
using test::set;

namespace {

const std::string kKeys =
    "schema_version, p, m, time_unit, schedule, t_f, t_b, t_w, t_fb, t_r, first, last, costs, "
    "model, parallel, hardware, placement, p2p, memory, recompute, iterations, variation, output, "
    "sweep";

struct Case {
  std::string given;
  std::string message;
};

/// A complete config on one line in which t_f is `value`, from column 26 on.
std::string with_t_f(const std::string& value) {
  return R"({"p": 4, "m": 8, "t_f": )" + value + R"(, "t_b": 4, "schedule": "1f1b"})";
}

std::string with_p(const std::string& value) {
  return R"({"p": )" + value + R"(, "m": 8, "t_f": 2, "t_b": 4, "schedule": "1f1b"})";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a text that is no JSON says where and what was expected") {
    const std::vector<Case> cases = {
        {"", "run.json:1:1: the file is empty; a JSON object"},
        {" \r\n\t", "run.json:1:1: the file is empty; a JSON object"},
        {"[1]", "run.json:1:1: an array; a JSON object"},
        {" 4", "run.json:1:2: 4 is a number; a JSON object"},
        {"{\"p\": 4,\r\n  \"m\": 8",
         "run.json:2:9: not valid JSON: unexpected end of the file; expected ',' or '}'"},
        {"{\"p\": 4,\n",
         "run.json:2:1: not valid JSON: unexpected end of the file; "
         "expected a key in double quotes"},
        {R"({"t_f": [1, 2)",
         "run.json:1:14: /t_f: not valid JSON: unexpected end of the file; expected ',' or ']'"},
        {R"({"t_f": [1, 2,)",
         "run.json:1:15: /t_f/2: not valid JSON: unexpected end of the file; expected a value"},
        {R"({"schedule": "1f)",
         "run.json:1:14: /schedule: not valid JSON: invalid string: missing closing quote"},
        {R"({"p": 4 "m": 8})",
         "run.json:1:9: not valid JSON: unexpected \"m\"; expected ',' or '}'"},
        {R"({"p" 4})", "run.json:1:6: /p: not valid JSON: unexpected 4; expected ':'"},
        {R"({"p": 4,})",
         "run.json:1:9: not valid JSON: unexpected '}'; expected a key in double quotes"},
        {R"({"t_f": [1, 2, ]})",
         "run.json:1:16: /t_f/2: not valid JSON: unexpected ']'; expected a value"},
        {R"({"t_f": [1, [3 4]]})",
         "run.json:1:16: /t_f/1: not valid JSON: unexpected 4; expected ',' or ']'"},
        {R"({"t_f": [, 1]})",
         "run.json:1:10: /t_f/0: not valid JSON: unexpected ','; expected a value"},
        {R"({"output": {} "m": 8})",
         "run.json:1:15: not valid JSON: unexpected \"m\"; expected ',' or '}'"},
        {R"({p: 4})",
         "run.json:1:2: not valid JSON: invalid literal 'p'; expected a key in double quotes"},
        {R"({"p": 4} // four)",
         "run.json:1:10: not valid JSON: invalid literal '/'; expected the end of the file"},
        {R"({"p": 4}})",
         "run.json:1:9: not valid JSON: unexpected '}'; expected the end of the file"},
        {std::string("{\"p\": 4}\0{", 10),
         "run.json:1:9: not valid JSON: invalid literal '\\x00'; expected the end of the file"},
        {R"({"t_f": NaN})",
         "run.json:1:9: /t_f: not valid JSON: invalid literal 'NaN'; expected a value"},
        {R"({"t_f": Infinity})",
         "run.json:1:9: /t_f: not valid JSON: invalid literal 'Infinity'; expected a value"},
        {R"({"t_f": [1, -Infinity]})",
         "run.json:1:13: /t_f/1: not valid JSON: invalid number '-Infinity'; "
         "expected digit after '-'"},
        {R"({"t_f": 1.})",
         "run.json:1:9: /t_f: not valid JSON: invalid number '1.'; expected digit after '.'"},
        {R"({"t_f": 01})", "run.json:1:10: not valid JSON: unexpected 1; expected ',' or '}'"},
        {R"({"t_f": "4\q"})",
         "run.json:1:12: /t_f: not valid JSON: invalid string: forbidden character after "
         "backslash"},
        {"{\"t_f\": \"4\xff\"}",
         "run.json:1:11: /t_f: not valid JSON: invalid string: ill-formed UTF-8 byte"},
        {"\xef\xbb{}",
         "run.json:1:1: not valid JSON: invalid BOM; must be 0xEF 0xBB 0xBF if given"},
    };
    for (const Case& c : cases) {
      CAPTURE(c.given);
      CHECK(faults_of(c.given) == c.message);
    }
  }

  TEST_CASE("nesting has a limit") {
    const std::string levels = R"({"p": )" + std::string(70, '[');
    const std::string message = faults_of(levels);
    CHECK(message.starts_with("run.json:1:70: /p/0/0/0/0"));
    CHECK(message.ends_with(": nested more than 64 levels deep; at most 64 levels"));
    CHECK(faults_of(std::string(1'000'000, '[')).ends_with("at most 64 levels"));
  }

  TEST_CASE("an integer is one only if it is written as one") {
    const std::string range = "; an integer from 1 to 1048576";
    const std::vector<Case> cases = {
        {"0", "0 is too small"},
        {"-3", "-3 is too small"},
        {"1048577", "1048577 is too large"},
        {"99999999999999999999", "99999999999999999999 is too large"},
        {"-99999999999999999999", "-99999999999999999999 is too small"},
        {"2.9", "2.9 is not an integer"},
        {"4.0", "4.0 is not an integer"},
        {"1e1", "1e1 is not an integer"},
        {"1e400", "1e400 is not an integer"},
        {"\"4\"", "\"4\" is a string"},
        {"true", "true is a boolean"},
        {"null", "null"},
        {"[4]", "an array"},
        {"{}", "an object"},
    };
    for (const Case& c : cases) {
      CAPTURE(c.given);
      CHECK(faults_of(with_p(c.given)) == "run.json:1:7: /p: " + c.message + range);
    }
    CHECK(faults_of(overridden({set("m=0")})) ==
          "command line: --set m: /m: 0 is too small; an integer from 1 to 2147483647");
    CHECK(faults_of(overridden({set("m=2147483648")})) ==
          "command line: --set m: /m: 2147483648 is too large; an integer from 1 to 2147483647");
    CHECK(faults_of(overridden({set("memory.limit=0")})) ==
          "command line: --set memory.limit: /memory/limit: 0 is too small; "
          "a number of microbatches above 0, or bytes such as \"80GiB\"");
    CHECK(faults_of(overridden({set("schema_version=2")})) ==
          "command line: --set schema_version: /schema_version: version 2 is unknown; 1");
  }

  TEST_CASE("a time says why it is none") {
    const std::string a_time = "; a time such as 4 or \"4ms\"";
    const std::string largest = "; at most 9223372036854775807 ps, some 106.75 days";
    const std::string units = "; s, ms, us, ns or ps";
    const std::vector<Case> cases = {
        {"-1", "-1 is negative; a time of at least 0"},
        {R"("-1ms")", R"("-1ms" is negative; a time of at least 0)"},
        {"1e400", "1e400 ms is too large" + largest},
        {"9223372036.854775808", "9223372036.854775808 ms is too large" + largest},
        {R"("1e30s")", R"("1e30s" is too large)" + largest},
        {"0.0000000001", "0.0000000001 ms is finer than a tick; a whole number of picoseconds"},
        {R"("0.5ps")", R"("0.5ps" is finer than a tick; a whole number of picoseconds)"},
        {R"("2.5")",
         R"("2.5" has no unit; a number without quotes, or a string with a unit such as "4ms")"},
        {R"("ms")", R"("ms" is a unit without a number)" + a_time},
        {R"("3fortnights")", R"("3fortnights" has the unknown unit "fortnights")" + units},
        {R"("3 fortnights")", R"("3 fortnights" has the unknown unit "fortnights")" + units},
        {R"("")", R"("" is not a time)" + a_time},
        {R"("NaN")", R"("NaN" is not a time)" + a_time},
        {R"("Infinity")", R"("Infinity" is not a time)" + a_time},
        {R"("1.2.3ms")", R"("1.2.3ms" is not a time)" + a_time},
        {"true", "true is a boolean" + a_time},
        {"null", "null" + a_time},
        {"{}", "an object" + a_time},
        {"[]", "array of 0; a value for each device or for each stage, or one value for all"},
    };
    for (const Case& c : cases) {
      CAPTURE(c.given);
      CHECK(faults_of(with_t_f(c.given)) == "run.json:1:25: /t_f: " + c.message);
    }
    CHECK(faults_of(with_t_f("[1, -2, null, [4]]")) ==
          "run.json:1:29: /t_f/1: -2 is negative; a time of at least 0\n"
          "run.json:1:33: /t_f/2: null; a time such as 4 or \"4ms\"\n"
          "run.json:1:39: /t_f/3: an array; a time such as 4 or \"4ms\"");
  }

  TEST_CASE("a key is known, given once, and there if it must be") {
    const std::string keys = "known keys: " + kKeys;
    CHECK(faults_of("{\"p\": 4, \"m\": 8, \"t_f\": 2, \"t_b\": 4,\n  \"tf\": 3, \"a/b~\": 1,\n"
                    "  \"schedule\": \"1f1b\"}") == "run.json:2:3: /tf: unknown key; " + keys +
                                                        " (did you mean \"t_f\"?)\n"
                                                        "run.json:2:12: /a~1b~0: unknown key; " +
                                                        keys);
    CHECK(faults_of(overridden({set("memory.limt=4"), set("output.fmt=csv")})) ==
          "command line: --set memory.limt: /memory/limt: unknown key; known keys: limit, "
          "activation, activation_w, parameters, optimizer (did you mean \"limit\"?)\n"
          "command line: --set output.fmt: /output/fmt: unknown key; "
          "known keys: format, file, trace, trace_per_rank, trace_per_rank_gzip, trace_window, "
          "timeline, svg, html, metrics_only");
    CHECK(faults_of(overridden({set("memory=4")})) ==
          "command line: --set memory: /memory: 4 is a number; an object with the keys: "
          "limit, activation, activation_w, parameters, optimizer");
    CHECK(faults_of("{\"p\": 4, \"m\": 8, \"t_f\": 2, \"t_b\": 4, \"schedule\": \"1f1b\",\n"
                    " \"p\": 5, \"memory\": {\"limit\": 1,\n  \"limit\": 2}, \"\\u0070\": 6}") ==
          "run.json:2:2: /p: duplicate key; the first one is at run.json:1:2\n"
          "run.json:3:3: /memory/limit: duplicate key; the first one is at run.json:2:21\n"
          "run.json:3:16: /p: duplicate key; the first one is at run.json:1:2");
    CHECK(faults_of(" {}") ==
          "run.json:1:2: /p: missing; required: an integer of at least 1\n"
          "run.json:1:2: /m: missing; required: an integer of at least 1\n"
          "run.json:1:2: /schedule: missing; required: one of gpipe, 1f1b, custom\n"
          "run.json:1:2: /t_f: missing; required: a time such as 4 or \"4ms\"\n"
          "run.json:1:2: /t_b: missing; required: a time such as 4 or \"4ms\"");
    CHECK(
        faults_of({.file = std::nullopt, .overrides = {set("p=4"), set("t_f=2"), set("t_b=0")}}) ==
        "command line: /m: missing; required: an integer of at least 1\n"
        "command line: /schedule: missing; required: one of gpipe, 1f1b, custom");
  }

  TEST_CASE("schedules and their parameters are known") {
    const std::vector<Case> cases = {
        {R"("1f1c")",
         R"(/schedule: "1f1c" is unknown; one of gpipe, 1f1b, custom (did you mean "1f1b"?))"},
        {R"({"name": "1f1c"})",
         R"(/schedule/name: "1f1c" is unknown; one of gpipe, 1f1b, custom (did you mean "1f1b"?))"},
        {R"("")", R"(/schedule: "" is unknown; one of gpipe, 1f1b, custom)"},
        {"5",
         "/schedule: 5 is a number; the name of a schedule, or an object with name and parameters"},
        {R"({"nam": "gpipe"})", "/schedule/name: missing; required: one of gpipe, 1f1b, custom"},
        {R"({"name": 5})", "/schedule/name: 5 is a number; one of gpipe, 1f1b, custom"},
        {R"({"name": "gpipe", "flush_evry": 3})",
         "/schedule/flush_evry: unknown parameter of gpipe; its parameters: flush_every "
         "(did you mean \"flush_every\"?)"},
        {R"({"name": "1f1b", "flush_every": 3})",
         "/schedule/flush_every: unknown parameter of 1f1b; it has none"},
        {R"({"name": "gpipe", "flush_every": 0})",
         "/schedule/flush_every: 0 is too small; an integer from 1 to 2147483647"},
        {R"({"name": "gpipe", "flush_every": "3"})",
         "/schedule/flush_every: \"3\" is a string; an integer from 1 to 2147483647"},
        {R"({"name": "custom", "file": 3})", "/schedule/file: 3 is a number; a text"},
        {R"({"name": "custom", "file": ""})", "/schedule/file: an empty string; a text"},
        {R"({"name": "custom", "v": 9})", "/schedule/v: 9 is too large; an integer from 1 to 8"},
    };
    for (const Case& c : cases) {
      CAPTURE(c.given);
      CHECK(faults_of(overridden({set("schedule=" + c.given)})) ==
            "command line: --set schedule: " + c.message);
    }
  }

  TEST_CASE("units, formats and files") {
    CHECK(faults_of(overridden({set("time_unit=sec"), set("output.format=jsn"),
                                set("output.trace="), set("output.file=5")})) ==
          "command line: --set time_unit: /time_unit: \"sec\" is unknown; s, ms, us, ns or ps\n"
          "command line: --set output.format: /output/format: \"jsn\" is unknown; "
          "table, json or csv (did you mean \"json\"?)\n"
          "command line: --set output.trace: /output/trace: an empty string; the name of a file\n"
          "command line: --set output.file: /output/file: 5 is a number; the name of a file");
    CHECK(faults_of(overridden({set("time_unit=null")})) ==
          "command line: --set time_unit: /time_unit: null; s, ms, us, ns or ps");
    CHECK(faults_of(overridden({set("output.file=-"), set(R"(output.trace="a\u0000b")")})) ==
          "command line: --set output.file: /output/file: \"-\" is no name of a file; /dev/stdout "
          "for standard output\n"
          "command line: --set output.trace: /output/trace: \"a\\u0000b\" is no name of a file; "
          "/dev/stdout for standard output");
  }

  TEST_CASE("an override that leads nowhere") {
    CHECK(faults_of(overridden({set("=4"), set("a..b=1")})) ==
          "command line: --set : the path \"\" has an empty name; "
          "names joined by dots, such as memory.limit\n"
          "command line: --set a..b: the path \"a..b\" has an empty name; "
          "names joined by dots, such as memory.limit");
    CHECK(faults_of(overridden({set("p.x=1")})) ==
          "command line: --set p.x: /p: 4 is a number; an object or an array");
    CHECK(faults_of(overridden(
              {set("t_f=[1,2,3,4]"), set("t_f.4=3"), set("t_f.x=3"), set("t_f.-1=3")})) ==
          "command line: --set t_f.4: /t_f/4: no such element; 0 to 3\n"
          "command line: --set t_f.x: /t_f/x: no such element; 0 to 3\n"
          "command line: --set t_f.-1: /t_f/-1: no such element; 0 to 3");
    CHECK(
        faults_of(overridden({set("t_f=[]"), set("t_f.0=3"), set("p=0")})) ==
        "command line: --set t_f: /t_f: array of 0; a value for each device or for each stage, or "
        "one value for all\n"
        "command line: --set t_f.0: /t_f/0: no such element; the array is empty\n"
        "command line: --set p: /p: 0 is too small; an integer from 1 to 1048576");
    CHECK(faults_of(overridden({set(R"(memory={"limit": 1, "limit": 2})")})) ==
          "command line: --set memory: /memory/limit: duplicate key");
    CHECK(faults_of(overridden({set("t_f=[")})) ==
          "command line: --set t_f: /t_f: \"[\" is not a time; a time such as 4 or \"4ms\"");
    CHECK(faults_of(overridden({set("p=nan")})) ==
          "command line: --set p: /p: \"nan\" is a string; an integer from 1 to 1048576");
  }

  TEST_CASE("all faults at once: the file's by their places, then the command line's in order") {
    const std::string file =
        "{\"p\": 0,\n \"tf\": 3,\n \"t_f\": [-2, 1e400],\n \"m\": 2.9,\n"
        " \"schedule\": {\"name\": \"gpipe\", \"flush_every\": true}}";
    CHECK(faults_of({.file = file, .overrides = {set("memory.limit=0"), set("time_unit=min")}}) ==
          "run.json:1:1: /t_b: missing; required: a time such as 4 or \"4ms\"\n"
          "run.json:1:7: /p: 0 is too small; an integer from 1 to 1048576\n"
          "run.json:2:2: /tf: unknown key; known keys: " +
              kKeys +
              " (did you mean \"t_f\"?)\n"
              "run.json:3:10: /t_f/0: -2 is negative; a time of at least 0\n"
              "run.json:4:7: /m: 2.9 is not an integer; an integer from 1 to 2147483647\n"
              "run.json:5:47: /schedule/flush_every: true is a boolean; "
              "an integer from 1 to 2147483647\n"
              "command line: --set memory.limit: /memory/limit: 0 is too small; "
              "a number of microbatches above 0, or bytes such as \"80GiB\"\n"
              "command line: --set time_unit: /time_unit: \"min\" is unknown; s, ms, us, ns or ps");
  }

  TEST_CASE("very many faults are counted, very long values cut") {
    std::string list = "[-1";
    for (int i = 1; i < 1200; ++i) list += ", -1";
    const std::string message = faults_of(overridden({set("p=1200"), set("t_f=" + list + "]")}));
    CHECK(message.ends_with("\n200 more faults are not shown"));
    CHECK(faults_of(with_p(std::string(200, '7'))) ==
          "run.json:1:7: /p: " + std::string(60, '7') +
              "... is too large; an integer from 1 to 1048576");
    CHECK(faults_of(overridden({set("schedule=" + std::string(59, 'x') + "\u00fc")})) ==
          "command line: --set schedule: /schedule: \"" + std::string(59, 'x') +
              "...\" is unknown; one of gpipe, 1f1b, custom");
  }

  TEST_CASE("a fault carries its parts") {
    const auto faults = test::fault_list(
        "{\"p\": 4, \"m\": 8,\n \"t_f\": 2, \"t_b\": 4,\n"
        " \"schedule\": \"1f1c\"}");
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].place == "run.json:3:14");
    CHECK(faults[0].line == 3);
    CHECK(faults[0].column == 14);
    CHECK(faults[0].pointer == "/schedule");
    CHECK(faults[0].value == "\"1f1c\"");
    CHECK(faults[0].what == "\"1f1c\" is unknown");
    CHECK(faults[0].allowed == "one of gpipe, 1f1b, custom");
    CHECK(faults[0].nearest == "1f1b");
  }
}
