#include "tests/cli/terminal_session.hpp"

#include <doctest/doctest.h>
#include <pty.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "tests/places.hpp"

namespace pipesim::test {

namespace {

void keep_one_processor() {
  cpu_set_t processors;
  ::sched_getaffinity(0, sizeof processors, &processors);
  bool is_first = true;
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &processors)) continue;
    if (!is_first) CPU_CLR(i, &processors);
    is_first = false;
  }
  ::sched_setaffinity(0, sizeof processors, &processors);
}

}  // namespace

TerminalOutcome run_on_terminal(const std::string& command, unsigned short columns) {
  const std::string whole = "cd '" + source_directory() + "' && export TERM=xterm PIPESIM='" +
                            binary() + "' && " + command;
  const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  const auto start = std::chrono::steady_clock::now();
  int terminal = -1;
  const pid_t process = ::forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(process >= 0);
  if (process == 0) {
    keep_one_processor();
    ::execl("/bin/sh", "sh", "-c", whole.c_str(), nullptr);
    ::_exit(127);
  }
  TerminalOutcome outcome;
  std::array<char, 4096> block{};
  // A terminal whose programs have all ended gives EIO.
  while (true) {
    const ssize_t count = ::read(terminal, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (outcome.bytes.empty()) outcome.silence = std::chrono::steady_clock::now() - start;
    outcome.bytes.append(block.data(), static_cast<std::size_t>(count));
  }
  ::close(terminal);
  int status = 0;
  REQUIRE(::waitpid(process, &status, 0) == process);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

std::string screen(const std::string& bytes) {
  constexpr std::string_view kErase = "\x1b[K";
  std::string done;
  std::string line;
  std::size_t column = 0;
  const auto finish = [&] {
    line.erase(line.find_last_not_of(' ') + 1);
    done += line;
    line.clear();
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\r') {
      column = 0;
    } else if (bytes[i] == '\n') {
      finish();
      done += '\n';
    } else if (bytes.compare(i, kErase.size(), kErase) == 0) {
      line.resize(column, ' ');
      i += kErase.size() - 1;
    } else {
      if (line.size() <= column) line.resize(column + 1, ' ');
      line[column++] = bytes[i];
    }
  }
  finish();
  return done;
}

}  // namespace pipesim::test
