// The signals by which a process is ended in good order.
#pragma once

#include <array>
#include <csignal>
#include <optional>

namespace pipesim {

inline constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP};

/// While it lives, these signals call a handler; those that are ignored (nohup) stay ignored.
/// Handlers, not a mask: a mask holds for one thread, and another one would end the process.
class EndingHandlers {
 public:
  explicit EndingHandlers(void (*handler)(int));
  /// Restores what was there.
  ~EndingHandlers();
  EndingHandlers(const EndingHandlers&) = delete;
  EndingHandlers& operator=(const EndingHandlers&) = delete;

  /// Lets a signal do what it did before and sends it again; a handler may call it.
  void pass_on(int signal) const;

 private:
  std::array<struct sigaction, kEndingSignals.size()> before_{};
};

/// While it lives, ending signals wait; one that came takes its effect afterwards. For moments
/// only: a user who presses ctrl-C is not kept waiting. May be nested.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  std::optional<EndingHandlers> handlers_;
};

}  // namespace pipesim
