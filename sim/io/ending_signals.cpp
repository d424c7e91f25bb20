#include "sim/io/ending_signals.hpp"

#include <atomic>

namespace pipesim {

namespace {

std::atomic<int> signal_that_waits = 0;

extern "C" void let_wait(int signal) { signal_that_waits = signal; }

}  // namespace

EndingHandlers::EndingHandlers(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    ::sigaction(kEndingSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(kEndingSignals[i], &action, nullptr);
  }
}

EndingHandlers::~EndingHandlers() {
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    ::sigaction(kEndingSignals[i], &before_[i], nullptr);
  }
}

void EndingHandlers::pass_on(int signal) const {
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    if (kEndingSignals[i] == signal) ::sigaction(signal, &before_[i], nullptr);
  }
  std::raise(signal);
}

HeldSignals::HeldSignals() : handlers_(std::in_place, let_wait) {}

HeldSignals::~HeldSignals() {
  handlers_.reset();
  if (const int signal = signal_that_waits.exchange(0)) std::raise(signal);
}

}  // namespace pipesim
