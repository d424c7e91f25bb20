// Numbers of a config that are no times: exact decimals, bytes, bandwidths, rates of computing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/amounts.hpp"

namespace pipesim {

/// Without exponent and trailing zeros: "1.5".
std::string to_text(Decimal decimal);

/// Why a text is not the quantity that it should be.
enum class QuantityFault {
  malformed,     ///< no decimal number in front
  no_unit,       ///< a number where a unit must follow
  unknown_unit,  ///< something else than a unit follows
  negative,
  too_fine,  ///< more than 9 places, or a part of a byte or bit
  too_large
};

/// A parsed quantity: exactly one of the two is set.
template <class Value>
struct ParsedQuantity {
  std::optional<Value> value{};
  std::optional<QuantityFault> fault{};
};

/// Reads a JSON number.
ParsedQuantity<Decimal> parse_decimal(std::string_view number);

/// Reads "16MiB" or "2.5 GB": B, KB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB of 1024.
ParsedQuantity<std::int64_t> parse_bytes(std::string_view text);

/// The shortest exact form with a unit: "16MiB", "1001B".
std::string bytes_text(std::int64_t bytes);

/// Reads "50GB/s" or "100 Gb/s": units of bytes as parse_bytes, of bits with a small b.
ParsedQuantity<Bandwidth> parse_bandwidth(std::string_view text);

/// The shortest exact form: "50GB/s", "100Gb/s".
std::string to_text(Bandwidth bandwidth);

/// Reads "312TFLOP/s": units FLOP/s, KFLOP/s, MFLOP/s, GFLOP/s, TFLOP/s and PFLOP/s.
ParsedQuantity<FlopRate> parse_flop_rate(std::string_view text);

/// The shortest exact form: "312TFLOP/s".
std::string to_text(FlopRate rate);

}  // namespace pipesim
