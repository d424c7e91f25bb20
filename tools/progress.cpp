#include "tools/progress.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "sim/io/ending_signals.hpp"

namespace pipesim {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kUndrawn{500};
constexpr milliseconds kBetweenDrawings{100};
constexpr std::string_view kErase = "\r\x1b[K";

/// Three digits: "31.2 M", "210 ".
std::string rounded(double number) {
  constexpr std::string_view kPrefixes[] = {"", "k ", "M ", "G ", "T "};
  const auto* prefix = std::begin(kPrefixes);
  for (; number >= 999.5 && prefix + 1 != std::end(kPrefixes); ++prefix) number /= 1000;
  const int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", number, decimals, *prefix);
}

std::string rate(double units_per_second, std::string_view unit) {
  const bool is_slow = units_per_second < 1;
  return fmt::format("{}{}/{}", rounded(is_slow ? 60 * units_per_second : units_per_second), unit,
                     is_slow ? "min" : "s");
}

/// In the largest two units of time.
std::string duration(double seconds) {
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  constexpr std::int64_t kLongest = 100 * kDay;
  if (seconds >= kLongest) return "100 d or more";
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole >= kDay) return fmt::format("{} d {} h", whole / kDay, whole % kDay / kHour);
  if (whole >= kHour) return fmt::format("{} h {} min", whole / kHour, whole % kHour / kMinute);
  if (whole >= kMinute) return fmt::format("{} min {} s", whole / kMinute, whole % kMinute);
  return fmt::format("{} s", whole);
}

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

/// The columns that text takes at most: a character beyond ASCII may be a wide one.
std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (const char byte : text) {
    if (!continues_character(byte)) columns += is_ascii(byte) ? 1U : 2U;
  }
  return columns;
}

/// The text, or its beginning and "...".
std::string shortened(std::string text, std::size_t columns) {
  constexpr std::string_view kDots = "...";
  if (columns_of(text) <= columns) return text;
  const std::string_view dots = kDots.substr(0, columns);
  while (columns_of(text) + dots.size() > columns) {
    while (continues_character(text.back())) text.pop_back();
    text.pop_back();
  }
  return text.append(dots);
}

std::string numbers_of(const WorkPart& part) {
  const double seconds = part.elapsed.count();
  if (part.total == 0 || part.done == 0 || seconds <= 0) {
    return seconds < 1 ? "" : duration(seconds);
  }
  const std::int64_t done = std::min(part.done, part.total);
  const double speed = static_cast<double>(done) / seconds;
  return fmt::format("{} %  {}  {} left",
                     std::floor(100 * static_cast<double>(done) / static_cast<double>(part.total)),
                     rate(speed, part.unit),
                     duration(std::ceil(static_cast<double>(part.total - done) / speed)));
}

/// With the number of the unit under way, where people count so far.
std::string name_of(const WorkPart& part, bool is_counted) {
  constexpr std::int64_t kLargest = 10'000;
  if (!is_counted || part.total == 0 || part.total >= kLargest) return part.what;
  return fmt::format("{} {} of {}", part.what, std::min(part.done + 1, part.total), part.total);
}

std::size_t terminal_columns() {
  constexpr std::size_t kDefault = 80;
  winsize size{};
  const bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : kDefault;
}

/// Whether the terminal belongs to another job of the shell.
bool is_in_background() {
  const pid_t foreground = tcgetpgrp(STDERR_FILENO);
  return foreground >= 0 && foreground != getpgrp();
}

