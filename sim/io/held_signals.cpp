#include "sim/io/held_signals.hpp"

#include <atomic>

namespace pipesim {

namespace {

std::atomic<int> signal_that_waits = 0;

extern "C" void let_wait(int signal) { signal_that_waits = signal; }

}  // namespace

// Handlers, not a mask: a mask holds for one thread, and another one would end the process.
HeldSignals::HeldSignals() {
  struct sigaction action {};
  action.sa_handler = let_wait;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    ::sigaction(kEndingSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(kEndingSignals[i], &action, nullptr);
  }
}

HeldSignals::~HeldSignals() {
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    ::sigaction(kEndingSignals[i], &before_[i], nullptr);
  }
  if (const int signal = signal_that_waits.exchange(0)) std::raise(signal);
}

}  // namespace pipesim
