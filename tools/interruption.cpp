#include "tools/interruption.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "sim/error.hpp"
#include "tools/progress.hpp"
#include "tools/standard_error.hpp"

namespace pipesim {

namespace {

constexpr int kGraceMilliseconds = 500;

/// What the thread that watches hears of the pipe: a signal is a byte, the end of the work its end.
enum class Heard { nothing, signal, end };

std::atomic<int> signal_that_came = 0;
std::atomic<int> wake_descriptor = -1;

/// Does only what a handler may.
extern "C" void ask_for_end(int signal) {
  const int error_number = errno;
  signal_that_came = signal;
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor, &byte, 1);
  errno = error_number;
}

/// Within so many milliseconds; -1: whenever.
Heard hear(int descriptor, int milliseconds) {
  pollfd waited = {.fd = descriptor, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&waited, 1, milliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return Heard::nothing;
  char byte = 0;
  return ::read(descriptor, &byte, 1) == 1 ? Heard::signal : Heard::end;
}

}  // namespace

Interruption::Interruption(std::function<std::string()> last_words)
    : last_words_(std::move(last_words)) {
  signal_that_came = 0;
  PIPESIM_CHECK(::pipe2(wake_, O_CLOEXEC) == 0);
  wake_descriptor = wake_[1];
  thread_ = std::thread([this] { watch(); });
  handlers_.emplace(ask_for_end);
}

Interruption::~Interruption() {
  handlers_.reset();
  ::close(wake_[1]);
  thread_.join();
  ::close(wake_[0]);
}

bool Interruption::requested() const { return signal_that_came != 0; }

int Interruption::exit_code() const {
  constexpr int kShellBase = 128;
  return kShellBase + signal_that_came;
}

void Interruption::watch() {
  if (hear(wake_[0], -1) == Heard::end) return;
  if (hear(wake_[0], kGraceMilliseconds) == Heard::end) return;
  end_progress_line();
  write_standard_error(last_words_());
  ::_exit(exit_code());
}

}  // namespace pipesim
