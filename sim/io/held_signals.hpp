// The signals by which a process is ended in good order.
#pragma once

#include <array>
#include <csignal>

namespace pipesim {

inline constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP};

/// While it lives, ending signals wait; one that came takes its effect afterwards. Those that are
/// ignored stay ignored. For moments only: a user who presses ctrl-C is not kept waiting.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  std::array<struct sigaction, kEndingSignals.size()> before_{};
};

}  // namespace pipesim