void write_at_once(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

// What a signal handler and the threads that draw must know of each other.
std::atomic<bool> line_is_drawn = false;
std::atomic<bool> is_writing = false;
std::atomic<bool> is_ending = false;

/// A process that is ended from outside leaves no line behind. Does only what a handler may.
extern "C" void erase_and_end(int signal) {
  end_progress_line();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Writes what makes a line stand there, or not; nothing once the process is ending. The handler
/// never interrupts the thread that writes, so what it waits for goes on.
void write_line(std::string_view text, bool is_drawn) {
  sigset_t ending;
  sigset_t before;
  sigemptyset(&ending);
  for (const int signal : kEndingSignals) sigaddset(&ending, signal);
  pthread_sigmask(SIG_BLOCK, &ending, &before);
  is_writing = true;
  if (!is_ending) {
    write_at_once(text);
    line_is_drawn = is_drawn;
  }
  is_writing = false;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// Signals that are ignored (nohup) stay ignored.
void erase_when_ended() {
  for (const int signal : kEndingSignals) {
    if (std::signal(signal, erase_and_end) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

/// What would move the cursor elsewhere becomes a question mark.
std::string printable(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(),
      [](char byte) { return is_ascii(byte) && (byte < ' ' || byte == '\x7f'); }, '?');
  return result;
}

}  // namespace

void end_progress_line() {
  is_ending = true;
  // Another thread may be in the middle of a line; a terminal that is stopped is not waited for.
  constexpr timespec kMillisecond = {.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int waited = 0; is_writing && waited < 100; ++waited) nanosleep(&kMillisecond, nullptr);
  if (line_is_drawn) write_at_once(kErase);
}

std::string progress_text(std::span<const WorkPart> parts, std::size_t columns) {
  constexpr std::string_view kGap = "  ";
  constexpr std::size_t kLeastName = 10;
  auto measured =
      std::find_if(parts.begin(), parts.end(), [](const WorkPart& part) { return part.total > 0; });
  if (measured == parts.end()) --measured;
  std::string text;
  for (auto part = parts.begin(); part != parts.end(); ++part) {
    text += (text.empty() ? "" : ": ") + name_of(*part, part == measured);
  }
  const std::string numbers = numbers_of(*measured);
  if (numbers.empty() || columns < kLeastName + kGap.size() + numbers.size()) {
    return shortened(std::move(text), columns);
  }
  return shortened(std::move(text), columns - kGap.size() - numbers.size())
      .append(kGap)
      .append(numbers);
}

ProgressLine::ProgressLine() : thread_([this](const std::stop_token& stop) { redraw(stop); }) {}

ProgressLine::~ProgressLine() {
  thread_.request_stop();
  thread_.join();
  erase();
}

void ProgressLine::begin(std::string_view what, std::int64_t total, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  const std::int64_t done = done_.exchange(0);
  const bool is_outermost = parts_.empty();
  if (!is_outermost) parts_.back().work.done = done;
  parts_.push_back({.work = {.what = printable(what), .total = total, .unit = std::string(unit)},
                    .begin = Clock::now()});
  // So that a line that was there a moment ago does not blink.
  if (is_outermost && is_due_) draw();
}

void ProgressLine::end() {
  const std::lock_guard lock(mutex_);
  parts_.pop_back();
  done_ = parts_.empty() ? 0 : parts_.back().work.done;
  if (parts_.empty()) erase();
}

void ProgressLine::redraw(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  milliseconds wait = kUndrawn;
  while (!stopped_.wait_for(lock, stop, wait, [&] { return stop.stop_requested(); })) {
    is_due_ = true;
    if (!parts_.empty()) draw();
    wait = kBetweenDrawings;
  }
}

void ProgressLine::draw() {
  if (is_in_background()) return;
  const Clock::time_point now = Clock::now();
  std::vector<WorkPart> works;
  works.reserve(parts_.size());
  for (const Part& part : parts_) {
    works.push_back(part.work);
    works.back().elapsed = now - part.begin;
  }
  works.back().done = done_;
  // In the last column some terminals go to the next line.
  write_line("\r" + progress_text(works, terminal_columns() - 1) + "\x1b[K", true);
}

void ProgressLine::erase() {
  if (line_is_drawn) write_line(kErase, false);
}

std::unique_ptr<Progress> progress_line(std::string_view when, bool quiet) {
  if (when == "never") return nullptr;
  if (when == "auto") {
    const char* const value = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
    const std::string_view terminal = value ? value : "";
    if (quiet || isatty(STDERR_FILENO) != 1 || terminal.empty() || terminal == "dumb") {
      return nullptr;
    }
  }
  try {
    auto line = std::make_unique<ProgressLine>();
    erase_when_ended();
    return line;
  } catch (const std::system_error&) {
    return nullptr;  // no thread is to be had: the work matters more
  }
}

Progress* unless_terminal(Progress* progress, const std::string& path) {
  std::error_code error;
  if (!progress || !std::filesystem::is_character_file(path, error)) return progress;
  const int file = ::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  const bool is_terminal = file >= 0 && isatty(file) == 1;
  if (file >= 0) ::close(file);
  return is_terminal ? nullptr : progress;
}

Phase writing(Progress* progress, const std::string& path, std::int64_t total,
              std::string_view unit) {
  return {unless_terminal(progress, path), fmt::format("writing {}", path), total, unit};
}

}  // namespace pipesim
