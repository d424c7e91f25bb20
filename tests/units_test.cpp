#include "sim/units.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>

#include "sim/error.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

Ticks ticks_of(std::string_view number, TimeUnit unit) {
  const ParsedTime parsed = parse_time(number, unit);
  CHECK(parsed.ticks.has_value());
  return parsed.ticks.value_or(Ticks{-1});
}

std::string printf_12g(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.12g", value);
  return text;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a decimal is read exactly, whatever its notation") {
    CHECK(ticks_of("2", TimeUnit::ms) == Ticks{2'000'000'000});
    CHECK(ticks_of("2.000", TimeUnit::ms) == Ticks{2'000'000'000});
    CHECK(ticks_of("0.1", TimeUnit::s) == Ticks{100'000'000'000});
    CHECK(ticks_of("25e-1", TimeUnit::ms) == ticks_of("2.5", TimeUnit::ms));
    CHECK(ticks_of("0.25E+1", TimeUnit::ms) == ticks_of("2.5", TimeUnit::ms));
    CHECK(ticks_of("0e999999999999", TimeUnit::s) == Ticks{0});
    CHECK(ticks_of("-0", TimeUnit::s) == Ticks{0});
    CHECK(ticks_of("0.000000001", TimeUnit::ms) == Ticks{1});
    CHECK(ticks_of("9223372036854775807", TimeUnit::ps) == Ticks{kMax});
    CHECK(ticks_of("9223372.036854775807", TimeUnit::s) == Ticks{kMax});
  }

  TEST_CASE("what is no time says why") {
    CHECK(parse_time("-1", TimeUnit::ms).fault == TimeFault::negative);
    CHECK(parse_time("1e-10", TimeUnit::ms).fault == TimeFault::too_fine);
    CHECK(parse_time("9223372036854775808", TimeUnit::ps).fault == TimeFault::too_large);
    CHECK(parse_time("1e400", TimeUnit::ps).fault == TimeFault::too_large);
    CHECK(parse_time("1e-99999999999999999999", TimeUnit::s).fault == TimeFault::too_fine);
    for (const char* text : {"", "ms", "1.", ".5", "1e", "+1", "1 ", "0x10", "nan", "1,5"}) {
      CAPTURE(text);
      CHECK(parse_time(text, TimeUnit::ms).fault == TimeFault::malformed);
    }
  }

  TEST_CASE("a text carries its own unit") {
    CHECK(parse_time_with_unit("2.5ms").ticks == Ticks{2'500'000'000});
    CHECK(parse_time_with_unit("2.5 us").ticks == Ticks{2'500'000});
    CHECK(parse_time_with_unit("1e3ns").ticks == Ticks{1'000'000});
    CHECK(parse_time_with_unit("7ps").ticks == Ticks{7});
    CHECK(parse_time_with_unit("2.5").fault == TimeFault::no_unit);
    CHECK(parse_time_with_unit("2.5 fortnights").fault == TimeFault::malformed);
    CHECK(parse_time_with_unit("2.5  ms").fault == TimeFault::malformed);
    CHECK(parse_time_with_unit("ms").fault == TimeFault::malformed);
    CHECK(parse_time_with_unit("-2ms").fault == TimeFault::negative);
    CHECK(parse_time_with_unit("0.5ps").fault == TimeFault::too_fine);
  }

  TEST_CASE("times print exactly and read back") {
    CHECK(format_time(Ticks{66'000'000'000}, TimeUnit::ms) == "66");
    CHECK(format_time(Ticks{1}, TimeUnit::ms) == "0.000000001");
    CHECK(format_time(Ticks{-2'500'000'000}, TimeUnit::ms) == "-2.5");
    CHECK(format_time(Ticks{kMax}, TimeUnit::s) == "9223372.036854775807");
    CHECK(format_time(Ticks{100}, TimeUnit::ps) == "100");
    std::mt19937_64 random(11);
    for (int round = 0; round < 2000; ++round) {
      const Ticks ticks{static_cast<std::int64_t>(random() >> (1 + random() % 63))};
      const auto unit = static_cast<TimeUnit>(random() % 5);
      CHECK(parse_time(format_time(ticks, unit), unit).ticks == ticks);
    }
  }

  TEST_CASE("ticks that leave int64 are an error, not a wrap") {
    CHECK_THROWS_AS(Ticks{kMax} + Ticks{1}, Error);
    CHECK_THROWS_AS(Ticks{kMax} * 2, Error);
    CHECK_THROWS_AS(Ticks{-kMax} - Ticks{2}, Error);
    CHECK(Ticks{kMax} - Ticks{kMax} == Ticks{0});
  }

  TEST_CASE("a ratio prints as printf's %.12g where a double holds it exactly") {
    std::mt19937_64 random(12);
    for (int round = 0; round < 5000; ++round) {
      const auto numerator = static_cast<std::int64_t>(random() >> (11 + random() % 52));
      const auto exponent = static_cast<int>(random() % 60);
      const double value = static_cast<double>(numerator) / static_cast<double>(1LL << exponent);
      CAPTURE(numerator);
      CAPTURE(exponent);
      CHECK(format_ratio({numerator, Int128{1} << exponent}) == printf_12g(value));
    }
  }

  TEST_CASE("ratios round half to even and drop trailing zeros") {
    CHECK(format_ratio({66, 48}) == "1.375");
    CHECK(format_ratio({1, 3}) == "0.333333333333");
    CHECK(format_ratio({2, 3}) == "0.666666666667");
    CHECK(format_ratio({-2, 3}) == "-0.666666666667");
    CHECK(format_ratio({0, 7}) == "0");
    CHECK(format_ratio({1, 1 << 18}) == "3.81469726562e-06");
    CHECK(format_ratio({3, 1 << 18}) == "1.14440917969e-05");
    CHECK(format_ratio({9999999999999, 10000000000000}) == "1");
    CHECK(format_ratio({100, 1}) == "100");
    CHECK(format_ratio({123456789012345, 1}) == "1.23456789012e+14");
    CHECK(format_ratio({1, 3}, 4) == "0.3333");
    const Int128 huge = Int128{kMax} * 1024;
    CHECK(format_ratio({huge + 1024, huge}) == "1");
    CHECK(format_ratio({huge, Int128{kMax} * 1000}) == "1.024");
  }

  TEST_CASE("ratios compare exactly") {
    const Int128 huge = Int128{kMax} * 1024;
    CHECK(Ratio{huge, huge + 1} < Ratio{huge + 1, huge + 2});
    CHECK(Ratio{huge + 1, huge} > Ratio{huge + 2, huge + 1});
    CHECK(Ratio{2, 4} == Ratio{1, 2});
    std::mt19937_64 random(13);
    for (int round = 0; round < 5000; ++round) {
      const Ratio a{test::draw(random, -50, 50), test::draw(random, 1, 20)};
      const Ratio b{test::draw(random, -50, 50), test::draw(random, 1, 20)};
      CHECK(((a <=> b) == (a.numerator * b.denominator <=> b.numerator * a.denominator)));
    }
  }

  TEST_CASE("128-bit integers print whole") {
    CHECK(format_int128(0) == "0");
    CHECK(format_int128(-7) == "-7");
    CHECK(format_int128(Int128{kMax} * 1024) == "9444732965739290426368");
  }

  TEST_CASE("the nearest name is near, or there is none") {
    const std::vector<std::string> names = {"t_f", "t_b", "schedule", "memory"};
    CHECK(nearest_name("tf", names) == "t_f");
    CHECK(nearest_name("shedule", names) == "schedule");
    CHECK(nearest_name("memry", names) == "memory");
    CHECK(nearest_name("colour", names).empty());
  }
}
