#include "tools/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr std::int32_t kDefaultWidth = 100;
constexpr std::int32_t kMostTerminalWidth = 65'535;  // of a winsize

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value ? value : "";
}

std::int32_t width_of(bool is_terminal) {
  winsize size{};
  if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  const std::string_view columns = environment("COLUMNS");
  if (columns.empty()) return kDefaultWidth;
  std::int32_t width = 0;
  const char* const end = columns.data() + columns.size();
  const auto [stopped, error] = std::from_chars(columns.data(), end, width);
  if (error != std::errc{} || stopped != end || width <= 0 || width > kMostTerminalWidth) {
    throw Error(Fault{.place = "environment: COLUMNS",
                      .value = std::string(columns),
                      .what = fmt::format("\"{}\" is no width", columns),
                      .allowed = fmt::format("a number of columns, {} to {}", kLeastTerminalWidth,
                                             kMostTerminalWidth)});
  }
  return width;
}

bool wants_colour(const std::string& choice, bool is_terminal) {
  if (choice == "always") return true;
  if (choice == "never") return false;
  if (choice != "auto") {
    const std::vector<std::string> known = {"auto", "always", "never"};
    throw Error(Fault{.place = "command line: --color",
                      .value = choice,
                      .what = fmt::format("\"{}\" says nothing of colour", choice),
                      .allowed = "auto, always or never",
                      .nearest = nearest_name(choice, known)});
  }
  const std::string_view terminal = environment("TERM");
  return is_terminal && environment("NO_COLOR").empty() && terminal != "dumb" && !terminal.empty();
}

}  // namespace

TerminalStyle terminal_style(const PictureRequest& request, const OutputConfig& output) {
  const bool is_terminal = output.file.empty() && isatty(STDOUT_FILENO) == 1;
  TerminalStyle style{.width = width_of(is_terminal), .colour = TerminalColour::none};
  if (style.width < kLeastTerminalWidth) {
    throw Error(Fault{.place = is_terminal ? "the terminal" : "environment: COLUMNS",
                      .value = fmt::format("{}", style.width),
                      .what = fmt::format("{} columns leave no room for a picture", style.width),
                      .allowed = fmt::format("{} to {}", kLeastTerminalWidth, kMostTerminalWidth)});
  }
  if (wants_colour(request.color.value_or("auto"), is_terminal)) {
    const std::string_view depth = environment("COLORTERM");
    style.colour = depth == "truecolor" || depth == "24bit" ? TerminalColour::true_colour
                                                            : TerminalColour::palette;
  }
  return style;
}

}  // namespace pipesim
