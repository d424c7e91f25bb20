// The line on standard error that says how far a command has come.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sim/progress.hpp"

namespace pipesim {

/// A part of the work that is under way.
struct WorkPart {
  std::string what;
  std::int64_t total = 0;  ///< units; 0: unknown
  std::string unit{};      ///< in the plural
  std::int64_t done = 0;
  std::chrono::duration<double> elapsed{};
};

/// What is said of parts, the outermost first: "comparing 3 of 24: zb_v: simulating  8 %  2.10
/// schedules/s  10 s left". The numbers are those of the outermost part whose total is known; where
/// there is none, the time that the innermost has taken. Of at most `columns` columns: what is
/// being done gives way to the numbers. Requires a part.
std::string progress_text(std::span<const WorkPart> parts, std::size_t columns);

/// One line that is drawn anew ten times a second by a thread of its own, from half a second after
/// the beginning on. It stands there only while a part of the work is under way, so that whoever
/// writes to a terminal outside of all parts finds an empty line.
class ProgressLine final : public Progress {
 public:
  ProgressLine();
  ~ProgressLine() override;

  void begin(std::string_view what, std::int64_t total, std::string_view unit) override;
  void advance(std::int64_t units) override { done_ += units; }
  void end() override;

 private:
  using Clock = std::chrono::steady_clock;

  struct Part {
    WorkPart work;
    Clock::time_point begin;
  };

  void redraw(const std::stop_token& stop);
  void draw();
  void erase();

  std::mutex mutex_;  // of all but done_
  std::condition_variable_any stopped_;
  std::vector<Part> parts_;             // the outermost first
  std::atomic<std::int64_t> done_ = 0;  // of the innermost part
  bool is_due_ = false;                 // half a second is over
  std::jthread thread_;                 // ends before the rest does
};

/// The line, or null where nobody is to see one. `when` is "always", "never" or "auto": where
/// standard error is a terminal that can erase a line (TERM) and the user did not ask for quiet.
std::unique_ptr<Progress> progress_line(std::string_view when, bool quiet);

/// Erases the line of a process that ends without taking its parts of work to their end, and draws
/// nothing more.
void end_progress_line();

/// Null if the file, which may be missing, is a terminal: what is written there and the line would
/// stand in each other's way.
Progress* unless_terminal(Progress* progress, const std::string& path);

/// The part of the work that writes a file of so many units.
Phase writing(Progress* progress, const std::string& path, std::int64_t total = 0,
              std::string_view unit = "");

}  // namespace pipesim
