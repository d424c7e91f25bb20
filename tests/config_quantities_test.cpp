#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "sim/error.hpp"
#include "sim/io/quantities.hpp"
#include "tests/problems.hpp"

using namespace pipesim;

TEST_SUITE("unit") {
  TEST_CASE("bytes") {
    CHECK(parse_bytes("16MiB").value == 16'777'216);
    CHECK(parse_bytes("2.5 GB").value == 2'500'000'000);
    CHECK(parse_bytes("1e3KB").value == 1'000'000);
    CHECK(parse_bytes("9223372036854775807B").value == std::numeric_limits<std::int64_t>::max());
    CHECK(parse_bytes("9223372036854775807KB").fault == QuantityFault::too_large);
    CHECK(parse_bytes("0.5KiB").value == 512);
    CHECK(parse_bytes("35184372088832.5KB").value == 35'184'372'088'832'500);
    CHECK(parse_bytes("9223372036.5GB").value == 9'223'372'036'500'000'000);
    CHECK(parse_bytes("9223372036.9GB").fault == QuantityFault::too_large);
    CHECK(parse_bytes("0.1234567891TB").fault == QuantityFault::too_fine);
    CHECK(parse_bytes("1e-400TB").fault == QuantityFault::too_fine);
    CHECK(parse_bytes("1e-9GB").value == 1);
    CHECK(parse_bytes("0.5B").fault == QuantityFault::too_fine);
    CHECK(parse_bytes("-1B").fault == QuantityFault::negative);
    CHECK(parse_bytes("1").fault == QuantityFault::no_unit);
    CHECK(parse_bytes("1b").fault == QuantityFault::unknown_unit);
    CHECK(parse_bytes("1PB").fault == QuantityFault::unknown_unit);
    CHECK(parse_bytes("B").fault == QuantityFault::malformed);
    CHECK(parse_bytes("").fault == QuantityFault::malformed);
    CHECK(bytes_text(0) == "0B");
    CHECK(bytes_text(1001) == "1001B");
    CHECK(bytes_text(85'899'345'920) == "80GiB");
    CHECK(bytes_text(80'000'000'000) == "80GB");
  }

  TEST_CASE("bandwidths") {
    CHECK(parse_bandwidth("50GB/s").value == Bandwidth{400'000'000'000});
    CHECK(parse_bandwidth("100 Gb/s").value == Bandwidth{100'000'000'000});
    CHECK(parse_bandwidth("1Kib/s").value == Bandwidth{1024});
    CHECK(parse_bandwidth("1GB").fault == QuantityFault::unknown_unit);
    CHECK(parse_bandwidth("1s").fault == QuantityFault::unknown_unit);
    CHECK(parse_bandwidth("1").fault == QuantityFault::no_unit);
    CHECK(parse_bandwidth("0.1B/s").fault == QuantityFault::too_fine);
    CHECK(parse_bandwidth("17179869184.5 Kb/s").value == Bandwidth{17'179'869'184'500});
    CHECK(to_text(Bandwidth{400'000'000'000}) == "50GB/s");
    CHECK(to_text(Bandwidth{100'000'000'000}) == "100Gb/s");
    CHECK(to_text(Bandwidth{7}) == "7b/s");
  }

  TEST_CASE("what is written reads back") {
    constexpr unsigned kSeed = 30;
    CAPTURE(kSeed);
    std::mt19937_64 random(kSeed);
    for (int round = 0; round < 2000; ++round) {
      const auto number = static_cast<std::int64_t>(random() >> (1 + random() % 63));
      CAPTURE(number);
      CHECK(parse_bytes(bytes_text(number)).value == number);
      CHECK(parse_bandwidth(to_text(Bandwidth{number})).value == Bandwidth{number});
      CHECK(parse_decimal(to_text(Decimal{number})).value == Decimal{number});
    }
  }

  TEST_CASE("a transfer's time is rounded up to a tick") {
    CHECK(transfer_time(Bytes(0), Bandwidth{3}) == Ticks{0});
    CHECK(transfer_time(Bytes(1), Bandwidth{8}) == Ticks{1'000'000'000'000});
    CHECK(transfer_time(Bytes(1), Bandwidth{3}) == Ticks{2'666'666'666'667});
    CHECK(transfer_time(Bytes(16'777'216), Bandwidth{400'000'000'000}) == Ticks{335'544'320});
    CHECK(transfer_time(Bytes(std::numeric_limits<std::int64_t>::max()),
                        Bandwidth{std::numeric_limits<std::int64_t>::max()}) ==
          Ticks{8'000'000'000'000});
    CHECK_THROWS_AS(transfer_time(Bytes(std::numeric_limits<std::int64_t>::max()), Bandwidth{1}),
                    Error);
  }

  TEST_CASE("decimals") {
    CHECK(parse_decimal("1.25").value == Decimal{1'250'000'000});
    CHECK(parse_decimal("1e-9").value == Decimal{1});
    CHECK(parse_decimal("1e-10").fault == QuantityFault::too_fine);
    CHECK(parse_decimal("-1").fault == QuantityFault::negative);
    CHECK(parse_decimal("1e10").fault == QuantityFault::too_large);
  }
}
