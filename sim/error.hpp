// One error type for everything a user can cause, and CHECK for what only we can cause.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pipesim {

/// One thing that is wrong, with all that a message needs. Empty members are left out of it.
struct Fault {
  std::string place{};    ///< where it was read: "run.json:3:7" or "command line: --set p"
  int line = 0;           ///< 1-based line in the file; 0 where there is no file
  int column = 0;         ///< 1-based byte column in that line; 0 where there is no file
  std::string pointer{};  ///< JSON pointer of the value; "" is the whole document
  std::string value{};    ///< the offending value as it was written
  std::string what{};     ///< what is wrong, one clause
  std::string allowed{};  ///< what would be right
  std::string nearest{};  ///< the nearest known name, "" if none is near
};

/// Text from a file or a command line as a terminal or a picture may show it: control characters
/// and bytes that are not UTF-8 are escaped (\\x1b).
std::string printable(std::string_view text);

/// `PLACE: POINTER: WHAT; ALLOWED (did you mean "NEAREST"?)`, without the parts that are empty.
/// It is printable(); a long pointer is abbreviated.
std::string message(const Fault& fault);

/// Who has to act: decides the exit code.
enum class ErrorKind {
  bad_input,   ///< the request is wrong: exit code 2
  run_failed,  ///< the request is right, the run fails (deadlock, over the memory limit): 1
};

/// Everything that pipesim throws at a user: one or more faults of one request.
class Error : public std::runtime_error {
 public:
  explicit Error(Fault fault, ErrorKind kind = ErrorKind::bad_input);
  /// Requires at least one fault.
  explicit Error(std::vector<Fault> faults, ErrorKind kind = ErrorKind::bad_input);

  const std::vector<Fault>& faults() const { return faults_; }
  ErrorKind kind() const { return kind_; }

 private:
  std::vector<Fault> faults_;
  ErrorKind kind_;
};

/// A time beyond int64 ticks, at /m unless what computes it knows a better place.
class TimeOverflow : public Error {
 public:
  TimeOverflow();
};

/// The first candidate that begins with `name`, if that has 3 letters or more, else the one with
/// the smallest edit distance, whatever the case, or "" if none is within a third of the name's
/// length (at least one edit, fewer than it has letters). The first of equals wins.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// Reports a broken assumption of our own and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace pipesim

/// For what no input can break; unlike assert it stays in release builds.
#define PIPESIM_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::pipesim::check_failed(#condition, __FILE__, __LINE__))
