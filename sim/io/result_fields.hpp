// What the fields of results are called, counted in and good for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/io/results_file.hpp"

namespace pipesim {

/// Which of two values is the better one.
enum class Better { lower, higher };

/// What an axis says of a field, without its unit.
std::string field_label(std::string_view path);

/// "ms", "bytes"; "" for a ratio, a number of things, or where the result does not tell.
std::string field_unit(const ResultRow& row, const ResultValue& value);

/// Throughput and utilisation are better higher, all else is better lower.
Better better(std::string_view path);

/// The path of a field that is given by its path, by its path without "config.", or by the end of
/// one path ("peak": "memory.peak"). Throws Error (bad input) at `option` if no row has the field,
/// naming the nearest, or if the end of more than one path is the same.
std::string find_field(const std::vector<ResultRow>& rows, std::string_view given,
                       std::string_view option);

}  // namespace pipesim
