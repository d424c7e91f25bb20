// Ending a long command from outside in good order.
#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "sim/io/ending_signals.hpp"

namespace pipesim {

/// While it lives, SIGINT, SIGTERM and SIGHUP ask for an end instead of ending the process; those
/// that are ignored (nohup) stay ignored. Whoever works looks at requested() and stops in his own
/// time. If that takes more than half a second, or a second signal comes, the process ends with
/// last_words() on standard error and the exit code of the signal. One at a time.
class Interruption {
 public:
  explicit Interruption(std::function<std::string()> last_words);
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  bool requested() const;
  /// What a shell says of a process that the signal ended: 130 for SIGINT. Requires requested().
  int exit_code() const;

 private:
  void watch();

  std::function<std::string()> last_words_;
  int wake_[2] = {-1, -1};  // a pipe, from the handler to the thread
  std::optional<EndingHandlers> handlers_;
  std::thread thread_;
};

}  // namespace pipesim
