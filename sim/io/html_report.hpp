// A run, or a comparison, as a page: one file that needs nothing else, neither network nor server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/io/html_data.hpp"
#include "sim/io/picture.hpp"
#include "sim/io/report.hpp"

namespace pipesim {

/// The most bytes of one page.
inline constexpr std::int64_t kMostPageBytes = 50'000'000;

/// The bytes that a page with that many blocks, or blocks of so many ops, has at least.
std::int64_t least_page_bytes(std::int64_t blocks);

/// What is known of the size of a page.
enum class PageSize { exact, least };

/// Throws Error (bad input) if a page would have more than kMostPageBytes: with its size ("at
/// least" where that is the least) and the options that show a part. To be asked before a run with
/// least_page_bytes(); the functions below ask it with the page's true size.
void require_page_size(std::int64_t bytes, PageSize size);

/// The page of a run: what report_table() says, and the picture with a timeline that can be zoomed,
/// memory and idle time by cause. Requires a picture of that report's run.
std::string run_page(const Report& report, const Picture& picture, const PageState& state);

/// The page of a comparison: its table, T_total against peak memory, and the pictures on one time
/// axis. Requires a picture beside every report, and at least one.
std::string comparison_page(const std::vector<ComparedSchedule>& compared, const PageState& state);

}  // namespace pipesim
