#include "tools/interruption.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>

#include "sim/error.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kGraceMilliseconds = 500;

// What goes through the pipe.
constexpr char kEnded = 0;
constexpr char kAsked = 1;

std::atomic<int> signal_that_came = 0;
std::atomic<int> wake_descriptor = -1;

/// Does only what a handler may.
extern "C" void ask_for_end(int signal) {
  const int error_number = errno;
  signal_that_came = signal;
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor, &kAsked, 1);
  errno = error_number;
}

/// The byte that comes within so many milliseconds (-1: whenever), or nothing.
std::optional<char> next_byte(int descriptor, int milliseconds) {
  pollfd waited = {.fd = descriptor, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&waited, 1, milliseconds);
  } while (ready < 0 && errno == EINTR);
  char byte = kEnded;
  return ready > 0 && ::read(descriptor, &byte, 1) == 1 ? std::optional(byte) : std::nullopt;
}

}  // namespace

Interruption::Interruption(std::function<std::string()> last_words)
    : last_words_(std::move(last_words)) {
  signal_that_came = 0;
  PIPESIM_CHECK(::pipe2(wake_, O_CLOEXEC) == 0);
  wake_descriptor = wake_[1];
  thread_ = std::thread([this] { watch(); });
  struct sigaction action {};
  action.sa_handler = ask_for_end;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

Interruption::~Interruption() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  [[maybe_unused]] const ssize_t written = ::write(wake_[1], &kEnded, 1);
  thread_.join();
  ::close(wake_[0]);
  ::close(wake_[1]);
}

bool Interruption::requested() const { return signal_that_came != 0; }

int Interruption::exit_code() const {
  constexpr int kShellBase = 128;
  return kShellBase + signal_that_came;
}

void Interruption::watch() {
  if (next_byte(wake_[0], -1) != kAsked) return;
  if (next_byte(wake_[0], kGraceMilliseconds) == kEnded) return;
  end_progress_line();
  write_standard_error(last_words_());
  ::_exit(exit_code());
}

}  // namespace pipesim
