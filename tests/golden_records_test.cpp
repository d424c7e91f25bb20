// The loader of golden records must not let a lost one pass.
#include "tests/golden_records.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace pipesim;

TEST_SUITE("unit") {
  TEST_CASE("a golden record that is missing or malformed is refused") {
    const std::string good =
        "records 2\n\nrecord 1 p=1 m=1 f=1 b=2 makespan=3\n0F0 0B0\n\n"
        "record 2 p=2 m=1 v=2 group=1 f=1 b=2 makespan=12 peak=2,2\nrejected too small\n";
    REQUIRE(test::parse_golden_records(good, "x").size() == 2);
    struct Fault {
      std::string text;
      std::string with;
      std::string message;
    };
    const std::vector<Fault> faults = {
        {"records 2", "records 3", "x:7: 2 records, not 3"},
        {"record 2", "record 3", "x:6: not record 2"},
        {"records 2", "record 2", "x:1: the first line is not \"records N\""},
        {"0F0 0B0\n", "", "x:4: device 0: \"\" is no step"},
        {"0F0 0B0", "0F0 0B", "x:4: device 0: \"0B\" is no step"},
        {"0F0 0B0", "0F0  0B0", "x:4: device 0: \"\" is no step"},
        {" m=1 f", " f", "x:3: p, m and v are at least 1"},
        {" f=1", "", "x:3: f and b belong together"},
        {" f=1 b=2", "", "x:4: no costs"},
        {"f=1 ", "f=1,1 ", "x:3: f has 2 values"},
        {"b=2", "b=2.5", "x:3: \"2.5\" is no whole number"},
        {"b=2", "b=2 b=2", "x:3: \"b\" twice"},
        {"b=2", "d=2", "x:3: f and b belong together"},
        {"b=2", "b=2 d=2", "x:3: unknown key \"d\""},
        {" makespan=3", "", "x:4: neither makespan nor span"},
        {"peak=2,2", "peak=2", "x:6: peak has 1 values"},
        {"rejected too small", "0F0 0B0", "x:8: device 1: \"\" is no step"},
        {"too small\n", "too small", "x:7: the last line has no end"},
    };
    for (const Fault& fault : faults) {
      std::string text = good;
      REQUIRE(text.find(fault.text) != std::string::npos);
      text.replace(text.find(fault.text), fault.text.size(), fault.with);
      CHECK_THROWS_WITH(test::parse_golden_records(text, "x"), fault.message.c_str());
    }
    CHECK_THROWS(test::golden_records("no_such_file"));
  }
}
